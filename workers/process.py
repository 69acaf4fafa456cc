"""What one worker process holds: a connection to the cluster, one to the broker, and the encoders on its device."""

import ctypes
import signal
from functools import cache
from typing import TYPE_CHECKING

from redis import Redis

from integration import jobs
from integration.engine.client import Cluster
from integration.manners import Manners
from mappings.errors import BundleError
from workers.app import SERVICES, SETTINGS

if TYPE_CHECKING:
    from encoders.api import Encoder

_PR_SET_PDEATHSIG = 1


@cache
def cluster() -> Cluster:
    """The cluster; made in the process that uses it, never before a fork."""
    return Cluster(SERVICES.url)


@cache
def broker() -> Redis:
    """The broker."""
    return jobs.check_broker(SERVICES.broker_url)


@cache
def manners() -> Manners:
    """How this process behaves towards the cluster; what one batch meets, the next one knows."""
    return Manners(cluster(), SETTINGS, broker)


@cache
def encoder(reference: str, digest: str) -> "Encoder":
    """The encoder `reference`, loaded once. Raises BundleError where it is not the one that `digest` names."""
    from encoders.loading import load  # torch comes in here, in the process that needs it

    loaded = load(reference, device=SETTINGS.device, data=SETTINGS.data, max_pixels=SETTINGS.picture_max_pixels)
    if loaded.card.digest != digest:
        raise BundleError(
            f"encoder {reference} has digest {loaded.card.digest[:12]} here, but the index was attached with "
            f"{digest[:12]}; install the same release on every worker, or run "
            f"`crosshatch spaces add INDEX --encoder {reference}` and fill and activate that space"
        )
    return loaded


def bind_to_parent() -> None:
    """Let the kernel end this pool process when its worker is killed: nobody would ever give it work again."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
