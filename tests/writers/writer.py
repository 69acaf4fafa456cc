"""What all writers have in common: a thread that sends bulk requests until stopped, tries again, and keeps the truth.

Nothing of the project's own client is used: a writer is somebody else. It tells apart what it would have met without
us as well (an engine that is away, busy or blocked: it sends again) and what it would not (everything else: an error).
"""

import json
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from tests.writers.truth import Held, Place, Truth

BUSY = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Action:
    """One line of a bulk request: `body` is None for a delete; `guard` stands beside the id."""

    index: str
    id: str
    body: bytes | Mapping[str, Any] | None
    guard: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where the record lies."""
        return self.index, self.id

    @property
    def line(self) -> dict[str, Any]:
        """The metadata of a bulk request."""
        return {"delete" if self.body is None else "index": {"_index": self.index, "_id": self.id, **self.guard}}


class Writer(ABC):
    """A library system. `build` makes its index and fills it; `start` changes records until `stop`.

    The methods may be called from any thread; requests go out one after the other.
    """

    batch = 50

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.truth = Truth()
        self._rng = random.Random(seed)
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._turns = threading.Lock()  # between two batches somebody may ask for something else
        self._stopping = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._rate: float | None = None

    @abstractmethod
    def build(self) -> Self:
        """Make the index or indexes and write every record."""

    @abstractmethod
    def turn(self, number: int) -> Sequence[Action]:
        """The next changes, about so many, to different records."""

    def wire(self, actions: Sequence[Action]) -> tuple[str, bytes, dict[str, str]]:
        """Path, body and headers of a bulk request."""
        lines = [line for action in actions for line in (json.dumps(action.line).encode(), action.body) if line]
        assert all(isinstance(line, bytes) for line in lines)
        return "/_bulk", b"".join(bytes(line) + b"\n" for line in lines), {"content-type": "application/x-ndjson"}

    def start(self, rate: float | None = None) -> Self:
        """Begin; `rate` is in records a second, None as fast as it goes."""
        self._rate = rate
        self._thread.start()
        return self

    def stop(self, timeout: float = 120) -> Truth:
        """End after the request in hand. One that finds no engine for `timeout` seconds is given up, and is `open`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
            self._given_up.set()
            self._thread.join()
        self._http.close()
        return self.truth

    def send(self, actions: Sequence[Action]) -> None:
        """Write in bulk, again and again until each is confirmed or refused."""
        for start in range(0, len(actions), 500):
            self._settle(actions[start : start + 500])

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> int:
        """A request beside the bulk ones: its status; what is refused is an error."""
        tries = 0
        while True:
            answer = self._attempt(lambda: self._http.request(method, path, json=body))
            if answer is not None:
                if answer.status_code >= 300 and not (tries and answer.status_code in (400, 404)):  # done by a lost try
                    self.truth.errors.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                return answer.status_code
            tries += 1
            self._pause(tries)

    def _run(self) -> None:
        begun, sent = time.monotonic(), 0
        size = self.batch if self._rate is None else max(1, min(self.batch, round(self._rate / 4)))
        try:
            while not self._stopping.is_set():
                with self._turns:
                    actions = self.turn(size)
                    self.send(actions)
                sent += len(actions)
                due = begun + sent / self._rate if self._rate else 0.0
                self._stopping.wait(max(0.001, due - time.monotonic()))
        except Exception as error:
            self.truth.errors.append(f"the writer broke down: {error!r}")
            raise

    def _settle(self, actions: Sequence[Action]) -> None:
        waiting, tries = list(actions), 0
        self.truth.open.update(action.place for action in waiting)
        while waiting:
            path, body, headers = self.wire(waiting)
            answer = self._attempt(lambda p=path, b=body, h=headers: self._http.post(p, content=b, headers=h))
            if answer is not None and answer.status_code >= 300:
                self.truth.errors.append(f"bulk: {answer.status_code} {answer.text[:300]}")
                self.truth.open.difference_update(action.place for action in waiting)
                return
            if answer is not None:
                items = [next(iter(item.values())) for item in answer.json()["items"]]
                judged = zip(waiting, items, strict=True)
                waiting = [action for action, item in judged if not self._is_settled(action, item, first=not tries)]
            tries += 1
            if waiting:
                if self._given_up.is_set():
                    return
                self._pause(tries)

    def _attempt(self, send: Any) -> httpx.Response | None:
        """The answer; None where the engine is away or too busy."""
        try:
            answer: httpx.Response = send()
        except httpx.TransportError:
            self.truth.counts["away"] += 1
            return None
        if answer.status_code in BUSY or "cluster_block_exception" in answer.text[:300]:
            self.truth.counts["busy" if answer.status_code in BUSY else "blocked"] += 1
            return None
        return answer

    def _is_settled(self, action: Action, item: Mapping[str, Any], *, first: bool) -> bool:
        """Note what became of one action; False where it is to be sent again."""
        truth, status, error = self.truth, item["status"], item.get("error") or {}
        if status in BUSY or error.get("type") == "cluster_block_exception":
            truth.counts["busy" if status in BUSY else "blocked"] += 1
            return False
        truth.open.discard(action.place)
        if status >= 300 and item.get("result") != "not_found":
            said = f"{status} {error.get('type')}: {error.get('reason')}"
            truth.errors.append(f"{action.index}/{action.id}: {said}")
            return True
        before = truth.held.get(action.place)
        if first:  # a second try finds what the first one did
            was = before is not None and before.body is not None
            truth.counts["missed"] += was and item["result"] in ("created", "not_found")
            truth.counts["found"] += not was and item["result"] in ("updated", "deleted")
        truth.held[action.place] = Held(action.body, action.guard.get("version"))
        truth.counts[item["result"]] += 1
        return True

    def _pause(self, tries: int) -> None:
        self._given_up.wait(min(0.05 * 2**tries, 1.0))
