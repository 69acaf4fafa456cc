"""An engine that will not, or a network to it that does not carry: full, read-only, busy, slow, cut off."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.faults.proxy import Weather
from tests.faults.scenario import Fault
from tests.faults.system import INDEX, System

SECONDS = 10.0  # that a fault lasts
WATERMARK = "cluster.routing.allocation.disk.watermark"
FULL = {"low": "900tb", "high": "800tb", "flood_stage": "700tb"}  # free bytes that no disk has
# the node looks at its disk every half a minute; ten seconds is the least that it takes
OFTEN = {"cluster.info.update.interval": "10s"}


def flooded(system: System, _: Random) -> float:
    """The disk is past the flood stage: the engine makes every index read-only; later there is room again."""
    _set(system, {f"{WATERMARK}.{name}": value for name, value in FULL.items()})
    system.until(lambda: _blocked(system), "the flood stage's block")
    _pass(system)
    _set(system, dict.fromkeys((f"{WATERMARK}.{name}" for name in FULL), None))
    system.until(lambda: not _blocked(system), "the end of the flood stage's block")
    return time.monotonic()


def read_only(system: System, _: Random) -> float:
    """An administrator blocks writes for a while, as before a snapshot or a resize."""
    for block in (True, None):
        answer = httpx.put(f"{system.url}/{INDEX}/_settings", json={"index.blocks.write": block}, timeout=30)
        answer.raise_for_status()
        if block:
            _pass(system)
    return time.monotonic()


def weather(system: System, _: Random, *, bad: Weather) -> float:
    """The network to the engine is bad for a while."""
    system.proxy.weather = bad
    _pass(system)
    system.proxy.weather = Weather()
    return time.monotonic()


def _pass(system: System) -> None:
    """Let the fault last."""
    over = time.monotonic() + SECONDS
    system.until(lambda: time.monotonic() > over, "the fault's end")


def _set(system: System, settings: Mapping[str, Any]) -> None:
    body = {"persistent": settings}
    httpx.put(f"{system.url}/_cluster/settings", json=body, timeout=30).raise_for_status()


def _blocked(system: System) -> bool:
    answer = httpx.get(f"{system.url}/{INDEX}/_settings", params={"flat_settings": "true"}, timeout=30).json()
    return "index.blocks.read_only_allow_delete" in answer[INDEX]["settings"]


def _often(folder: Path) -> System:
    return System(folder, node_settings=OFTEN)


def _proxied(folder: Path) -> System:
    return System(folder, proxied=True)


def _narrow(folder: Path) -> System:
    """With a write queue of one, the engine itself answers 429 as soon as two ask beside each other."""
    return System(
        folder, proxied=True, node_settings={"thread_pool.write.size": "1", "thread_pool.write.queue_size": "1"}
    )


BUSY, SLOW, CUT = Weather(refused=0.5), Weather(delay=0.3, rate=50_000), Weather(cut=0.3)
FAULTS = (
    Fault("engine full (flood stage)", flooded, records=3000, events=2, system=_often),
    Fault("index read-only", read_only, records=3000, events=2, encode=("update", INDEX, "--follow")),
    Fault("engine busy (429)", partial(weather, bad=BUSY), records=3000, events=3, system=_narrow),
    Fault("network slow", partial(weather, bad=SLOW), records=3000, events=3, system=_proxied),
    Fault("network cut under way", partial(weather, bad=CUT), records=3000, events=3, system=_proxied),
)
