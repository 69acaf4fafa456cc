"""Which machines a picture may come from. Names are resolved here, and what was checked is what is connected to."""

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mappings.errors import RecordError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# 6to4, Teredo, local NAT64 and site-local addresses lead to networks that their own bits choose: nobody's public host.
_TUNNELS = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "64:ff9b:1::/48", "fec0::/10")))


def addresses_of(host: str, port: int) -> list[str]:
    """Ask the system's resolver. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Whether an address is of the public internet: not private, loopback, link-local, shared, multicast or reserved.

    IPv6 that carries an IPv4 address counts as that one; tunnels that can lead anywhere are not public.
    """
    address = _plain(text)
    if isinstance(address, ipaddress.IPv6Address) and any(address in tunnel for tunnel in _TUNNELS):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _plain(text: str) -> Address:
    """The address that packets go to: IPv4 out of mapped and NAT64 addresses. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class HostRules:
    """`CROSSHATCH_PICTURE_HOSTS`: where it lists hosts, only they are asked, private ones too; else any public one.

    An entry is `host`, `host:port`, `[ipv6]:port` or `*.domain` (its subdomains), each with or without a port.
    """

    listed: tuple[str, ...] = ()
    resolve: Resolver = addresses_of

    def permits(self, host: str, port: int) -> bool:
        """Whether pictures may be asked for there at all, before any name is resolved."""
        return not self.listed or self._lists(host, port)

    def addresses(self, host: str, port: int, deadline: float) -> list[str]:
        """The checked addresses of `host`, to connect to as they are; `deadline` is in seconds of `time.monotonic`.

        Raises RecordError: `picture-forbidden` where the host is not permitted or ONE of its addresses is not public
        (a listed host may be private, but not link-local: cloud machines keep their secrets there),
        `picture-missing` where there is no such name, `picture-timeout` where the resolver does not answer.
        """
        if not self.permits(host, port):
            raise RecordError("picture-forbidden", f"{host}:{port} is not in CROSSHATCH_PICTURE_HOSTS; add it there")
        found = self._resolved(host, port, deadline)
        for text in found:
            if not self._may_connect(text, host):
                hint = "" if self.listed else "; if it may be asked, list it in CROSSHATCH_PICTURE_HOSTS"
                raise RecordError("picture-forbidden", f"{host} is at {text}, which is no public address{hint}")
        return found

    def _lists(self, host: str, port: int) -> bool:
        return any(_matches(entry.strip().lower(), host, port) for entry in self.listed)

    def _may_connect(self, text: str, host: str) -> bool:
        try:
            address = _plain(text)
        except ValueError:
            return False
        if not self.listed:
            return is_public(text)
        return text == host or not (address.is_link_local or address.is_multicast or address.is_unspecified)

    def _resolved(self, host: str, port: int, deadline: float) -> list[str]:
        """Resolve in a thread of its own, since the system's resolver has no time limit."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self.resolve(host, port))
            except Exception as error:  # handed to the caller below
                answers.put(error)

        threading.Thread(target=ask, daemon=True, name="crosshatch-resolver").start()
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty as error:
            raise RecordError("picture-timeout", f"no address for {host} came in time") from error
        if isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN:
            raise RecordError("picture-timeout", f"the name service does not answer for {host}; try again") from answer
        if isinstance(answer, Exception):  # no such name, or one that no name can be (UnicodeError)
            raise RecordError("picture-missing", f"there is no host {host}") from answer
        if not answer:
            raise RecordError("picture-missing", f"{host} has no address")
        return list(answer)


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether one entry of the setting means this host and port."""
    name, colon, its_port = entry.rpartition(":")
    if (
        not colon or not its_port.isdigit() or (":" in name and not name.endswith("]"))
    ):  # no port, or a bare IPv6 address
        name, its_port = entry, str(port)
    name = name.strip("[]")
    if its_port != str(port):
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name
