"""What can keep the cluster's answer from a client, and how it is told: in the form of OpenSearch's own errors.

GatewayFailure                                                HTTP
├── NoNode         no node of the cluster takes a connection   503
├── BrokenAnswer   a node's answer cannot be read to its end   502
├── TooSlow        a node does not answer in time              504
├── SlowClient     the request does not come in time           408
├── TooLarge       the request is larger than is allowed       413
└── Unforeseen     a part of the gateway failed                500
Gone               the client is not there any more            (nothing can be told)
"""

import json
from collections.abc import Sequence

from integration.gateway.exchange import Header

JSON: Sequence[Header] = [(b"content-type", b"application/json; charset=UTF-8")]


class GatewayFailure(Exception):
    """Root of what is answered with an error; never raised itself."""

    status = 500


class NoNode(GatewayFailure):
    """No node takes a connection: nothing was sent."""

    status = 503


class BrokenAnswer(GatewayFailure):
    """A node closed the connection, or sent what is no HTTP. It may have done what was asked."""

    status = 502


class TooSlow(GatewayFailure):
    """A node took too long. It may have done what was asked."""

    status = 504


class SlowClient(GatewayFailure):
    """The client stopped in the middle of its request."""

    status = 408


class TooLarge(GatewayFailure):
    """The request is larger than the settings allow."""

    status = 413


class Unforeseen(GatewayFailure):
    """A part of the gateway failed where nothing else can answer."""


class Gone(Exception):
    """The client closed the connection, or takes nothing any more."""


def told(status: int, kind: str, reason: str) -> bytes:
    """An error's body."""
    cause = {"type": kind, "reason": reason}
    return json.dumps({"error": {"root_cause": [cause], **cause}, "status": status}).encode()


def body_of(failure: GatewayFailure) -> bytes:
    """The same of a failure."""
    kind = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in type(failure).__name__)
    return told(failure.status, f"crosshatch_gateway{kind}", str(failure))
