"""The usual life of a catalogue, with opensearch-py: `python opensearch_life.py URL INDEX`."""

import sys

from opensearchpy import NotFoundError, OpenSearch, helpers

url, index = sys.argv[-2:]
client = OpenSearch([url], http_compress=True)


def show(step, value):
    print(step, value)


if client.indices.exists(index=index):
    client.indices.delete(index=index)
show("info", client.info()["version"]["number"])
mapping = {"properties": {"title": {"type": "text"}, "year": {"type": "integer"}}}
show("create", client.indices.create(index=index, body={"mappings": mapping})["acknowledged"])
show("exists", client.indices.exists(index=index))
show("index", client.index(index=index, id="1", body={"title": "The whale, 鯨", "year": 1851})["result"])
show("update", client.update(index=index, id="1", body={"doc": {"year": 1852}})["result"])
show("get", client.get(index=index, id="1")["_source"])
actions = [{"_index": index, "_id": str(n), "title": f"Volume {n} of whales", "year": 1900 + n} for n in range(2, 60)]
show("bulk", helpers.bulk(client, actions, refresh=True))
query = {"query": {"match": {"title": "whales"}}, "sort": ["year"], "aggs": {"years": {"stats": {"field": "year"}}}}
found = client.search(index=index, body=query)
show("search", (found["hits"]["total"], [hit["_id"] for hit in found["hits"]["hits"]], found["aggregations"]))
many = client.msearch(body=[{"index": index}, query, {"index": index}, {"query": {"term": {"year": 1852}}}])
show("msearch", [one["hits"]["total"]["value"] for one in many["responses"]])
show("count", client.count(index=index)["count"])
show("scroll", sorted(int(hit["_id"]) for hit in helpers.scan(client, index=index, size=20)))
pit = client.create_pit(index=index, params={"keep_alive": "1m"})["pit_id"]
held = client.search(body={"size": 3, "sort": ["year"], "pit": {"id": pit, "keep_alive": "1m"}})
show("pit", [hit["_id"] for hit in held["hits"]["hits"]])
show("close pit", client.delete_pit(body={"pit_id": [pit]})["pits"][0]["successful"])
try:
    client.get(index=index, id="none")
except NotFoundError as error:
    show("missing", error)
show("cat", client.cat.count(index=index, h="count"))
show("delete", client.delete(index=index, id="1", refresh=True)["result"])
show("by query", client.delete_by_query(index=index, body={"query": {"range": {"year": {"gt": 1950}}}})["deleted"])
show("drop", client.indices.delete(index=index)["acknowledged"])
print("done")
