"""A `do` of the suite as an HTTP request, and the answer as the suite looks at it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import yaml

_LINES = ("bulk", "msearch", "msearch_template")


class BadParameter(Exception):
    """The API's description does not know a parameter, or misses one: a client would not send such a request."""


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `headers` in the order and spelling in which they came."""

    method: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first header of this name, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def content(self) -> Any:
        """The body as the suite sees it: a tree, or text; of HEAD, whether it is there."""
        if self.method == "HEAD":
            return self.status < 400
        if not self.body:  # some answers call nothing JSON
            return ""
        kind = self.header("content-type")
        if "json" in kind:
            return json.loads(self.body)
        if "yaml" in kind:
            return yaml.safe_load(self.body)
        return self.body.decode()

    @property
    def warnings(self) -> list[str]:
        """The texts of the deprecation warnings: `299 OpenSearch-3.8.0-<hash> "text"`."""
        lines = [value for key, value in self.headers if key.lower() == "warning"]
        return [line.split('"', 1)[1].rsplit('"', 1)[0].replace('\\"', '"') for line in lines if '"' in line]

    @property
    def form(self) -> tuple[Any, ...]:
        """What must be the same in every run: the status, and which headers came, with the type of the body."""
        return (self.status, self.header("content-type"), *sorted(key.lower() for key, _ in self.headers))


def build(
    api: Mapping[str, Any], name: str, wanted: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Request:
    """The request that `name` with these arguments is. Raises BadParameter."""
    given = {key: value for key, value in wanted.items() if key not in ("body", "ignore")}
    paths = [path for path in api["url"]["paths"] if path.get("parts", {}).keys() <= given.keys()]
    if not paths:
        raise BadParameter(f"{name} misses a part of its path; it has {sorted(given)}")
    path = max(paths, key=lambda one: len(one.get("parts", {})))
    parts = path.get("parts", {})
    if unknown := given.keys() - parts.keys() - api["params"].keys():
        raise BadParameter(f"{name} does not take {sorted(unknown)}")
    if api.get("body", {}) and api["body"].get("required") and "body" not in wanted:
        raise BadParameter(f"{name} needs a body")
    if empty := [part for part in parts if given[part] in (None, "")]:
        raise BadParameter(f"{name} needs a value for {empty}")
    target = path["path"]
    for part in parts:
        target = target.replace(f"{{{part}}}", quote(_text(given[part]), safe=",*"))
    query = {key: _text(value) for key, value in given.items() if key not in parts}
    body = _body(wanted["body"], lines=name in _LINES) if "body" in wanted else None
    methods = path["methods"]
    method = "POST" if body is not None and methods[0] == "GET" and "POST" in methods else methods[0]
    kind = "application/x-ndjson" if name in _LINES else "application/json"
    sent = {**({"Content-Type": kind} if body is not None else {}), **(headers or {})}
    return Request(method, f"{target}?{urlencode(query)}" if query else target, sent, body)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(body: Any, *, lines: bool) -> bytes:
    """One JSON value, or one a line. A text holds one or several of them."""
    values = _values(body) if isinstance(body, str) else body if lines and isinstance(body, list) else [body]
    if not lines and len(values) == 1:
        return json.dumps(values[0]).encode()
    texts = [value.strip() if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(f"{text}\n" for text in texts).encode()


def _values(text: str) -> list[Any]:
    """The JSON values that follow one another in `text`; where it is none, the text goes out as it is."""
    reader, found, place = json.JSONDecoder(strict=False), [], 0
    text = text.strip()
    try:
        while place < len(text):
            value, place = reader.raw_decode(text, place)
            found.append(value)
            place += len(text[place:]) - len(text[place:].lstrip())
    except ValueError:
        return [text]
    return found


class Connection:
    """One kept-alive connection; it changes nothing of what goes out or comes in."""

    def __init__(self, url: str, *, timeout: float = 60) -> None:
        self._host = urlsplit(url).netloc
        self._http = HTTPConnection(self._host, timeout=timeout)

    def send(self, request: Request) -> Answer:
        """The answer. A connection that the other side has closed meanwhile is opened anew, once."""
        try:
            return self._sent(request)
        except (HTTPException, ConnectionError):
            self._http.close()
            return self._sent(request)

    def _sent(self, request: Request) -> Answer:
        self._http.request(request.method, request.target, request.body, dict(request.headers))
        answer = self._http.getresponse()
        return Answer(request.method, answer.status, tuple(answer.getheaders()), answer.read())

    def json(self, method: str, target: str, body: Any = None) -> Any:
        """A request and the tree of its answer, for what belongs to no test."""
        payload = json.dumps(body).encode() if body is not None else None
        return self.send(Request(method, target, {"Content-Type": "application/json"} if body else {}, payload)).content

    def close(self) -> None:
        """Close it."""
        self._http.close()
