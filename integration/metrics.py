"""What a follower tells Prometheus: counts and times of one index, and nothing of any record."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mappings.errors import SettingsError

_TOTALS = {
    "found": "stale records found",
    "encoded": "records encoded by the model",
    "restored": "records that got their codes back from the code store",
    "unchanged": "records that were up to date when a worker came to them",
    "sweeps": "pages of changes that were read",
}
_GAUGES = {
    "stale": "stale records that were found and are not answered yet",
    "unread": "operations that were not looked at yet",
    "lag_s": "seconds that the oldest change without its code may be old at most",
    "oldest_stale_s": "seconds since the oldest of the stale records was found",
    "last_scan": "Unix time of the end of the last full digest scan",
    "scanning": "1 while a full digest scan is under way",
}
_NAMES = {"lag_s": "lag_seconds", "oldest_stale_s": "oldest_stale_seconds", "last_scan": "last_scan_timestamp_seconds"}


class Metrics(Collector):
    """The last thing that `show` was given, for whoever asks; another thread may."""

    def __init__(self, index: str) -> None:
        self._index = index
        self._shown: Mapping[str, Any] = {}

    def show(self, values: Mapping[str, Any]) -> None:
        """Values by the names above, and `failed`: numbers by reason. None is left out."""
        self._shown = dict(values)

    def collect(self) -> Iterator[Metric]:
        """As Prometheus wants it."""
        shown, label = self._shown, ["index"]
        for name, what in _TOTALS.items():
            total = CounterMetricFamily(f"crosshatch_follow_{name}", what, labels=label)
            total.add_metric([self._index], shown.get(name, 0))
            yield total
        failed = CounterMetricFamily("crosshatch_follow_failed", "records without a code", labels=[*label, "reason"])
        for reason, number in shown.get("failed", {}).items():
            failed.add_metric([self._index, reason], number)
        yield failed
        for name, what in _GAUGES.items():
            if shown.get(name) is not None:
                gauge = GaugeMetricFamily(f"crosshatch_follow_{_NAMES.get(name, name)}", what, labels=label)
                gauge.add_metric([self._index], float(shown[name]))
                yield gauge

    def serve(self, host: str, port: int) -> None:
        """Answer at http://host:port/metrics from now on, in a thread. Raises SettingsError where that is taken."""
        registry = CollectorRegistry()
        registry.register(self)
        try:
            start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise SettingsError(
                f"metrics cannot be served at {host}:{port} ({error}); each follower needs a port of its own, "
                "set CROSSHATCH_METRICS_PORT and CROSSHATCH_METRICS_HOST"
            ) from error
