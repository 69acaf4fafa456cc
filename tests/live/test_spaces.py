"""Two encoders side by side in one index: add, fill, activate, roll back, drop; and no search ever mixes them."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from encoders.api import BundleCard, Codes, Item
from integration import attach as attaching
from integration import problems, scan, spaces, state
from integration.cli import cli
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.engine.services import Services
from integration.jobs import Job
from integration.queries import QueryCodes
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import AttachRefused, DataError, RequestError
from mappings.fields import StoredCodes, field_name
from tests.live.fakes import FakeEncoder, NoWatch

LONG = BundleCard("long", 128, "aa" * 32, ("text", "image", "record"), {}, "long")
STEPS = tuple(1 - (d / 64) ** 2 for d in range(65))
SHORT = BundleCard("short", 64, "bb" * 32, ("text", "image", "record"), {"text-text": STEPS}, "short")
CARDS = {"long": LONG, "short": SHORT}
MAPPING = {"mappings": {"dynamic": "strict", "properties": {"title": {"type": "text"}, "call": {"type": "keyword"}}}}
TITLES = {f"r{number}": f"title number {number}" for number in range(12)}


class Fake(FakeEncoder):
    """Codes are digests of encoder and text, as long as the card says."""

    def __init__(self, card: BundleCard) -> None:
        super().__init__()
        self.card = card

    def encode(self, items: Any) -> list[Codes]:
        """One result an item."""
        return [Codes(text_code(self.card, item.text)) if item.text else Codes() for item in items]


def text_code(card: BundleCard, text: str) -> HashCode:
    """The code of a text by one of the two encoders."""
    return HashCode(card.bits, hashlib.sha256(f"{card.digest} {text}".encode()).digest()[: card.bits // 8])


@pytest.fixture(params=["internal", "external"])
def known(
    request: pytest.FixtureRequest, cluster: Cluster, index: Callable[..., str], tmp_path: Path
) -> state.Attached:
    """An attached index of twelve records, encoded with LONG, with a space for SHORT that is empty yet."""
    file = tmp_path / "test.yaml"
    file.write_text(f"name: test\nversioning: {request.param}\ntext: [title]\ntitle: title\n")
    name = index(MAPPING)
    attached = attaching.attach(cluster, attaching.plan(cluster, name, str(file), LONG))
    for record, title in TITLES.items():
        put(cluster, name, record, title)
    fill(cluster, attached, LONG)
    assert spaces.add(cluster, attached, SHORT) == "short_bbbbbbbb"
    return state.attached(cluster, name)


def put(cluster: Cluster, name: str, record: str, title: str) -> None:
    """Write a document as a catalogue does, whole, with a number that a JSON round trip would change."""
    body = f'{{"title": "{title}", "call": 813.50}}'.encode()
    cluster.request("PUT", f"/{name}/_doc/{record}", params={"refresh": "true"}, body=body)


def fill(cluster: Cluster, attached: state.Attached, card: BundleCard) -> None:
    """What `reindex --space` does, in one job."""
    seen = attached.in_space(card.space)
    keys = tuple(one.key for one in scan.judged(cluster, seen) if one.verdict == "stale")
    job = Job(f"fill {card.name}", seen.index, seen.uuid, seen.space, keys)
    BatchEncoding(job, seen, cluster, lambda: Fake(card), Settings()).run(NoWatch())
    cluster.request("POST", f"/{seen.index}/_refresh")


def in_document(cluster: Cluster, known: state.Attached, record: str) -> dict[str, Any]:
    """Our object in a document."""
    found: dict[str, Any] = json.loads(cluster.raw("GET", f"/{known.index}/_source/{part(record)}"))["crosshatch"]
    return found


def test_a_new_encoder_is_filled_activated_rolled_back_and_dropped(cluster: Cluster, known: state.Attached) -> None:
    """The whole migration; the first codes stay beside the second until they are dropped, then not a byte of them."""
    long, short = LONG.space, SHORT.space
    with pytest.raises(DataError, match=f"12 documents .* none in {short}: .*reindex {known.index} --space {short}"):
        spaces.activate(cluster, known, short)
    assert state.attached(cluster, known.index).space == long
    fill(cluster, known, SHORT)
    for record, title in TITLES.items():
        both = in_document(cluster, known, record)
        assert StoredCodes.read(both[long], 128).text == text_code(LONG, title)
        assert StoredCodes.read(both[short], 64).text == text_code(SHORT, title)
    assert spaces.activate(cluster, known).before == long
    after = state.attached(cluster, known.index)
    assert (after.space, after.bundle.digest, set(after.spaces)) == (short, SHORT.digest, {long, short})
    put(cluster, known.index, "new", "written since")
    fill(cluster, after, SHORT)
    back = spaces.activate(cluster, after, long)  # a rollback waits for no encoder
    assert (back.space, back.lack) == (long, 1)
    spaces.activate(cluster, state.attached(cluster, known.index), short)
    after = state.attached(cluster, known.index)
    with pytest.raises(RequestError, match="active space"):
        spaces.drop(cluster, after, short)
    dropped = spaces.drop(cluster, after, long, codes=True)
    assert (dropped.changed, dropped.codes) == (12, 12)
    for record, title in {**TITLES, "new": "written since"}.items():
        assert set(in_document(cluster, known, record)) == {short}
        raw = cluster.raw("GET", f"/{known.index}/_source/{record}")
        assert raw.startswith(f'{{"title": "{title}", "call": 813.50,'.encode())
    assert set(state.attached(cluster, known.index).spaces) == {short}
    assert [stand.space for stand in spaces.stands(cluster, state.attached(cluster, known.index))] == [short]


def test_what_is_stopped_in_the_middle_is_finished_by_the_next_run(cluster: Cluster, known: state.Attached) -> None:
    """A drop forgets first and empties then: codes that are left are listed, and a space of that name must wait."""
    fill(cluster, known, SHORT)
    left = {LONG.space: known.spaces[LONG.space]}
    state.save(cluster, replace(known, spaces=left))  # where a drop was killed
    stopped = state.attached(cluster, known.index)
    trouble = problems.Problem("r1", None, "digest", True, {"record": ("no-content", "nothing")})
    problems.update(cluster, known.in_space(SHORT.space), [trouble], [])
    assert [(s.space, s.bundle, s.documents["text"]) for s in spaces.stands(cluster, stopped)] == [
        (LONG.space, known.spaces[LONG.space], 12),
        (SHORT.space, None, 12),
    ]
    with pytest.raises(RequestError, match=f"spaces drop {known.index} {SHORT.space}"):
        spaces.add(cluster, stopped, SHORT)
    assert spaces.drop(cluster, stopped, SHORT.space).changed == 12
    assert not list(problems.every(cluster, known.in_space(SHORT.space)))
    assert spaces.add(cluster, stopped, SHORT) == SHORT.space


def test_a_space_that_does_not_fit_is_refused(cluster: Cluster, known: state.Attached) -> None:
    """The same encoder, a wrong name, a taken name, too many fields; each says what to do, and nothing changes."""
    other = replace(SHORT, digest="cc" * 32)
    with pytest.raises(RequestError, match=f"has encoder short already, in space {SHORT.space}"):
        spaces.add(cluster, known, SHORT, "again")
    with pytest.raises(RequestError, match="'A-B' is no name of a space"):
        spaces.add(cluster, known, other, "A-B")
    with pytest.raises(RequestError, match=f"has a space '{SHORT.space}'"):
        spaces.add(cluster, known, other, SHORT.space)
    cluster.request("PUT", f"/{known.index}/_settings", body={"index.mapping.total_fields.limit": 14})
    with pytest.raises(AttachRefused, match="field-limit: 15 fields"):
        spaces.add(cluster, known, other)
    with pytest.raises(RequestError, match="there are: long_aaaaaaaa, short_bbbbbbbb"):
        spaces.activate(cluster, known, "nowhere")
    with pytest.raises(RequestError, match="changed by another command meanwhile"):
        spaces.activate(cluster, replace(known, version=(0, 1)), SHORT.space, force=True)
    assert state.attached(cluster, known.index) == known


def test_every_search_is_wholly_of_one_encoder(cluster: Cluster, known: state.Attached) -> None:
    """Searches run in threads while the active space flips to and fro: words, both sides, and `like`."""
    fill(cluster, known, SHORT)
    searcher = Searcher(cluster, Settings(), None, lambda reference, **_: CARDS[reference], query_code)
    seen: set[tuple[str, str]] = set()
    wrong: list[str] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            for kind, request in REQUESTS.items():
                body, hits = searched(searcher, known.index, request)
                for card in (LONG, SHORT):
                    if field_name(card.space, "text") in body:
                        seen.add((kind, card.name))
                        wrong.extend(faults(card, request, hits))
                if field_name(LONG.space, "text") in body and field_name(SHORT.space, "text") in body:
                    wrong.append(f"{kind}: two spaces in one request")

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(30):
        now = state.attached(cluster, known.index)
        spaces.activate(cluster, now)
        if turn > 10 and len(seen) == 2 * len(REQUESTS):
            break
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == {(kind, card) for kind in REQUESTS for card in CARDS}


REQUESTS = {
    "words": SearchRequest(text=TITLES["r3"], weight=1.0),
    "both": SearchRequest(text=TITLES["r5"], like="r5"),
    "like": SearchRequest(like="r7"),
}


def query_code(item: Item, bundle: state.Bundle, *_: object) -> QueryCodes:
    """The query's code by the bundle that is asked for."""
    return QueryCodes({"text": text_code(CARDS[bundle.reference], item.text or "")}, "worker")


