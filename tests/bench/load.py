"""Clients that search as fast as they are answered, in a process of its own: `python -m tests.bench.load PORT`.

Each client is one kept connection with one request on its way, on plain asyncio, so that it costs little beside what
it measures. Prints one JSON object: answers, seconds, processor seconds of this process, p50 and p95.
"""

import argparse
import asyncio
import itertools
import json
import random
import resource
import time
from collections.abc import Iterator

import numpy as np
import uvloop

from tests.bench.search.three_parts import INDEX, words


def requests(host: str, count: int = 1000) -> list[bytes]:
    """Searches for three words each, as they go over the wire."""
    said = words(random.Random(7))
    made = []
    for _ in range(count):
        text = " ".join(itertools.islice(said, 3))
        body = json.dumps({"query": {"match": {"title": text}}, "_source": ["title"]}).encode()
        head = f"POST /{INDEX}/_search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        made.append(head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    return made


class Client(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, asked: Iterator[bytes], took: list[float]) -> None:
        self._asked, self._took = asked, took
        self._got = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Some of an answer."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            if not self._got.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"not found: {head!r}")
            self._took.append(time.perf_counter() - self._began)
            self._got = b""
            self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(next(self._asked))  # type: ignore[attr-defined]


async def load(port: int, clients: int, seconds: float) -> dict[str, float]:
    """So many clients for so long."""
    loop = asyncio.get_running_loop()
    asked, took = itertools.cycle(requests(f"127.0.0.1:{port}")), list[float]()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(clients):
        await loop.create_connection(lambda: Client(asked, took), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    after, lasted = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
    p50, p95 = np.percentile(took, (50, 95)) * 1000
    return {
        "answers": len(took),
        "seconds": round(lasted, 2),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 3),
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
    }


def main() -> None:
    """Load, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    print(json.dumps(uvloop.run(load(asked.port, asked.clients, asked.seconds))))


if __name__ == "__main__":
    main()
