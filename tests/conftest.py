"""What all tests share: those in `tests/live` carry the `live` marker, so `-m "not live"` gives the fast ones."""

from pathlib import Path

import hypothesis
import pytest

# `pytest --hypothesis-profile=thorough tests/live/test_model.py` walks for an hour or so
hypothesis.settings.register_profile("thorough", max_examples=500, stateful_step_count=60)
LIVE = Path(__file__).parent / "live"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of `tests/live`."""
    for item in items:
        if LIVE in item.path.parents:
            item.add_marker(pytest.mark.live)
