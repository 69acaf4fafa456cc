"""What the engine tells of each query, asked once: BM25 scores and similarities by part, whatever the weights.

The lists that are asked for are those of searches as they are: by words alone, and by each stored part alone. What is
among the first by any weights is among the first of one of these, but for records far down in all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from integration.engine.client import part
from integration.search.asking import answered
from integration.search.pictures import read_picture
from integration.search.plan import Target, pairs_of, plan, words_query
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.state import Attached
from integration.tuning.judgments import Topic, says_something
from integration.tuning.ranking import Pool
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import PARTS
from mappings.scripts import distance_script

POOLED = 200  # records of each list
_PAGE = 1_000
Coded = Sequence[tuple[str, HashCode]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A topic and its pool, None where clicks are left that say nothing; `unknown` records are not in the index."""

    topic: Topic
    pool: Pool | None
    unknown: tuple[str, ...] = ()


def asked(searcher: Searcher, known: Attached, target: Target, topic: Topic, folder: Path) -> Asked:
    """What the engine tells of a topic; its picture is looked for from `folder`.

    Raises RequestError naming the line of a query that cannot be asked; EngineRefused, EngineUnavailable.
    """
    try:
        return _asked(searcher, known, replace(target, part_weights={}), topic, folder)
    except RequestError as error:
        raise RequestError(f"line {topic.line}: {error}") from error


def _asked(searcher: Searcher, known: Attached, target: Target, topic: Topic, folder: Path) -> Asked:
    query = topic.query
    picture = None if query.image is None else read_picture(_place(query.image, folder), searcher.settings)
    request = SearchRequest(text=query.text, image=picture, like=query.like, size=POOLED, k=POOLED, min_similarity=0)
    codes, _ = searcher.codes_of(known, request, target.index)
    found = {record for hits in _lists(searcher, request, target, codes) for record in hits}
    told = dict(_told(searcher, request, target, codes, sorted(found | topic.grades.keys())))
    told.pop(query.like or "", None)
    unknown = tuple(sorted(topic.grades.keys() - told.keys()))
    grades = {record: grade for record, grade in topic.grades.items() if record in told}
    if topic.clicked and not says_something(grades):
        return Asked(topic, None, unknown)
    return Asked(topic, pool_of(told, grades, worded=query.text is not None, condensed=topic.clicked), unknown)


def _place(image: str, folder: Path) -> str:
    return image if image.lower().startswith(("http://", "https://")) else str(folder / image)


def _lists(searcher: Searcher, request: SearchRequest, target: Target, codes: Coded) -> Iterator[list[str]]:
    """Ids of what is first by words alone, and by each part alone."""
    single = [replace(request, weight=1.0, on=(stored,)) for stored in _compared(target, codes)]
    worded = [replace(request, weight=0.0, k=1)] if request.text is not None else []
    for one in (*worded, *single):
        searched = plan(one, target, codes)
        bare = {**searched.fused, "script_fields": {}, "_source": False}
        answer = answered(searcher.cluster, replace(searched, fused=bare))
        yield [hit["_id"] for hit in answer["hits"]["hits"]]


def _compared(target: Target, codes: Coded) -> list[str]:
    """The stored parts that a query with these codes is compared with."""
    return [stored for stored in PARTS if any((asked, stored) in target.tables for asked, _ in codes)]


def _told(
    searcher: Searcher, request: SearchRequest, target: Target, codes: Coded, ids: Sequence[str]
) -> Iterator[tuple[str, tuple[float, list[float]]]]:
    """Of each of these records that the index holds: its BM25 score, and the similarity of each part, -1 without."""
    scripts = {
        stored: {"script": distance_script(pairs_of(target, codes, (stored,)))} for stored in _compared(target, codes)
    }
    should = [words_query(request.text, target.words)] if request.text is not None else []
    for start in range(0, len(ids), _PAGE):
        page = list(ids[start : start + _PAGE])
        body = {
            "query": {"bool": {"filter": [{"ids": {"values": page}}], "should": should}},
            "size": len(page),
            "_source": False,
            "script_fields": scripts,
        }
        answer = searcher.cluster.request("POST", f"/{part(target.index)}/_search", body=body)
        for hit in answer["hits"]["hits"]:
            yield hit["_id"], (float(hit["_score"]), [_similarity(hit, stored) for stored in PARTS])


def _similarity(hit: Mapping[str, Any], stored: str) -> float:
    best = next(iter(hit.get("fields", {}).get(stored, ())), None)
    return -1.0 if best is None else float(best["similarity"])


def pool_of(
    told: Mapping[str, tuple[float, Sequence[float]]], grades: Mapping[str, float], *, worded: bool, condensed: bool
) -> Pool:
    """A pool of what was told of its records."""
    records = sorted(told, key=str.encode)  # as the engine breaks ties
    return Pool(
        words=np.array([told[record][0] for record in records]),
        similar=np.array([told[record][1] for record in records]).reshape(len(records), len(PARTS)).T.copy(),
        grades=np.array([grades.get(record, 0.0) for record in records]),
        known=np.array([record in grades for record in records], dtype=bool),
        judged=np.array(list(grades.values())),
        worded=worded,
        condensed=condensed,
    )
