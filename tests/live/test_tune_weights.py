"""Weights tuned on a real engine: pools rank as the engine does, and weights known to be right are found and kept."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from encoders import catalogue
from encoders.api import BundleCard, Item
from integration import permissions, state, weights
from integration.cli import cli
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.queries import QueryCodes
from integration.search.request import SearchRequest
from integration.search.run import Searcher, target_of
from integration.settings import Settings
from integration.tuning.judgments import Query, Topic, judged
from integration.tuning.pools import asked
from integration.tuning.ranking import Limits, Numbers, ranked
from integration.tuning.tune import tune
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import StoredCodes
from tests.live.coded import coded_index
from tests.live.test_bands import flipped
from tests.live.test_roles import Recorded, recorded

__all__ = ["recorded"]
NAME, SPACE, QUERIES = "test-tune", "s", 12
WORDS = ("cat", "dog", "red", "house", "sea", "old", "tree", "song")
STATED = {"weight": 0.5, "saturation": 8.0}


def random_code(name: str) -> HashCode:
    return HashCode(64, random.Random(name).randbytes(8))


def encoded(item: Item, *_: object) -> QueryCodes:
    """Codes by the query's words: a worker that no record misleads."""
    pictures = {"image": random_code(item.pictures[0].decode())} if item.pictures else {}
    return QueryCodes(({"text": random_code(item.text)} if item.text else {}) | pictures, "worker")


@pytest.fixture(scope="module")
def card() -> BundleCard:
    """That of a shipped bundle, without its tables: similarity is the share of equal bits."""
    return replace(next(card for card in catalogue.known() if card.bits == 64), calibration={})


def documents() -> Iterator[tuple[str, dict[str, Any], StoredCodes]]:
    """For every query one record whose text is near to it, and 20 whose pictures are nearer. No words help."""
    rng = random.Random(3)
    for query in range(QUERIES):
        words = f"query {query} {WORDS[query % len(WORDS)]}"
        code = random_code(words)
        yield f"right{query}", {"title": "untitled"}, StoredCodes(flipped(code, 0.15, rng), ())
        for number in range(20):
            mine = StoredCodes(random_code(f"{query} {number}"), ((0, flipped(code, 0.05, rng)),))
            yield f"wrong{query}-{number}", {"title": " ".join(rng.choices(WORDS, k=3))}, mine
    for number in range(150):  # some without any code, some with a record's code
        both = random_code(f"both {number}") if number % 3 == 0 else None
        text = random_code(f"text {number}") if number % 2 == 0 else None
        yield f"other{number}", {"title": " ".join(rng.choices(WORDS, k=3))}, StoredCodes(text, (), both)


@pytest.fixture
def index(cluster: Cluster, card: BundleCard) -> Iterator[str]:
    """An attached index of some 400 records."""
    lines = []
    for record, source, codes in documents():
        members = {"crosshatch": {SPACE: codes.members()}} if codes.parts else {}
        lines += [msgspec.json.encode({"index": {"_id": record}}), msgspec.json.encode({**source, **members})]
    with coded_index(cluster, NAME, SPACE, card, {"title": {"type": "text"}}, lines):
        yield NAME


@pytest.fixture
def searcher(cluster: Cluster, settings: Settings, card: BundleCard) -> Searcher:
    """Whose queries are encoded without weights of a model."""
    return Searcher(cluster, settings, None, lambda *_, **__: card, encoded)


