"""Answers to rewritten searches: hits explain themselves, documents and numbers keep their bytes."""

import gzip
import json

import pytest

from integration.gateway import smile, smile_writer
from integration.gateway.annotating import annotated, annotated_each
from integration.gateway.cbor import dumps, loads
from integration.gateway.rewriting import Share

JSON = [(b"content-type", b"application/json; charset=UTF-8")]
BEST = '{"distance":3,"part":"image","picture":1,"similarity":0.9}'
HIT = (
    '{"_id":"1","_source":{"price":813.50, "n":1E2},'
    f'"fields":{{"year":[1E2],"crosshatch":[{BEST}]}},"matched_queries":{{"own":2.5,"crosshatch:bm25":1.25}}}}'
)
SHARE = Share(weight=0.75, saturation=12, boost=0.5)
ANSWER = f'{{"took":1,"hits":{{"total":{{"value":1}},"hits":[{HIT},{{"_id":"2"}}]}}}}'.encode()


def test_hits_explain_themselves_and_our_name_is_taken_out() -> None:
    out = annotated(ANSWER, JSON, scores=False)
    first, second = json.loads(out)["hits"]["hits"]
    assert first["fields"]["crosshatch"] == [{**json.loads(BEST), "bm25": 1.25}]
    assert first["matched_queries"] == ["own"]
    nothing = {"distance": None, "part": None, "picture": None, "similarity": None, "bm25": None}
    assert second == {"_id": "2", "fields": {"crosshatch": [nothing]}}
    assert b'"_source":{"price":813.50, "n":1E2}' in out
    assert b'"year":[1E2]' in out


def test_who_asked_for_scores_gets_his_own() -> None:
    assert json.loads(annotated(ANSWER, JSON, scores=True))["hits"]["hits"][0]["matched_queries"] == {"own": 2.5}


def test_cbor_is_answered_in_cbor() -> None:
    out = annotated(dumps(json.loads(ANSWER)), [(b"content-type", b"application/cbor")], scores=False)
    assert loads(out)["hits"]["hits"][0]["fields"]["crosshatch"][0]["bm25"] == 1.25


def test_what_is_no_answer_of_hits_stays_as_it_is() -> None:
    for answer in (b'{"error":  {}}', b"no JSON", b"", b"[]", b'{"hits":7}'):
        assert json.dumps(annotated(answer, JSON, scores=False).decode()).replace(" ", "") == json.dumps(
            answer.decode()
        ).replace(" ", "")


def test_of_a_multi_search_only_ours_are_opened() -> None:
    whole = b'{"took":1,"responses":[{"hits" : {"hits" : [{"_id":"9"}]}},' + ANSWER + b"]}"
    out = annotated_each(whole, JSON, {1: None})
    assert b'{"hits" : {"hits" : [{"_id":"9"}]}}' in out
    assert json.loads(out)["responses"][1]["hits"]["hits"][0]["fields"]["crosshatch"] == [json.loads(BEST)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_multi_search_in_smile_or_packed_is_answered_so(packed: bool) -> None:
    tree = {"took": 1, "responses": [{"error": {}}, json.loads(ANSWER)]}
    if packed:
        headers = [*JSON, (b"content-encoding", b"gzip")]
        out = json.loads(gzip.decompress(annotated_each(gzip.compress(json.dumps(tree).encode()), headers, {1: SHARE})))
    else:
        headers = [(b"content-type", b"application/smile")]
        out = smile.loads(annotated_each(smile_writer.dumps(tree), headers, {0: SHARE, 1: SHARE}))
    first, second = out["responses"][1]["hits"]["hits"]
    assert first["fields"]["crosshatch"][0]["distance"] == 3
    assert first["matched_queries"] == ["own"]
    assert second["fields"]["crosshatch"][0]["bm25"] is None
    assert out["responses"][0] == {"error": {}}


def test_of_a_multi_search_the_bm25_score_is_worked_out_where_the_words_match() -> None:
    """0.5 * (0.25 * 4 / (4 + 12) + 0.75 * 0.9): BM25 4, similarity 0.9, boost 0.5."""
    hits = (
        f'{{"_id":"1","_score":0.36875,"fields":{{"crosshatch":[{BEST}]}},"matched_queries":["own","crosshatch:bm25"]}}'
        f',{{"_id":"2","_score":0.3375,"fields":{{"crosshatch":[{BEST}]}}}},{{"_id":"3","_score":null,'
        '"matched_queries":["crosshatch:bm25"]}'
    )
    whole = f'{{"responses":[{{"hits":{{"hits":[{hits}]}}}}]}}'.encode()
    out = json.loads(annotated_each(whole, JSON, {0: SHARE}))
    first, second, third = out["responses"][0]["hits"]["hits"]
    assert first["fields"]["crosshatch"] == [{**json.loads(BEST), "bm25": pytest.approx(4.0)}]
    assert first["matched_queries"] == ["own"]
    assert second["fields"]["crosshatch"] == [{**json.loads(BEST), "bm25": None}]
    assert third == {"_id": "3", "_score": None, "fields": {"crosshatch": [third["fields"]["crosshatch"][0]]}}
    assert third["fields"]["crosshatch"][0]["bm25"] is None
