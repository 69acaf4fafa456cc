"""Attaching to Elasticsearch 7.10, against what a node of it answered (7.10.2, recorded; no such node runs here)."""

import math

import pytest

from integration.engine.client import Cluster
from integration.writer import Outcome
from tests.integration.engine.elasticsearch import RECORD, Recorded, life


def test_a_catalogue_on_elasticsearch_7_is_attached_searched_and_let_go() -> None:
    """It knows neither the scores of named queries, which the hit's own score gives, nor `must_exist` of an alias."""
    cluster = Cluster("http://elasticsearch.invalid:9200")
    recorded = Recorded(cluster)
    lived = life(cluster)
    [(record, bm25, *rest)] = lived.pop("hits")
    assert lived == {"refused": [], "written": Outcome.WRITTEN, "left": RECORD}
    assert (record, rest) == ("1", [0, "text", "A lighthouse by the sea"])
    # the record is in the index twice, before and after its codes were written: idf ln(1 + 0.5 / 2.5); all titles are
    # of one length, so tf is 1 / 2.2, times 2.2; and the title counts twice
    assert bm25 == pytest.approx(2 * math.log(1.2), rel=1e-5)
    assert not any(recorded.waiting.values())
