"""A clause in a document: where a percolator would store it as its query, the caller is told in our words where.

Only the index's mapping knows which fields of a document hold queries, so the engine is asked first, by the write
itself: a field that is called `crosshatch` and holds none is written as ever.
"""

from integration.gateway import bodies
from integration.gateway.clause import read
from integration.gateway.exchange import Answer, Exchange
from integration.gateway.positions import NAME, STORED, find
from integration.gateway.refusals import JSON, refusal
from mappings.errors import RequestError

MOST = 256_000  # bytes of a document that is looked at; stored queries are small
MOST_ANSWER = 64_000
_UNKNOWN = f"unknown query [{NAME}]".encode()


async def document(exchange: Exchange) -> bodies.Body | None:
    """The document that a request writes, before it is passed on; None where it cannot hold a clause."""
    if exchange.call.kind not in STORED:
        return None
    raw = await exchange.body(MOST)
    found = bodies.unpacked(raw, exchange.headers) if raw else None
    if raw is None or found is None or not bodies.may_say(found[0], NAME, found[1].media):
        return None
    return bodies.decode(raw, exchange.headers)


async def refused(exchange: Exchange, answer: Answer, written: bodies.Body) -> bool:
    """Answer where the cluster refused `written` for a clause in it; False: its answer is still to be relayed."""
    told = [value for name, value in answer.headers if name.lower() == b"content-length"]
    if answer.status != 400 or not told or int(told[0]) > MOST_ANSWER:
        return False
    said = await answer.whole(MOST_ANSWER)
    found = bodies.unpacked(said, answer.headers)
    places = find(written.tree, exchange.call.kind)
    if found is None or _UNKNOWN not in found[0] or not places:
        await exchange.respond(answer.status, answer.headers, said)
        return True
    try:
        read(places[0])
    except RequestError as error:
        status, body = refusal(error)
        await exchange.respond(status, JSON, body)
    return True
