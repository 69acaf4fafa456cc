"""What Prometheus reads: counts and times of an index, in its own form, and an error that helps."""

import socket

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from integration.counts import Counts
from integration.metrics import Metrics
from integration.pace import Pace
from mappings.errors import SettingsError


def lines(metrics: Metrics) -> set[str]:
    """Every sample."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return {line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")}


def test_every_count_has_its_sample() -> None:
    pace = Pace(found=9, sweeps=4)
    pace.counts.add(Counts.read(Counts(encoded=3, restored=4, unchanged=1).message() | {"failed": {"no-content": 1}}))
    metrics = Metrics("biblios")
    metrics.show(pace.message() | {"stale": 2, "unread": 0, "lag_s": 1.5, "last_scan": None, "scanning": True})
    prefix, label = "crosshatch_follow_", '{index="biblios"}'
    assert lines(metrics) == {
        f"{prefix}found_total{label} 9.0",
        f"{prefix}encoded_total{label} 3.0",
        f"{prefix}restored_total{label} 4.0",
        f"{prefix}unchanged_total{label} 1.0",
        f"{prefix}sweeps_total{label} 4.0",
        f'{prefix}failed_total{{index="biblios",reason="no-content"}} 1.0',
        f"{prefix}stale{label} 2.0",
        f"{prefix}unread{label} 0.0",
        f"{prefix}lag_seconds{label} 1.5",
        f"{prefix}scanning{label} 1.0",
    }


def test_a_port_that_is_taken_says_what_to_set() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"metrics cannot be served at 127.0.0.1:{port} .*CROSSHATCH_METRICS"):
            Metrics("biblios").serve("127.0.0.1", port)
