"""How full the cluster is: heap and disk of its data nodes, looked at before writing."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from integration.engine.client import Cluster
from mappings.errors import EngineRefused

FRESH = 5.0  # seconds that an answer is believed
_NODES = "/_nodes/stats/jvm,fs"
_WANTED = ("name", "roles", "jvm.mem.heap_used_percent", "jvm.gc.collectors.*.collection_count", "fs.total")
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_log = logging.getLogger(__name__)


class Pressure:
    """Heap and disk against their limits, in percent. Without `disk_limit` the cluster's high watermark holds alone."""

    def __init__(self, cluster: Cluster, heap_limit: float, disk_limit: float | None) -> None:
        self._cluster, self._heap_limit, self._disk_limit = cluster, heap_limit, disk_limit
        self._collections: dict[str, int] = {}  # by node, at the look before
        self._until = 0.0
        self._forbidden = False
        self._found: str | None = None

    def found(self) -> str | None:
        """What is too full, in words; the cluster is asked once in `FRESH` seconds. Raises EngineUnavailable."""
        now = time.monotonic()
        if now >= self._until and not self._forbidden:
            self._found = self._look()
            self._until = now + FRESH
        return self._found

    def _look(self) -> str | None:
        params = {"filter_path": ",".join(f"nodes.*.{name}" for name in _WANTED)}
        try:
            nodes = self._cluster.request("GET", _NODES, params=params).get("nodes", {})
            watermark = self._watermark()
        except EngineRefused as error:
            if error.status not in (401, 403):
                raise
            _log.warning("heap and disk are not looked at; it takes cluster:monitor/nodes/stats and .../settings/get")
            self._forbidden = True
            return None
        found = [self._too_full(key, node, watermark) for key, node in nodes.items()]
        return next(filter(None, found), None)

    def _too_full(self, key: str, node: Mapping[str, Any], watermark: str | None) -> str | None:
        if not any(role.startswith("data") for role in node.get("roles", ["data"])):
            return None
        if self._heap_is_full(key, node):
            return f"the heap of node {node['name']} is {node['jvm']['mem']['heap_used_percent']} % full"
        disk = node.get("fs", {}).get("total", {})
        total, free = disk.get("total_in_bytes", 0), disk.get("available_in_bytes", 0)
        limits = [limit for limit in (watermark, self._disk_limit and f"{self._disk_limit}%") if limit]
        if total and any(reached(limit, total, free) for limit in limits):
            return f"the disk of node {node['name']} is {100 * (1 - free / total):.0f} % full"
        return None

    def _heap_is_full(self, key: str, node: Mapping[str, Any]) -> bool:
        """Whether it is full although the collector ran since the look before: else it may hold only garbage."""
        collectors = node["jvm"]["gc"]["collectors"].values()
        collections = sum(collector["collection_count"] for collector in collectors)
        before = self._collections.get(key, collections)
        self._collections[key] = collections
        return bool(node["jvm"]["mem"]["heap_used_percent"] >= self._heap_limit and collections > before)

    def _watermark(self) -> str | None:
        """The cluster's own high watermark; None where its administrator lets disks fill."""
        path = "cluster.routing.allocation.disk"
        params = {"include_defaults": "true", "filter_path": f"*.{path}"}
        levels = self._cluster.request("GET", "/_cluster/settings", params=params)
        set_, high = None, None
        for level in ("transient", "persistent", "defaults"):
            disk = levels.get(level, {})
            for name in path.split("."):
                disk = disk.get(name, {})
            set_ = set_ or disk.get("threshold_enabled")
            high = high or disk.get("watermark", {}).get("high")
        return None if set_ == "false" else high


def reached(limit: str, total: int, free: int) -> bool:
    """Whether a disk of `total` bytes with `free` ones has reached `limit`, as the engine writes its watermarks.

    `90%` and `0.9` are a share that is used, `10gb` is what must stay free.
    """
    text = limit.strip().lower()
    if text.endswith("%"):
        return 100 * (total - free) >= float(text[:-1]) * total
    number = text.rstrip("bkmgtp")
    unit = text[len(number) :]
    if unit:
        return free <= float(number) * _UNITS[unit[0]]
    return total - free >= float(number) * total
