"""Codes by content: an unchanged record that lost its codes gets them back without a model.

A hidden index beside each attached one. The key is an HMAC of the record's digest with the store's secret, so that
nobody who reads the store can tell which texts a library holds by hashing guesses.
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from integration.engine.client import Cluster, part
from mappings.errors import CodeLengthError, EngineRefused, EngineUnavailable, UnknownIndexError
from mappings.fields import StoredCodes

_SETTINGS = {
    "settings": {
        "index": {"hidden": True, "number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": "30s"}
    },
    "mappings": {
        "dynamic": False,
        "properties": {
            "space": {"type": "keyword"},
            "seen": {"type": "date"},
            "codes": {"type": "object", "enabled": False},
        },
    },
}
TOUCH_DAYS = 7  # an entry's date need not be nearer to the truth: it is written anew at most so often


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store holds for one content.

    `partial` says why a part has no code: {part: (reason, message)}. `pictures` holds each picture's SHA-256 and ETag
    by its number, so that a picture that changed behind the same reference can be found.
    """

    codes: StoredCodes
    partial: Mapping[str, tuple[str, str]]
    pictures: Mapping[int, tuple[str, str | None]]


class CodeStore:
    """The code store of one attached index."""

    def __init__(self, cluster: Cluster, index: str, secret: str, *, space: str, bits: int) -> None:
        self._cluster, self._index, self._space, self._bits = cluster, index, space, bits
        self._secret = base64.b64decode(secret)

    def ensure(self) -> None:
        """Make the hidden index where there is none yet."""
        if self._cluster.exists(f"/{part(self._index)}"):
            return
        try:
            self._cluster.request("PUT", f"/{part(self._index)}", body=_SETTINGS)
        except EngineRefused as error:
            if error.kind != "resource_already_exists_exception":
                raise

    def get(self, digests: Sequence[str], *, touch: bool = False) -> dict[str, Kept]:
        """The codes kept for these digests, read in real time; those unknown are left out.

        `touch` notes that they are in use, where that was noted longer than `TOUCH_DAYS` ago.
        """
        if not digests:
            return {}
        keys = [self._key(digest) for digest in digests]
        try:
            answer = self._cluster.request("POST", f"/{part(self._index)}/_mget", body={"ids": keys})
        except UnknownIndexError:
            return {}
        kept: dict[str, Kept] = {}
        old: list[str] = []
        before = (today() - datetime.timedelta(days=TOUCH_DAYS)).isoformat()
        for digest, entry in zip(digests, answer["docs"], strict=True):
            if entry.get("found"):
                with contextlib.suppress(CodeLengthError):  # damaged: it is encoded, and so kept, anew
                    kept[digest] = self._kept(entry["_source"])
                    if entry["_source"]["seen"] < before:
                        old.append(digest)
        if touch:
            self.touch(old)
        return kept

    def has(self, digests: Sequence[str]) -> set[str]:
        """Those of these digests that something is kept for."""
        if not digests:
            return set()
        keys = [self._key(digest) for digest in digests]
        params = {"_source": "false", "filter_path": "docs.found"}
        try:
            answer = self._cluster.request("POST", f"/{part(self._index)}/_mget", params=params, body={"ids": keys})
        except UnknownIndexError:
            return set()
        return {digest for digest, entry in zip(digests, answer["docs"], strict=True) if entry.get("found")}

    def touch(self, digests: Iterable[str]) -> None:
        """Note that these contents were met today; those that are not kept are left out.

        Raises EngineUnavailable or EngineRefused.
        """
        line = msgspec.json.encode({"doc": {"seen": today().isoformat()}})
        lines = []
        for digest in digests:
            lines += [msgspec.json.encode({"update": {"_id": self._key(digest)}}), line]
        if lines:
            params = {"filter_path": "errors,items.*.status,items.*.error.type,items.*.error.reason"}
            answer = self._cluster.bulk(f"/{part(self._index)}", b"\n".join(lines) + b"\n", params=params)
            if answer["errors"]:  # not kept: 404; kept anew in this moment: 409
                _raise_first([item for item in answer["items"] if item["update"]["status"] not in (404, 409)])

    def put(self, entries: Mapping[str, Kept]) -> None:
        """Keep codes by digest. Raises EngineUnavailable or EngineRefused where the store cannot take them."""
        if not entries:
            return
        lines = []
        seen_today = today().isoformat()
        for digest, kept in entries.items():
            pictures = {str(number): seen for number, seen in kept.pictures.items()}
            codes = {"codes": kept.codes.members(), "partial": dict(kept.partial), "pictures": pictures}
            body = {"space": self._space, "seen": seen_today, **codes}
            lines += [msgspec.json.encode({"index": {"_id": self._key(digest)}}), msgspec.json.encode(body)]
        self.ensure()  # one that was deleted would be made by the write, with any mapping
        answer = self._cluster.bulk(f"/{part(self._index)}", b"\n".join(lines) + b"\n")
        if answer["errors"]:
            _raise_first(answer["items"])

    def _key(self, digest: str) -> str:
        mac = hmac.new(self._secret, f"{self._space}:{digest}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def _kept(self, body: Mapping[str, Any]) -> Kept:
        partial = {name: (why[0], why[1]) for name, why in body.get("partial", {}).items()}
        pictures = {int(number): (seen[0], seen[1]) for number, seen in body.get("pictures", {}).items()}
        return Kept(StoredCodes.read(body["codes"], self._bits), partial, pictures)


def today() -> datetime.date:
    """The date that the store notes: in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


def _raise_first(items: Sequence[Mapping[str, Any]]) -> None:
    for item in items:
        [refused] = item.values()
        if refused["status"] in (429, 502, 503, 504):
            raise EngineUnavailable(f"the code store is too busy: {refused['error'].get('reason')}")
        if refused["status"] >= 300:
            raise EngineRefused(
                refused["status"], refused["error"]["type"], refused["error"]["reason"], "a write of the code store"
            )
