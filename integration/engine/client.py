"""The one door to OpenSearch: requests in, parsed or raw answers out, and every failure one of our errors."""

import copy
import json
import logging
import ssl
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import quote

import msgspec
import opensearchpy
import urllib3
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import ConnectionTimeout, SerializationError, TransportError
from opensearchpy.serializer import JSONSerializer

from integration.engine.answers import parsed
from mappings.errors import (
    CrosshatchError,
    EngineRefused,
    EngineUnavailable,
    SettingsError,
    UnknownIndexError,
    WriteRefused,
)

Body = Mapping[str, Any] | bytes | None
# every failure becomes an error of ours; the client's own log would add request bodies, and so record content, to it
logging.getLogger("opensearch").setLevel(logging.CRITICAL)
# the engine takes documents that are 1000 levels deep, and every reader of JSON counts its levels as Python's frames:
# one such record must not stop the reading of the others
sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
BUSY = (429, 502, 503, 504)
BLOCKED = "cluster_block_exception"


class _AsItCame(JSONSerializer):
    """Answers stay text: a document's bytes must reach the splice as the engine sent them."""

    def loads(self, s: str) -> str:
        return s


class _Connection(opensearchpy.Urllib3HttpConnection):
    """Passes the engine's deprecation warnings on, but for the one that every search would raise.

    An answer that breaks off in its head looks like one of unknown length that ended well: a part of what the engine
    said, or nothing, with a status of its own. It counts as no answer.
    """

    def _create_urllib3_pool(self) -> None:
        super()._create_urllib3_pool()
        ask = self.pool.urlopen

        def ask_in_full(*args: Any, **kwargs: Any) -> Any:
            answer = ask(*args, **kwargs)
            told = answer.headers.get("content-length", "")
            if not told.isdigit() and answer.headers.get("transfer-encoding", "").lower() != "chunked":
                raise urllib3.exceptions.ProtocolError("the answer broke off in its head")
            return answer

        self.pool.urlopen = ask_in_full

    def _raise_warnings(self, warning_headers: Iterable[str]) -> None:
        """Ordering by `_id` is what makes pages repeatable; a catalogue has no field of its own for that."""
        super()._raise_warnings([header for header in warning_headers or () if "fielddata on the _id" not in header])


class Cluster:
    """A cluster at `url`. It never retries by itself: whoever sent a document must read it again before resending."""

    def __init__(self, url: str, *, timeout: float = 60.0, tls: ssl.SSLContext | None = None) -> None:
        self.url = url
        self._headers: Mapping[str, str] = {}
        answers = _AsItCame()
        try:
            self._client = opensearchpy.OpenSearch(
                [url],
                connection_class=_Connection,
                timeout=timeout,
                max_retries=0,
                maxsize=16,
                ssl_context=tls,
                serializer=answers,
                serializers={"application/json": answers, "text/plain": answers},
            )
        except (ValueError, TypeError):
            raise SettingsError(  # the cause would repeat parts of the URL, and so of a password
                "CROSSHATCH_OPENSEARCH_URL is no URL of a cluster; expected http(s)://[user:password@]host[:port], "
                "with what is neither letter nor digit in user and password written as %xx"
            ) from None

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Body = None) -> Any:
        """Send a request; return the parsed JSON answer (HEAD: bool). Errors as `raw`."""
        answer = self._send(method, path, params, body)
        try:
            return parsed(answer) if isinstance(answer, str) and answer else answer
        except ValueError as error:
            raise _unreadable(f"{method} {path}", "no JSON") from error

    def raw(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Body = None) -> bytes:
        """Send a request; return the bytes of the answer.

        Raises EngineUnavailable (no answer, or 429, 502 to 504), UnknownIndexError (404 for an index), WriteRefused
        (a block: read-only, flood stage) and EngineRefused for everything else that is not 2xx.
        """
        answer = self._send(method, path, params, body)
        return answer.encode("utf-8", "surrogatepass") if isinstance(answer, str) else b""

    def bulk(self, path: str, lines: bytes, *, params: Mapping[str, Any] | None = None) -> Any:
        """Send NDJSON `lines` to `path`/_bulk; return the parsed answer, whose items may hold errors of their own."""
        return self.request("POST", f"{path}/_bulk", params=params, body=lines)

    def exists(self, path: str) -> bool:
        """Whether HEAD `path` answers 2xx."""
        return bool(self._send("HEAD", path, None, None))

    def acting(self, headers: Mapping[str, str]) -> Self:
        """The same cluster, over the same connections, asked with these headers: somebody else's credentials.

        Give it a cluster whose URL holds no account: where `headers` have none, the account of the URL would count.
        """
        other = copy.copy(self)
        other._headers = dict(headers)
        return other

    def close(self) -> None:
        """Close the pool of connections."""
        self._client.close()

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Body) -> Any:
        ndjson = path.endswith(("_bulk", "_msearch"))
        kind = "application/x-ndjson" if ndjson else "application/json"
        payload = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        try:
            return self._client.transport.perform_request(
                method, path, headers={**self._headers, "content-type": kind}, params=dict(params or {}), body=payload
            )
        except TransportError as error:
            if isinstance(error.args[-1], UnicodeDecodeError):
                raise _unreadable(f"{method} {path}", "no UTF-8") from error
            raise _translated(error, f"{method} {path}", self._host()) from error
        except (UnicodeDecodeError, SerializationError) as error:
            raise _unreadable(f"{method} {path}", "neither JSON nor text") from error

    def _host(self) -> str:
        """The cluster's address without user and password, for messages."""
        return self.url.rsplit("@", 1)[-1] if "@" in self.url else self.url


