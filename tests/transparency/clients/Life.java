// The usual life of a catalogue, with the Java high-level REST client as FOLIO uses it: SMILE bodies, gzip on the way.

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.http.HttpHost;
import org.opensearch.action.admin.indices.delete.DeleteIndexRequest;
import org.opensearch.action.bulk.BulkRequest;
import org.opensearch.action.delete.DeleteRequest;
import org.opensearch.action.get.GetRequest;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.search.*;
import org.opensearch.action.support.WriteRequest.RefreshPolicy;
import org.opensearch.action.update.UpdateRequest;
import org.opensearch.client.*;
import org.opensearch.client.core.CountRequest;
import org.opensearch.client.indices.*;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.search.aggregations.AggregationBuilders;
import org.opensearch.search.aggregations.metrics.Stats;
import org.opensearch.search.builder.PointInTimeBuilder;
import org.opensearch.search.builder.SearchSourceBuilder;

public class Life {
    static final TimeValue MINUTE = TimeValue.timeValueMinutes(1);

    static void show(String step, Object value) {
        System.out.println(step + " " + value);
    }

    static List<String> ids(SearchResponse found) {
        List<String> ids = new ArrayList<>();
        found.getHits().forEach(hit -> ids.add(hit.getId()));
        return ids;
    }

    public static void main(String[] words) throws Exception {
        String url = words[0], index = words[1];
        RequestOptions usual = RequestOptions.DEFAULT;
        RestClientBuilder builder = RestClient.builder(HttpHost.create(url)).setCompressionEnabled(true);
        try (RestHighLevelClient client = new RestHighLevelClient(builder)) {
            if (client.indices().exists(new GetIndexRequest(index), usual))
                client.indices().delete(new DeleteIndexRequest(index), usual);
            show("info", client.info(usual).getVersion().getNumber());
            CreateIndexRequest create = new CreateIndexRequest(index);
            create.mapping(Map.of("properties", Map.of("title", Map.of("type", "text"), "year", Map.of("type", "integer"))));
            show("create", client.indices().create(create, usual).isAcknowledged());
            write(client, index);
            search(client, index);
            page(client, index);
            show("missing", client.get(new GetRequest(index, "none"), usual).isExists());
            show("delete", client.delete(new DeleteRequest(index, "1"), usual).getResult());
            show("drop", client.indices().delete(new DeleteIndexRequest(index), usual).isAcknowledged());
            System.out.println("done");
        }
    }

    static void write(RestHighLevelClient client, String index) throws Exception {
        RequestOptions usual = RequestOptions.DEFAULT;
        IndexRequest first = new IndexRequest(index).id("1");
        first.source(Map.of("title", "The whale, 鯨", "year", 1851), XContentType.SMILE);
        show("index", client.index(first, usual).getResult());
        UpdateRequest update = new UpdateRequest(index, "1").doc(Map.of("year", 1852), XContentType.SMILE);
        show("update", client.update(update, usual).getResult());
        show("get", client.get(new GetRequest(index, "1"), usual).getSourceAsMap().get("year"));
        BulkRequest bulk = new BulkRequest().setRefreshPolicy(RefreshPolicy.IMMEDIATE);
        for (int n = 2; n < 60; n++) {
            Map<String, Object> source = Map.of("title", "Volume " + n + " of whales", "year", 1900 + n);
            bulk.add(new IndexRequest(index).id("" + n).source(source, XContentType.SMILE));
        }
        var written = client.bulk(bulk, usual);
        show("bulk", written.getItems().length + " " + written.hasFailures());
    }

    static void search(RestHighLevelClient client, String index) throws Exception {
        RequestOptions usual = RequestOptions.DEFAULT;
        SearchSourceBuilder query = new SearchSourceBuilder().query(QueryBuilders.matchQuery("title", "whales"));
        query.sort("year").aggregation(AggregationBuilders.stats("years").field("year"));
        SearchResponse found = client.search(new SearchRequest(index).source(query), usual);
        Stats years = found.getAggregations().get("years");
        show("search", found.getHits().getTotalHits() + " " + ids(found) + " " + years.getAvg());
        MultiSearchRequest many = new MultiSearchRequest();
        many.add(new SearchRequest(index).source(query)).add(new SearchRequest(index));
        for (var one : client.msearch(many, usual).getResponses())
            show("msearch", one.getResponse().getHits().getTotalHits());
        show("count", client.count(new CountRequest(index), usual).getCount());
    }

    static void page(RestHighLevelClient client, String index) throws Exception {
        RequestOptions usual = RequestOptions.DEFAULT;
        SearchRequest all = new SearchRequest(index).scroll(MINUTE);
        all.source(new SearchSourceBuilder().size(20).sort("year"));
        SearchResponse page = client.search(all, usual);
        while (page.getHits().getHits().length > 0) {
            show("scroll", ids(page));
            page = client.scroll(new SearchScrollRequest(page.getScrollId()).scroll(MINUTE), usual);
        }
        ClearScrollRequest clear = new ClearScrollRequest();
        clear.addScrollId(page.getScrollId());
        show("clear", client.clearScroll(clear, usual).isSucceeded());
        var pit = client.createPit(new CreatePitRequest(MINUTE, true, index), usual);
        SearchSourceBuilder held = new SearchSourceBuilder().size(3).sort("year");
        held.pointInTimeBuilder(new PointInTimeBuilder(pit.getId()));
        show("pit", ids(client.search(new SearchRequest().source(held), usual)));
        var closed = client.deletePit(new DeletePitRequest(pit.getId()), usual).getDeletePitResults();
        show("close pit", closed.get(0).isSuccessful());
    }
}
