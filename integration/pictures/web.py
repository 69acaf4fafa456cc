"""Pictures by URL: a small client whose connections go only to addresses that were checked, and end in time.

The proxies of the environment are not used: the check of addresses would then be the proxy's. Where pictures can only
be had through one, list a reverse proxy in `picture_hosts` and point the cover URLs there.
"""

import functools
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpcore
import httpx

from integration.pictures.hosts import HostRules
from integration.pictures.network import CheckedNetwork
from integration.settings import Settings
from mappings.errors import RecordError

REDIRECTS = 5
CONNECTIONS = 8
HEADERS = {"User-Agent": "crosshatch", "Accept": "image/*", "Accept-Encoding": "identity"}

_MISSING = "picture-missing"
_REASONS = {401: "picture-forbidden", 403: "picture-forbidden", 407: "picture-forbidden", 451: "picture-forbidden"}
_REASONS |= dict.fromkeys((408, 425, 429, 500, 502, 503, 504), "picture-timeout")  # the server may give it later


@dataclass(frozen=True, slots=True)
class Body:
    """What a server sent, and the ETag it gave to it."""

    data: bytes
    etag: str | None


def shown(url: str) -> str:
    """A URL as messages may show it: without user, password, query and fragment, and short."""
    try:
        parts = httpx.URL(url)
        return str(httpx.URL(scheme=parts.scheme, host=parts.host, port=parts.port, path=parts.path))[:200]
    except Exception:  # whatever the letters of a record make of the parser
        return "a URL that cannot be read"


class PictureClient:
    """Fetches pictures by URL; keeps connections between them. Thread safe; close it, or use it in `with`."""

    def __init__(self, settings: Settings, rules: HostRules | None = None) -> None:
        self._settings = settings
        self._rules = rules or HostRules(settings.picture_hosts)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(), max_connections=CONNECTIONS, network_backend=CheckedNetwork(self._rules)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._pool.close()

    def fetch(self, url: str) -> Body:
        """GET a picture, redirects followed, all within `picture_timeout`.

        Raises RecordError: `picture-missing` for 404, 410, other refusals, an empty body, no such host, nobody
        listening; `picture-forbidden` for other schemes, credentials in the URL, hosts that are not allowed, 401, 403
        and TLS certificates that do not hold; `picture-too-large` past `picture_max_bytes`, unpacked; `picture-timeout`
        when time is over or the server is overloaded; `picture-unreadable` where the transfer breaks off.
        """
        found = self.fetch_unless(url, None)
        if found is None:
            raise RecordError(_MISSING, f"{shown(url)} answers 304 where a picture was expected")
        return found

    def fetch_unless(self, url: str, etag: str | None) -> Body | None:
        """As `fetch`; None where the server says that the picture still has this ETag."""
        deadline = time.monotonic() + self._settings.picture_timeout
        target = self._permitted(url)
        for _ in range(REDIRECTS + 1):
            answer = self._answer(target, deadline, etag)
            if not isinstance(answer, str):
                return answer
            target = self._permitted(answer)
        raise RecordError(_MISSING, f"{shown(url)} redirects more than {REDIRECTS} times; give the last URL")

    def _permitted(self, url: str) -> httpx.URL:
        try:
            parsed = httpx.URL(url.strip())
            host = parsed.raw_host.decode().rstrip(".")
        except Exception as error:  # InvalidURL, and what idna and int() make of a record's letters
            raise RecordError(_MISSING, "the picture's URL cannot be read; expected http(s)://host/path") from error
        if parsed.scheme not in ("http", "https"):
            raise RecordError(
                "picture-forbidden", f"{parsed.scheme[:20]!r} came as a URL's scheme; only http and https are asked"
            )
        if parsed.userinfo:
            raise RecordError("picture-forbidden", f"the URL of {shown(url)} holds a user or password; leave them out")
        if not host:
            raise RecordError(_MISSING, f"the URL {shown(url)} names no host")
        if not self._rules.permits(host, _port(parsed)):
            text = f"{shown(url)}: {host} is not in CROSSHATCH_PICTURE_HOSTS; add it there"
            raise RecordError("picture-forbidden", text)
        return parsed

    def _answer(self, url: httpx.URL, deadline: float, etag: str | None) -> Body | str | None:
        """One request: its body, the URL it redirects to, or None where the picture still has the ETag."""
        name = shown(str(url))
        remaining = max(0.0, deadline - time.monotonic())
        # connect, read and write carry the moment at which all ends, which `CheckedStream` reads; see there
        limits = {"connect": deadline, "read": deadline, "write": deadline, "pool": remaining}
        condition = {"If-None-Match": etag} if etag and etag.isascii() and etag.isprintable() else {}
        request = httpx.Request("GET", url, headers=HEADERS | condition)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        try:
            with self._pool.stream("GET", target, headers=request.headers.raw, extensions={"timeout": limits}) as came:
                response = httpx.Response(came.status, headers=came.headers, stream=_Chunks(came.iter_stream()))
                if response.has_redirect_location:
                    return str(url.join(response.headers["location"]))
                if condition and response.status_code == 304:
                    return None
                _check_status(response, name)
                return self._body(response, name, deadline)
        except httpcore.TimeoutException as error:
            raise _late(name, self._settings.picture_timeout) from error
        except httpcore.ConnectError as error:
            if isinstance(error.__context__, ssl.SSLError):
                raise RecordError("picture-forbidden", f"{name}: no TLS connection that holds: {error}") from error
            raise RecordError(_MISSING, f"{name}: nobody answers there: {error}") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpx.HTTPError) as error:
            raise RecordError("picture-unreadable", f"{name}: the transfer broke off: {error}") from error
        except (httpx.InvalidURL, ValueError) as error:
            raise RecordError(_MISSING, f"{name} answers with headers that cannot be read") from error

    def _body(self, response: httpx.Response, name: str, deadline: float) -> Body:
        """Read while it fits and time lasts; a body packed against our request counts as it unpacks."""
        most = self._settings.picture_max_bytes
        told = response.headers.get("content-length", "")
        if told.isdigit() and int(told[:20]) > most:
            raise _too_large(name, most)
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > most:
                raise _too_large(name, most)
            if time.monotonic() > deadline:
                raise _late(name, self._settings.picture_timeout)
        if not data:
            raise RecordError(_MISSING, f"{name} sends an empty body")
        etag = response.headers.get("etag")
        return Body(bytes(data), etag[:200] if etag else None)


class _Chunks(httpx.SyncByteStream):
    """The raw chunks of a response as httpx wants them, to unpack."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One context for all: the certificates take 30 ms to load. SSL_CERT_FILE and SSL_CERT_DIR are honoured."""
    return httpx.create_ssl_context()


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _check_status(response: httpx.Response, name: str) -> None:
    if response.status_code != 200:
        reason = _REASONS.get(response.status_code, _MISSING)
        raise RecordError(reason, f"{name} answers {response.status_code} where a picture was expected")


def _late(name: str, seconds: float) -> RecordError:
    return RecordError("picture-timeout", f"{name} did not finish within {seconds:g} s (CROSSHATCH_PICTURE_TIMEOUT)")


def _too_large(name: str, most: int) -> RecordError:
    return RecordError("picture-too-large", f"{name} sends more than {most} bytes (CROSSHATCH_PICTURE_MAX_BYTES)")
