"""Writes that pass through are noticed: after the answer is sent, the records' ids go to the workers' queue.

A request only leaves its answer here, bounded; a thread reads it and does the rest. Whatever fails there is tried
again, or left to `update`, which finds every stale record: no write waits for it, none fails with it.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from integration.gateway import percolators, writes
from integration.gateway.calls import Call
from integration.gateway.exchange import Answer, Exchange, Header
from integration.gateway.noticed import Noticed
from mappings.errors import CrosshatchError

MOST_ANSWER = 4_000_000  # bytes of one answer that are kept to be read: some twenty thousand items
MOST_KEPT = 32_000_000  # of all that wait; what finds no room is swept
MOST_WAITING = 10_000  # answers
PAUSE = 0.25  # seconds in which notices gather, so that records written one by one share a job
AGAIN = 5.0  # seconds until what failed is tried again
TELL = 60.0  # seconds between two messages about the same trouble
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    call: Call
    answer: bytes | None
    headers: tuple[Header, ...]


class _Copy:
    """A bounded copy of an answer that streams by."""

    def __init__(self, room: int) -> None:
        self._room, self._parts, self._size = room, list[bytes](), 0

    def watch(self, chunk: bytes) -> None:
        """Keep a piece, or let go of everything where there are too many."""
        self._size += len(chunk)
        if self._size <= self._room:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    @property
    def whole(self) -> bytes | None:
        """The answer; None where it was too large."""
        return b"".join(self._parts) if self._size <= self._room else None


class Notices:
    """The handler of writes. `start` begins the thread that works them off, `stop` ends it."""

    def __init__(self, noticed: Noticed) -> None:
        self._noticed = noticed
        self._waiting: queue.Queue[_Kept] = queue.Queue(MOST_WAITING)
        self._bytes = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._trouble = (-TELL, "")
        self.counts: Counter[str] = noticed.counts

    @property
    def kinds(self) -> Collection[str]:
        """What writes."""
        return writes.KINDS

    async def handle(self, exchange: Exchange) -> bool:
        """Pass a write on, and keep a copy of its answer where it succeeded."""
        if writes.is_ours(exchange.call):
            return False
        document = await percolators.document(exchange)
        answer = await exchange.pass_on()
        if not 200 <= answer.status < 300:
            if document is None or not await percolators.refused(exchange, answer, document):
                await answer.relay()
            return True
        copy = _Copy(MOST_ANSWER if writes.says(exchange.call) else 0)
        exchange.after(lambda: self._keep(exchange.call, answer, copy))
        await answer.relay(copy.watch)
        return True

    def start(self) -> None:
        """Begin to work notices off."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End; what is not sent yet is left to `update`."""
        self._end.set()
        self._thread.join(seconds)

    def _keep(self, call: Call, answer: Answer, copy: _Copy) -> None:
        whole = copy.whole
        with self._lock:
            if whole is not None and self._bytes + len(whole) > MOST_KEPT:
                whole = None
            self._bytes += len(whole or b"")
        try:
            self._waiting.put_nowait(_Kept(call, whole, tuple(answer.headers)))
        except queue.Full:
            self.counts["lost"] += 1
            self._release(whole)

    def _release(self, whole: bytes | None) -> None:
        with self._lock:
            self._bytes -= len(whole or b"")

    def _run(self) -> None:
        pause = PAUSE
        while not self._end.wait(pause):
            pause = PAUSE
            try:
                self._take()
                self._noticed.step()
            except CrosshatchError as error:
                pause = AGAIN
                self._tell(str(error))
            except Exception:  # one strange answer must not end the noticing of all others
                pause = AGAIN
                _log.exception("a write that passed through could not be noticed; `crosshatch update` finds it")

    def _take(self) -> None:
        while self._noticed.room:
            try:
                kept = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._release(kept.answer)
            self._noticed.add(writes.written(kept.call, kept.answer, kept.headers))

    def _tell(self, message: str) -> None:
        now = time.monotonic()
        if self._trouble[1] != message or now - self._trouble[0] > TELL:
            self._trouble = (now, message)
            _log.warning("noticing writes waits: %s", message)
