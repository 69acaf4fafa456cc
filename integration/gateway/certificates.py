"""The subject of a client's certificate as a header tells it: a distinguished name as in RFC 4514. Pure."""

import re
from collections.abc import Mapping
from typing import Any

_SHORT = {
    "commonName": "CN", "organizationalUnitName": "OU", "organizationName": "O", "localityName": "L",
    "stateOrProvinceName": "ST", "countryName": "C", "domainComponent": "DC", "userId": "UID",
}  # fmt: skip
_SPECIAL = re.compile(r'[,+"\\<>;=]|^[ #]| $')
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


_PROXIES = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
FORWARDED = b"x-forwarded-for"


def is_reserved(name: bytes, badge: bytes) -> bool:
    """Whether nodes that trust the gateway's `badge` may trust this header too: no client can send it then.

    That is the header itself, those of its family (`x-proxy-roles` beside `x-proxy-user`), and those by which proxies
    tell whom they speak for; `_` counts as `-`, since some readers take them for the same.
    """
    plain = name.lower().replace(b"_", b"-")
    family = badge.rpartition(b"-")[0]
    return plain == badge or plain in _PROXIES or (b"-" in family and plain.startswith(family + b"-"))


def subject(certificate: Mapping[str, Any] | None) -> bytes | None:
    """The subject, the last part first, of what `SSLSocket.getpeercert` gives; None where there is none."""
    parts = (certificate or {}).get("subject") or ()
    told = ",".join(
        "+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in part) for part in parts[::-1]
    )
    return _CONTROL.sub(lambda found: b"\\%02x" % found[0][0], told.encode()) or None


def _escaped(value: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found[0], value)
