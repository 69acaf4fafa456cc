"""Documents that the engine takes and readers of JSON stumble over: none of them stops the others."""

from collections.abc import Callable

from integration import attach as attaching
from integration import state
from integration.engine.client import Cluster
from integration.settings import Settings
from tests.live.fakes import CARD, FakeEncoder
from tests.live.test_writing import PROFILE, encode, put, source

LOOSE = {"mappings": {"properties": {"title": {"type": "text"}, "tag": {"type": "object", "enabled": False}}}}


def test_odd_documents_are_encoded_beside_the_others_and_come_back_as_they_were(
    cluster: Cluster, index: Callable[..., str], settings: Settings
) -> None:
    file = settings.data / "odd.yaml"
    file.write_text(PROFILE.format(versioning="internal"))
    known = attaching.attach(cluster, attaching.plan(cluster, index(LOOSE), str(file), CARD))
    documents = {
        "half": rb'{"title":"half \ud800 a pair","tag":{"x":"\udc00"}}',
        "deep": b'{"title":"deep","tag":{"x":' + b"[" * 990 + b"]" * 990 + b"}}",
        "lists": b'{"title":[["in"],[["lists"]]]}',
        "accents": '{{"title":"a{}"}}'.format("\u0301\u0323" * 50_000).encode(),
        "blank": b" { } ",
        "plain": b'{"title":"plain"}',
    }
    for record, body in documents.items():
        put(cluster, known, record, body)
    counts = encode(cluster, known, settings, FakeEncoder())
    assert (counts.encoded, counts.failed) == (5, {"no-content": 1})
    assert encode(cluster, known, settings, FakeEncoder()).documents == 0
    for record, body in documents.items():
        assert source(cluster, known, record).startswith(body.rstrip(b"} "))
    attaching.detach(cluster, state.attached(cluster, known.index), drop_codes=True)
    for record, body in documents.items():
        assert source(cluster, known, record) == body