def judgments() -> list[dict[str, Any]]:
    """Of each query the right record, and a wrong one."""
    lines = []
    for query in range(QUERIES):
        asked = f"query {query} {WORDS[query % len(WORDS)]}"
        lines.append({"query": asked, "record": f"right{query}", "grade": 2})
        lines.append({"query": {"text": asked}, "record": f"wrong{query}-3", "grade": 0})
    return lines


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    file = folder / "judgments.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@pytest.mark.parametrize("seed", range(12))
def test_a_pool_is_ranked_as_the_engine_ranks(
    searcher: Searcher, index: str, card: BundleCard, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    picture = tmp_path / "picture"
    picture.write_bytes(b"a picture")
    query = rng.choice(
        [
            Query(text=f"query {seed % QUERIES} {WORDS[seed % len(WORDS)]}"),
            Query(text="red house"),
            Query(image="picture"),
            Query(text="old song", image="picture"),
            Query(like="other0", text="cat"),
        ]
    )
    known = state.attached(searcher.cluster, index)
    target = replace(target_of(known, card), k=rng.choice((3, 100)), min_similarity=rng.choice((0.0, 0.6)))
    numbers = Numbers(rng.choice((0.0, 0.2, 0.5, 1.0)), 8.0, rng.choice(((1.0, 1.0, 1.0), (1.0, 0.4, 0.9))))
    topic = Topic(query, 1, {f"right{number}": 1.0 for number in range(QUERIES)})
    told = asked(searcher, known, target, topic, tmp_path)
    assert told.pool is not None
    request = SearchRequest(
        text=query.text, image=b"a picture" if query.image else None, like=query.like, weight=numbers.weight,
        k=target.k, min_similarity=target.min_similarity, size=10,
        part_weights=dict(zip(("text", "image", "record"), numbers.parts, strict=True)),
    )  # fmt: skip
    hits = searcher.search(index, request).hits
    order = ranked(told.pool, numbers, Limits(target.k, target.min_similarity))[:10]
    scores = [(round(hit.bm25 or 0.0, 4), round(hit.similarity or 0.0, 6)) for hit in hits]
    similar = (told.pool.similar.T * numbers.parts).max(axis=1)
    mine = [(round(float(told.pool.words[at]), 4), round(max(0.0, float(similar[at])), 6)) for at in order]
    assert mine == scores
    assert [told.pool.grades[at] for at in order] == [float(hit.id.startswith("right")) for hit in hits]


def test_the_right_weights_are_found_and_kept(searcher: Searcher, index: str, tmp_path: Path) -> None:
    """Pictures mislead in this catalogue: their part is worth less than the text's."""
    before = state.attached(searcher.cluster, index)
    file = written(tmp_path, judgments())
    tried = tune(searcher, index, file, dry_run=True)
    assert (tried.rises, tried.written) == (True, False)
    assert replace(state.attached(searcher.cluster, index), version=None) == replace(before, version=None)
    done = tune(searcher, index, file)
    assert replace(done, written=False) == tried
    assert done.written
    assert (done.queries, done.better, done.worse) == (QUERIES, QUERIES, 0)
    assert done.before < 0.5 < 0.95 < done.after
    text, image, record = done.fitted.parts
    assert (text, record) == (1.0, 1.0)
    assert image < 0.9
    known = state.attached(searcher.cluster, index)
    assert known.bundle.part_weights == {"image": image}
    assert (known.settings.weight, known.settings.saturation) == (done.fitted.weight, done.fitted.saturation)
    for query in range(QUERIES):
        hits = searcher.search(index, SearchRequest(text=f"query {query} {WORDS[query % len(WORDS)]}")).hits
        assert hits[0].id == f"right{query}"
    again = tune(searcher, index, file)
    assert (again.before, again.written) == (done.after, False)


def test_clicks_lead_to_the_same(searcher: Searcher, index: str, tmp_path: Path) -> None:
    """Readers pass over what pictures brought to the top; a record that has gone since is left out."""
    lines = []
    for query in range(QUERIES):
        shown = [f"wrong{query}-{number}" for number in range(3)] + ["gone", f"right{query}", f"wrong{query}-9"]
        lines.append({"query": f"query {query} {WORDS[query % len(WORDS)]}", "shown": shown, "clicked": shown[4:5]})
    lines.append({"query": "red house", "shown": ["other1", "other2"], "clicked": ["other1"]})
    done = tune(searcher, index, written(tmp_path, lines))
    assert (done.written, done.queries, done.silent, done.gone) == (True, QUERIES, 1, QUERIES)
    assert done.before < done.after == 1.0
    assert done.fitted.parts[1] < 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            [{"query": "cat", "record": "right1", "grade": 1}, {"query": "cat", "record": "b9", "grade": 0}],
            r"index test-tune has no record 'b9' \(line 26\); take these judgments out, or mend the ids",
        ),
        (
            [{"query": {"image": "cover.jpg"}, "record": "right1", "grade": 1}],
            r"line 25: .*cover.jpg is no picture file; give a file or an http\(s\) URL",
        ),
        (
            [{"query": {"like": "b9"}, "record": "right1", "grade": 1}],
            r"line 25: index test-tune has no record 'b9'; give the id of one that it holds",
        ),
    ],
)
def test_what_cannot_be_asked_is_named_by_its_line(
    searcher: Searcher, index: str, tmp_path: Path, more: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        tune(searcher, index, written(tmp_path, judgments() + more))


def test_too_few_queries_are_refused(searcher: Searcher, index: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^3 queries can be judged by; expected at least 10, so"):
        tune(searcher, index, written(tmp_path, judgments()[:6]))


def test_only_requests_of_the_administrator_s_role_are_sent(
    recorded: Recorded, searcher: Searcher, index: str, tmp_path: Path
) -> None:
    done = tune(replace(searcher, cluster=recorded), index, written(tmp_path, judgments()))
    assert done.written
    assert permissions.missing("attach", recorded.sent) == set()


def test_the_command(services: Services, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bundle as it ships, and queries by record: nothing is encoded."""
    shipped = next(card for card in catalogue.known() if card.bits == 64)
    rng = random.Random(8)
    lines, told = [], []
    for query in range(10):
        text, image = random_code(f"text {query}"), random_code(f"image {query}")
        records = {
            f"asked{query}": StoredCodes(text, ((0, image),)),
            f"right{query}": StoredCodes(flipped(text, 0.1, rng), ()),
            **{f"wrong{query}-{n}": StoredCodes(None, ((0, flipped(image, 0.02, rng)),)) for n in range(15)},
        }
        for record, codes in records.items():
            lines += [msgspec.json.encode({"index": {"_id": record}})]
            lines += [msgspec.json.encode({"title": "a", "crosshatch": {SPACE: codes.members()}})]
        told.append({"query": {"like": f"asked{query}"}, "record": f"right{query}", "grade": 1})
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", services.url)
    file = written(tmp_path, told)
    with coded_index(cluster, "test-tuned", SPACE, shipped, {"title": {"type": "text"}}, lines):
        ran = CliRunner().invoke(cli, ["tune-weights", "test-tuned", "--judgments", str(file), "--dry-run", "--json"])
        assert ran.exception is None, ran.exception
        tried = json.loads(ran.stdout)
        assert (tried["queries"], tried["rises"], tried["written"]) == (10, True, False)
        assert tried["now"] == {**STATED, "part_weights": {"text": 1.0, "image": 1.0, "record": 1.0}}
        assert tried["before"] < tried["after"] <= 1
        shown = CliRunner().invoke(cli, ["tune-weights", "test-tuned", "--judgments", str(file)])
        assert "written: searches use these weights now" in shown.stdout
        assert f"{tried['after']:.4f}" in shown.stdout
        assert weights.listed(state.attached(cluster, "test-tuned"))["part_weights"] == tried["fitted"]["part_weights"]


def test_the_page_s_examples_are_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text("utf-8")
    lines = [line.strip().encode() for line in page.splitlines() if line.strip().startswith('{"query"')]
    known = judged(lines, "tuning.md")
    assert len(lines) == 5
    assert {topic.clicked for topic in known.topics} == {True, False}
