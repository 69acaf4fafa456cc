"""How long ways take, one after the other on the same queries, and how many answers they give a second."""

import multiprocessing
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from multiprocessing.connection import Connection
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.bench.search.collection import Query
from tests.bench.search.ways import OUTSIDE, Way

WARM, WARM_SECONDS = 150, 2.0  # searches of each way that are not counted, or as many as fit into the seconds
console = Console(stderr=True)


@dataclass(slots=True)
class Answers:
    """Of one way, query by query: milliseconds, and the records that it found."""

    ms: list[float] = field(default_factory=list)
    found: list[Sequence[int]] = field(default_factory=list)


def interleaved(ways: Sequence[Way], queries: Sequence[Query], size: int, *, warm: int = WARM) -> dict[str, Answers]:
    """Ask every query of each way, the ways in another order each round; whatever else the machine does hits them all.

    Each way is asked `warm` times before, or for WARM_SECONDS, so that caches and compilers are warm.
    """
    rng = random.Random(size)
    answers = {way.name: Answers() for way in ways}
    order = list(ways)
    for way in track(ways, "warm", console=console):
        _warmed(way, islice(cycle(queries), warm), size)
    for query in track(queries, f"best {size}", console=console):
        rng.shuffle(order)
        for way in order:
            began = time.perf_counter()
            found = way.ask(query, size)
            answers[way.name].ms.append((time.perf_counter() - began) * 1000)
            answers[way.name].found.append(found)
    return answers


def _warmed(way: Way, queries: Iterable[Query], size: int) -> None:
    began = time.perf_counter()
    for query in queries:
        way.ask(query, size)
        if time.perf_counter() - began > WARM_SECONDS:
            return


@dataclass(frozen=True, slots=True)
class Load:
    """What so many clients at once got: answers a second, and milliseconds of each answer."""

    per_second: float
    ms: tuple[float, ...]


class Clients:
    """Processes that search as fast as they are answered, started once for all ways."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes

    def load(self, way: Way, queries: Sequence[Query], *, clients: int, seconds: float) -> Load:
        """So many clients at once: processes, or threads for what lies in this one's memory."""
        if way.where == OUTSIDE:
            return _sum(_by_threads(way, queries, clients, seconds))
        pipes = self._pipes[:clients]
        for number, pipe in enumerate(pipes):
            pipe.send((way, _shifted(queries, number, clients), seconds))
        _all(pipes)  # each has its connection now
        for pipe in pipes:
            pipe.send("go")
        return _sum(_all(pipes))


@contextmanager
def clients(count: int) -> Iterator[Clients]:
    """So many processes, for the length of a `with` block."""
    context = multiprocessing.get_context("spawn")  # a fork would take the threads' locks of Faiss along
    pairs = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_client, args=(theirs,), daemon=True) for _, theirs in pairs]
    for process in processes:
        process.start()
    try:
        yield Clients([ours for ours, _ in pairs])
    finally:
        for ours, _ in pairs:
            ours.close()
        for process in processes:
            process.join(10)
            process.kill()


def _client(pipe: Connection) -> None:
    """What each process does until its parent closes the pipe."""
    while True:
        try:
            way, queries, seconds = pipe.recv()
            for query in queries[:3]:
                way.ask(query, 10)
            pipe.send(None)
            pipe.recv()
            pipe.send(_alone(way, queries, seconds))
        except EOFError:
            return
        except Exception as error:  # whatever it is, the parent is to say it, and not to wait for ever
            pipe.send(RuntimeError(f"a client failed: {type(error).__name__}: {error}"))


def _all(pipes: Sequence[Connection]) -> list[Any]:
    said = [pipe.recv() for pipe in pipes]
    for one in said:
        if isinstance(one, Exception):
            raise one
    return said


def _by_threads(way: Way, queries: Sequence[Query], clients: int, seconds: float) -> list[Load]:
    loads: list[Load] = []
    threads = [
        threading.Thread(target=lambda own: loads.append(_alone(way, own, seconds)), args=(shifted,))
        for shifted in (_shifted(queries, number, clients) for number in range(clients))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(loads) < clients:
        raise RuntimeError(f"{way.name}: {clients - len(loads)} of {clients} clients failed; see above")
    return loads


def _alone(way: Way, queries: Sequence[Query], seconds: float) -> Load:
    """What one client gets: it asks again as soon as it is answered."""
    began = last = time.perf_counter()
    ms: list[float] = []
    while last - began < seconds:
        way.ask(queries[len(ms) % len(queries)], 10)
        now = time.perf_counter()
        ms.append((now - last) * 1000)
        last = now
    return Load(len(ms) / (last - began), tuple(ms))


def _sum(loads: Sequence[Load]) -> Load:
    return Load(sum(one.per_second for one in loads), tuple(took for one in loads for took in one.ms))


def _shifted(queries: Sequence[Query], number: int, clients: int) -> list[Query]:
    """The same queries, begun at another place by each client."""
    at = number * len(queries) // clients
    return [*queries[at:], *queries[:at]]
