"""A node that does what a test tells it, on a plain socket: what real nodes do only when they break."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Does = Callable[[socket.socket, bytes], None]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def answers(raw: bytes) -> Does:
    """It answers every request so."""
    return lambda connection, _: connection.sendall(raw)


def breaks_off(raw: bytes) -> Does:
    """It sends this, and closes."""

    def does(connection: socket.socket, _: bytes) -> None:
        connection.sendall(raw)
        raise ConnectionAbortedError

    return does


class Node:
    """`requests` are what came, each as its bytes; `broken` those that ended before they were complete."""

    def __init__(self, does: Does, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.does = does
        self.requests: list[bytes] = []
        self.broken: list[bytes] = []
        self.connections = 0
        self._context = context
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """It is gone, with everything that was open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            waiting = b""
            while (found := self._read(connection, waiting)) is not None:
                request, waiting = found
                self.requests.append(request)
                self.does(connection, request)
            connection.close()

    def _read(self, connection: socket.socket, got: bytes) -> tuple[bytes, bytes] | None:
        """A whole request, and what came behind it; None at the end of the connection."""
        while (size := length(got)) is None or len(got) < size:
            try:
                piece = connection.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                if got:
                    self.broken.append(got)
                return None
            got += piece
        return got[:size], got[size:]


def length(got: bytes) -> int | None:
    """Of the first request in `got`; None where that is not known yet."""
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return None
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if b"transfer-encoding" in headers:
        at = 0
        while b"\r\n" in body[at:]:
            size = int(body[at:].split(b"\r\n")[0], 16)
            at = body.index(b"\r\n", at) + 2 + size + 2
            if size == 0:
                return len(head) + 4 + at
        return None
    return len(head) + 4 + int(headers.get(b"content-length", b"0"))


@contextmanager
def node(does: Does, context: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Node]:
    """For the length of a `with` block."""
    made = Node(does, context, port)
    try:
        yield made
    finally:
        made.close()