def heals(kind: str | None, reason: str | None) -> bool:
    """Whether a refusal is the disk's flood stage, a block that goes by itself: 429 today, 403 in older engines."""
    return kind == BLOCKED and "/12/" in (reason or "")


def part(name: str) -> str:
    """A name or id as one part of a path: everything but letters, digits and `_.-~` is escaped."""
    return quote(name, safe="")


def _unreadable(request: str, what: str) -> EngineRefused:
    return EngineRefused(200, "unreadable_answer", f"the answer is {what}; is this OpenSearch?", request)


def _translated(error: TransportError, request: str, host: str) -> CrosshatchError:
    """The error of ours that says what `error` says."""
    if isinstance(error, ConnectionTimeout):
        return EngineUnavailable(f"OpenSearch at {host} did not answer {request} in time; try again, or see its load")
    if isinstance(error, NoConnection):
        return EngineUnavailable(
            f"OpenSearch at {host} cannot be reached; "
            "start one (`crosshatch engine start`) or set CROSSHATCH_OPENSEARCH_URL"
        )
    status, kind, reason = _said(error)
    if kind == "index_not_found_exception":
        return UnknownIndexError(f"OpenSearch at {host}: {reason}; GET _cat/indices lists the names it has")
    if status in BUSY or heals(kind, reason):
        return EngineUnavailable(f"OpenSearch at {host} is too busy for {request}: {status} {kind}: {reason}")
    if kind == BLOCKED:
        return WriteRefused(
            f"OpenSearch blocks {request}: {reason}; lift the block (index.blocks.*, disk space) and run again"
        )
    return EngineRefused(status, kind, reason, request)


def _said(error: TransportError) -> tuple[int, str, str]:
    """HTTP status, error type and reason in OpenSearch's own words."""
    status = int(error.args[0])
    try:
        answer = error.args[2]  # the client has read it where the engine called it JSON
        cause = (answer if isinstance(answer, dict) else json.loads(answer))["error"]
        if isinstance(cause, str):
            return status, "error", cause
        root = (cause.get("root_cause") or [cause])[0]
        deeper = cause.get("failed_shards") or []
        under = (deeper[0].get("reason", {}) if deeper else cause).get("caused_by") or {}
        more = under.get("reason")
        reason = f"{root.get('reason')}" + (f" ({more})" if more and more != root.get("reason") else "")
        return status, str(root.get("type") or cause.get("type")), reason
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):  # a proxy's answer, or none
        return status, str(error.args[1])[:200], str(error.args[2])[:300]
