"""Whether the account sees whole documents: who writes back what he could not read whole, erases the rest.

OpenSearch's security plugin and Elasticsearch refuse `_update` to an account that field-level or document-level
security or masking limits, for that very reason. Our `_update` names a document that is not there, so it changes
nothing, and asking needs no right to read roles.
"""

import time
import weakref

from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, UnknownIndexError, WriteRefused

TRUSTED = 60.0  # seconds that an answer holds: roles may be changed while a worker runs
DO = "give it a role without fls, dls and masked_fields on this index (`crosshatch roles` prints one)"
_trusted: "weakref.WeakKeyDictionary[Cluster, dict[str, float]]" = weakref.WeakKeyDictionary()


def limits(cluster: Cluster, name: str) -> str | None:
    """Why the account must not write back documents of index or alias `name`; None where nothing limits it.

    A concrete name is no alias, so `require_alias` refuses it, after security has judged: no index can be made.
    Raises EngineUnavailable, which proves nothing.
    """
    params = {"require_alias": "true", "routing": "crosshatch"}
    try:
        path = f"/{part(name)}/_update/crosshatch-sees-whole-documents"
        cluster.request("POST", path, params=params, body={"doc": {}})
    except EngineRefused as error:
        if error.status in (401, 403):  # of the security plugin, or of whatever stands before the cluster
            return f"the account may not use _update, so it cannot be known what it sees ({error.reason})"
        if error.kind == "security_exception":
            return f"the account does not see whole documents ({error.reason})"
    except (UnknownIndexError, WriteRefused):  # no alias, or a block, which security would have forestalled
        return None
    return None


def demand_whole(cluster: Cluster, name: str) -> None:
    """Raise WriteRefused where `limits` finds something; what it found nothing in is trusted for `TRUSTED` seconds."""
    known = _trusted.setdefault(cluster, {})
    if time.monotonic() < known.get(name, 0.0):
        return
    why = limits(cluster, name)
    if why:
        raise WriteRefused(f"nothing was written: {why}; {DO}")
    known[name] = time.monotonic() + TRUSTED
