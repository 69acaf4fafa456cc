// The usual life of a catalogue, with opensearch-go: `life URL INDEX`.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func ids(hits []opensearchapi.SearchHit) []string {
	found := []string{}
	for _, hit := range hits {
		found = append(found, hit.ID)
	}
	return found
}

func main() {
	url, index := os.Args[1], os.Args[2]
	ctx := context.Background()
	client := must(opensearchapi.NewClient(opensearchapi.Config{
		Client: opensearch.Config{Addresses: []string{url}, CompressRequestBody: true},
	}))
	client.Indices.Delete(ctx, opensearchapi.IndicesDeleteReq{Indices: []string{index}})
	fmt.Println("info", must(client.Info(ctx, nil)).Version.Number)
	mappings := `{"mappings":{"properties":{"title":{"type":"text"},"year":{"type":"integer"}}}}`
	created := must(client.Indices.Create(ctx, opensearchapi.IndicesCreateReq{Index: index, Body: strings.NewReader(mappings)}))
	fmt.Println("create", created.Acknowledged)
	first := opensearchapi.IndexReq{Index: index, DocumentID: "1", Body: strings.NewReader(`{"title":"The whale, 鯨","year":1851}`)}
	fmt.Println("index", must(client.Index(ctx, first)).Result)
	change := opensearchapi.UpdateReq{Index: index, DocumentID: "1", Body: strings.NewReader(`{"doc":{"year":1852}}`)}
	fmt.Println("update", must(client.Update(ctx, change)).Result)
	one := must(client.Document.Get(ctx, opensearchapi.DocumentGetReq{Index: index, DocumentID: "1"}))
	fmt.Println("get", string(one.Source))
	var lines bytes.Buffer
	for n := 2; n < 60; n++ {
		fmt.Fprintf(&lines, `{"index":{"_index":%q,"_id":"%d"}}`+"\n", index, n)
		fmt.Fprintf(&lines, `{"title":"Volume %d of whales","year":%d}`+"\n", n, 1900+n)
	}
	refresh := opensearchapi.BulkParams{Refresh: "true"}
	bulk := must(client.Bulk(ctx, opensearchapi.BulkReq{Body: &lines, Params: refresh}))
	fmt.Println("bulk", len(bulk.Items), bulk.Errors)
	query := `{"query":{"match":{"title":"whales"}},"sort":["year"],"aggs":{"years":{"stats":{"field":"year"}}}}`
	found := must(client.Search(ctx, &opensearchapi.SearchReq{Indices: []string{index}, Body: strings.NewReader(query)}))
	fmt.Println("search", found.Hits.Total.Value, ids(found.Hits.Hits), string(found.Aggregations))
	both := fmt.Sprintf("{\"index\":%q}\n%s\n{\"index\":%q}\n{\"size\":0}\n", index, query, index)
	many := must(client.MSearch(ctx, opensearchapi.MSearchReq{Body: strings.NewReader(both)}))
	for _, one := range many.Responses {
		fmt.Println("msearch", one.Hits.Total.Value)
	}
	kept := opensearchapi.SearchParams{Scroll: time.Minute}
	all := `{"size":20,"sort":["year"]}`
	page := must(client.Search(ctx, &opensearchapi.SearchReq{Indices: []string{index}, Body: strings.NewReader(all), Params: kept}))
	hits, scroll := page.Hits.Hits, *page.ScrollID
	for len(hits) > 0 {
		fmt.Println("scroll", ids(hits))
		next := must(client.Scroll.Get(ctx, opensearchapi.ScrollGetReq{ScrollID: scroll, Params: opensearchapi.ScrollGetParams{Scroll: time.Minute}}))
		hits, scroll = next.Hits.Hits, *next.ScrollID
	}
	opened := opensearchapi.PointInTimeCreateReq{Indices: []string{index}, Params: opensearchapi.PointInTimeCreateParams{KeepAlive: time.Minute}}
	pit := must(client.PointInTime.Create(ctx, opened)).PitID
	held := fmt.Sprintf(`{"size":3,"sort":["year"],"pit":{"id":%q,"keep_alive":"1m"}}`, pit)
	within := must(client.Search(ctx, &opensearchapi.SearchReq{Body: strings.NewReader(held)}))
	fmt.Println("pit", ids(within.Hits.Hits))
	closed := must(client.PointInTime.Delete(ctx, opensearchapi.PointInTimeDeleteReq{PitID: []string{pit}}))
	fmt.Println("close pit", closed.Pits[0].Successful)
	missing, _ := client.Document.Get(ctx, opensearchapi.DocumentGetReq{Index: index, DocumentID: "none"})
	fmt.Println("missing", missing.Found)
	removed := must(client.Document.Delete(ctx, opensearchapi.DocumentDeleteReq{Index: index, DocumentID: "1"}))
	fmt.Println("delete", removed.Result)
	dropped := must(client.Indices.Delete(ctx, opensearchapi.IndicesDeleteReq{Indices: []string{index}}))
	fmt.Println("drop", dropped.Acknowledged)
	fmt.Println("done")
}
