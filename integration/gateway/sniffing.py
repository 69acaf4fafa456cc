"""Clients that ask the cluster for its nodes (sniffing) are told the gateway's address for each, and stay with it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from integration.gateway import bodies, framing
from integration.gateway.exchange import Answer, Exchange
from integration.gateway.trees import Unreadable

MOST = 50_000_000  # bytes of an answer about nodes that is read
MEMBERS = 5_000_000  # values in it


@dataclass(frozen=True, slots=True)
class Sniffing:
    """A `Handler`. `address`: what clients are told; None: the host that they asked. `secure`: they speak TLS here."""

    address: str | None = None
    secure: bool = False
    kinds: Collection[str] = ("nodes_http",)

    async def handle(self, exchange: Exchange) -> bool:
        """Answer what holds addresses; an answer in another form (YAML) passes as it is."""
        address = self.address or self._asked(exchange)
        if address is None:
            return False
        plain = framing.without(exchange.headers, b"accept-encoding")
        answer = await exchange.pass_on(headers=plain)
        if answer.status != 200 or bodies.form_of(answer.headers) is None:
            await answer.relay()
            return True
        raw = await answer.whole(MOST)
        await exchange.respond(answer.status, answer.headers, _rewritten(raw, answer, address))
        return True

    def _asked(self, exchange: Exchange) -> str | None:
        host = framing.first(exchange.headers, b"host")
        if not host:
            return None
        name = host.decode("latin-1")
        has_port = ":" in name.rpartition("]")[2]
        return name if has_port else f"{name}:{443 if self.secure else 80}"


def _rewritten(raw: bytes, answer: Answer, address: str) -> bytes:
    body = bodies.decode(raw, answer.headers, limit=MOST, members=MEMBERS)
    nodes = body.tree.get("nodes") if body is not None and isinstance(body.tree, dict) else None
    if body is None or not isinstance(nodes, dict):
        return raw
    if not sum(_readdressed(node, address) for node in nodes.values()):
        return raw
    try:
        return body.encode(body.tree)
    except Unreadable:
        return raw


def _readdressed(node: Any, address: str) -> bool:
    """Put the address where a node tells its own; whether it did."""
    section = node.get("http") if isinstance(node, dict) else None
    if not isinstance(section, dict) or not section.keys() & {"publish_address", "bound_address"}:
        return False
    new = {"publish_address": address, "bound_address": [address]}
    section.update({name: value for name, value in new.items() if name in section})
    return True
