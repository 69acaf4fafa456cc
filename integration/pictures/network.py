"""Connections for pictures: only to checked addresses, and only until a deadline."""

import ssl
import time
from collections.abc import Iterable

import httpcore

from integration.pictures.hosts import HostRules


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to the addresses that `HostRules` checked, so that no second look-up can lead elsewhere.

    The host's name still goes into the Host header, SNI and the certificate's check, which httpcore does above this.
    """

    def __init__(self, rules: HostRules) -> None:
        self._rules = rules
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers; `timeout` is a deadline, as in `CheckedStream`."""
        deadline = time.monotonic() if timeout is None else timeout
        addresses = self._rules.addresses(host.rstrip("."), port, deadline)
        for last, address in enumerate(addresses, start=1 - len(addresses)):
            try:
                stream = self._network.connect_tcp(address, port, _left(deadline), local_address, socket_options)
            except httpcore.ConnectError:
                if last == 0:
                    raise
            else:
                return CheckedStream(stream)
        raise httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        """Refused: pictures come over TCP. Raises httpcore.ConnectError."""
        raise httpcore.ConnectError("pictures are not read from local sockets")


class CheckedStream(httpcore.NetworkStream):
    """A stream whose time limits are moments of `time.monotonic`, not seconds from now.

    A limit in seconds starts anew with every byte, so that a server which drips one a second, in its headers say,
    would never be given up.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes before the deadline `timeout`."""
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all bytes before the deadline `timeout`."""
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shake hands before the deadline `timeout`."""
        return CheckedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> object:
        """What the stream below says."""
        return self._stream.get_extra_info(info)


def _left(deadline: float | None) -> float | None:
    """Seconds until the deadline. Raises httpcore.ReadTimeout when it is over."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("time is over")
    return left