def searched(searcher: Searcher, index: str, request: SearchRequest) -> tuple[str, list[Any]]:
    """The body that was sent, and the hits."""
    result = searcher.search(index, request)
    return json.dumps([result.plan.fused, result.plan.candidates]), list(result.hits)


def faults(card: BundleCard, request: SearchRequest, hits: list[Any]) -> Iterator[str]:
    """What of the hits does not follow from the codes and the table of `card`."""
    if len(hits) < 10:
        yield f"{len(hits)} hits"
    query = text_code(card, request.text or TITLES[str(request.like)])
    for hit in hits:
        distance = query.distance(text_code(card, TITLES[hit.id]))
        if hit.distance != distance or abs(hit.similarity - card.table("text", "text")[distance]) > 1e-6:
            yield f"{card.name} {hit.id}: {hit.distance} bits, similarity {hit.similarity}; {distance} was right"


def test_the_commands_print_what_they_did(
    cluster: Cluster, known: state.Attached, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """list, add, activate and drop with shipped bundles, as JSON and as text."""
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", services.url)
    spaces.drop(cluster, known, SHORT.space)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["spaces", arguments[0], known.index, *arguments[1:]])

    added = json.loads(run("add", "--encoder", "default-64", "--json").stdout)
    assert added["space"] == f"default_64_{added['digest'][:8]}"
    assert isinstance(run("activate").exception, DataError)
    activated = json.loads(run("activate", "--force", "--json").stdout)
    assert activated == {"index": known.index, "space": added["space"], "before": LONG.space, "lack": 12}
    [active, other] = json.loads(run("list", "--json").stdout)["spaces"]
    assert (active["space"], active["active"], active["name"], active["bits"]) == (
        added["space"], True, "default-64", 64,
    )  # fmt: skip
    assert (other["documents"], other["active"]) == ({"text": 12, "image": 0, "record": 0}, False)
    assert "12 documents" in run("drop", LONG.space).stdout
    assert LONG.space not in run("list").stdout
    assert run("drop", "--json").exception is not None
