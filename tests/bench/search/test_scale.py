"""Larger catalogues: growth by hand, and a page whose tables are those of the figures beside it."""

import json
import math

import pytest

from tests.bench.search import scale
from tests.bench.search.examples import figures
from tests.bench.search.scale import Growth
from tests.sources import PROJECT


def test_growth_by_hand() -> None:
    # 1 ms at a hundred thousand, 3 at a million: ten times the records take three times as long
    growth = Growth((100_000, 1_000_000), (1.0, 3.0), 200)
    assert growth.exponent == pytest.approx(math.log10(3))
    assert growth.as_measured(10_000_000) == pytest.approx(9.0)
    assert growth.linear(10_000_000) == pytest.approx(3 + 9 * (2 / 0.9))
    assert growth.linear(1_000_000) == growth.as_measured(1_000_000) == 3


def test_tables_by_hand() -> None:
    held = figures()
    assert scale.measured_table(held).splitlines()[2:] == ["| exact script | 1 | 3 | 3.0 | 200 |"]
    latency = scale.latency_table(held).splitlines()[2:]
    assert latency[0] == "| 10 million | 1 | 10 million | 9 to 23 |"
    assert latency[2] == "| 10 million | 10 | 1 million | 3 to 3 |"
    assert scale.disk_table(held).splitlines()[2:] == ["| exact script | 2.0 GB | 20.0 GB | 4.0 GB | 40.0 GB |"]


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="0 places for the table `measured`"):
        scale.written("# Page\n", figures())


def test_the_page_has_a_place_for_each_table_and_what_is_in_them_is_from_the_figures() -> None:
    """`python -m tests.bench.search.scale` mends it."""
    page = (PROJECT / scale.PAGE).read_text("utf-8")
    assert "| 10 million | 10 | 1 million | 3 to 3 |" in scale.written(page, figures())
    if not (PROJECT / scale.FIGURES).is_file():
        pytest.skip("no run of `make bench-search` has been kept in docs/bench-search.json")
    held = json.loads((PROJECT / scale.FIGURES).read_text("utf-8"))
    assert scale.written(page, held) == page
