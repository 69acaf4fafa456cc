"""The ASGI application: the first part that wants a request answers it, everything else streams through.

Fail-open: where a part raises, the request goes on to the cluster as it came, unless it went there already.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from integration.gateway import calls, failures, writes
from integration.gateway.exchange import Handler
from integration.gateway.listening import GONE
from integration.gateway.passing import Held, Message, Passage, Receive, Send
from integration.gateway.upstream import Upstream

_log = logging.getLogger(__name__)


class Gateway:
    """The application. `begin` and `end` are called when the server starts and has drained."""

    def __init__(
        self,
        cluster: Upstream,
        handlers: Sequence[Handler],
        *,
        limit: int,
        patience: float,
        begin: Callable[[], Awaitable[None]] | None = None,
        end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._cluster, self._limit, self._patience = cluster, limit, patience
        self._begin, self._end = begin, end
        self._held = Held()
        self._by_kind: dict[str, list[Handler]] = {}
        for handler in handlers:
            for kind in handler.kinds:
                self._by_kind.setdefault(kind, []).append(handler)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            step = self._begin if message["type"] == "lifespan.startup" else self._end
            if step is not None:
                await step()
            if message["type"] == "lifespan.shutdown":
                await self._cluster.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _request(self, scope: Message, receive: Receive, send: Send) -> None:
        call = calls.read(scope["method"], scope["raw_path"], scope["query_string"])
        passage = Passage(
            scope, receive, send, self._cluster, call, limit=self._limit, patience=self._patience, held=self._held
        )
        gone: asyncio.Future[None] | None = scope.get("extensions", {}).get(GONE)
        if gone is None or passage.call.kind in writes.KINDS:  # a write is done, whoever waits for its answer
            await self._handled(passage)
            return
        task = asyncio.current_task()

        def left(_: object) -> None:
            if task is not None:
                task.cancel()

        gone.add_done_callback(left)
        try:
            await self._handled(passage)
        except asyncio.CancelledError:
            if not gone.done():
                raise
        finally:
            gone.remove_done_callback(left)

    async def _handled(self, passage: Passage) -> None:
        """Answer. Where an answer has begun that cannot be ended, the server closes the connection within it."""
        try:
            if not await self._by_a_part(passage):
                await (await passage.pass_on()).relay()
        except failures.GatewayFailure as failure:
            if passage.started:
                _log.warning("%s (%s): an answer broke off: %s", passage.method, passage.call.kind, failure)
            else:
                with suppress(failures.Gone):
                    await passage.respond(failure.status, failures.JSON, failures.body_of(failure))
        except failures.Gone:
            pass
        finally:
            if passage.answer is not None:
                passage.answer.close()
            passage.finish()

    async def _by_a_part(self, passage: Passage) -> bool:
        """Whether a part answered."""
        for handler in self._by_kind.get(passage.call.kind, ()):
            try:
                if await handler.handle(passage):
                    return True
            except (failures.GatewayFailure, failures.Gone):
                raise
            except Exception as error:
                _log.exception("%s failed at a request (%s)", type(handler).__name__, passage.call.kind)
                if passage.started:
                    raise failures.Unforeseen("a part of the gateway failed within its answer") from error
                if passage.answer is not None:
                    await passage.answer.relay()
                    return True
                if passage.call.kind == "own":
                    raise failures.Unforeseen("the endpoint failed; the gateway's log tells where") from error
        return False
