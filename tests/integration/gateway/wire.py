"""A client on a plain socket, which sends what no library would."""

import json
import socket
import time
from typing import Any

from tests.integration.gateway.node import length


def opened(port: int, *, seconds: float = 10.0) -> socket.socket:
    """A connection to the gateway."""
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def exchanged(port: int, *pieces: bytes, answers: int = 1) -> bytes:
    """Send the pieces; return what comes: so many whole answers, and whatever else is there by then."""
    with opened(port) as connection:
        for piece in pieces:
            connection.sendall(piece)
        got = b""
        while not _whole(got, answers) and (piece := connection.recv(65536)):
            got += piece
        return got


def _whole(got: bytes, answers: int) -> bool:
    for _ in range(answers):
        size = length(got)
        if size is None or len(got) < size:
            return False
        got = got[size:]
    return True


def rest(connection: socket.socket, *, quiet: float = 0.5) -> bytes:
    """Everything that comes until the end, or until nothing came for `quiet` seconds."""
    connection.settimeout(quiet)
    got = b""
    while True:
        try:
            piece = connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            return got
        if not piece:
            return got
        got += piece


def is_closed(connection: socket.socket, *, seconds: float = 5.0) -> bool:
    """Whether the gateway closes within this time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def error(answer: bytes) -> tuple[int, Any]:
    """Status and the `error` of an answer in OpenSearch's form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    told = json.loads(body)
    status = int(head.split()[1])
    assert told["status"] == status
    assert told["error"]["root_cause"] == [{name: told["error"][name] for name in ("type", "reason")}]
    return status, told["error"]


def until(reached: Any, *, seconds: float = 5.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)
