"""A bad network in front of the engine, for whoever is sent through it: slow, cut off under way, or answered 429.

It speaks just enough HTTP/1.1 to see a request's beginning and end. A proxy that only passes bytes (toxiproxy, say)
could not refuse a share of the bulk requests, and needs a Go compiler on the machine; this needs nothing.
"""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from integration.engine.redis_server import free_port

_LENGTH = b"content-length:"
_BODY = b'{"error":{"type":"circuit_breaking_exception","reason":"a fault of the test"},"status":429}'
_BUSY = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
_PIECE = 65536


@dataclass
class Weather:
    """What befalls a request: shares of all, of 1, that are cut off, and of bulk requests that are refused.

    `delay` in seconds before each request goes on; `rate` in bytes a second of each answer, 0 for no limit.
    """

    refused: float = 0.0
    cut: float = 0.0
    delay: float = 0.0
    rate: float = 0.0


class Proxy:
    """Listens on a free loopback port from `start` to `stop`; `weather` may be changed at any time."""

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self._port = int(url.rpartition(":")[2])
        self._rng = Random(seed)
        self._here = free_port()
        self._server: asyncio.Server | None = None
        self.url = f"http://127.0.0.1:{self._here}"
        self.weather = Weather()
        self.refused = self.cut = 0

    def start(self) -> None:
        """Listen."""
        self._loop = asyncio.new_event_loop()
        listening = threading.Event()

        async def serve() -> None:
            self._server = await asyncio.start_server(self._connection, "127.0.0.1", self._here)
            listening.set()

        def run() -> None:
            self._loop.run_until_complete(serve())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, name="fault-proxy", daemon=True)
        self._thread.start()
        listening.wait(10)

    def stop(self) -> None:
        """Close every connection."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, until either side ends it or the weather does."""
        with suppress(OSError, asyncio.IncompleteReadError):
            there, here = await asyncio.open_connection("127.0.0.1", self._port)
            cut = asyncio.Event()
            answers = asyncio.create_task(self._answers(there, writer, cut))
            try:
                while not cut.is_set():
                    await self._request(reader, here, writer, cut)
            finally:
                await asyncio.sleep(0.2 if cut.is_set() else 0)  # let the engine do what it was asked in full
                answers.cancel()
                here.close()
                writer.close()

    async def _request(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        cut: asyncio.Event,
    ) -> None:
        """Read one request and pass it on, or not, or half of it, or all of it and no answer."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH)), 0)
        body = await reader.readexactly(length)
        weather = self.weather
        await asyncio.sleep(weather.delay)
        if b"/_bulk" in lines[0] and self._rng.random() < weather.refused:
            self.refused += 1
            back.write(_BUSY)
            return
        if self._rng.random() < weather.cut:
            self.cut += 1
            whole = self._rng.random() < 0.5
            cut.set()
            there.write(head + (body if whole else body[: length // 2]))
        else:
            there.write(head + body)
        await there.drain()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        """Pass answers back; of one that is cut off, nothing or a few bytes."""
        with suppress(OSError):
            while data := await there.read(_PIECE):
                if cut.is_set():
                    writer.write(data[: self._rng.choice((0, 20, len(data) // 2))])
                    break
                rate = self.weather.rate
                if rate:
                    await asyncio.sleep(len(data) / rate)
                writer.write(data)
                await writer.drain()
        writer.close()
