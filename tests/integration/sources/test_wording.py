"""Cleaning of text."""

import pytest

from integration.sources.wording import clean, isbns, plain


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Moby-Dick, or,", "Moby-Dick, or"),
        ("Title /", "Title"),
        ("New York :", "New York"),
        ("Melville, Herman.", "Melville, Herman"),
        ("Poe, Edgar A.", "Poe, Edgar A."),
        ("King, Martin Luther, Jr.", "King, Martin Luther, Jr."),
        ("and so on ...", "and so on ..."),
        (" / ", ""),
    ],
)
def test_plain(raw: str, text: str) -> None:
    assert plain(raw) == text


def test_clean_composes_and_drops_controls() -> None:
    assert clean("Cafe\u0301\x00 \x98Der\x9c\n\u200fBerg\ud800") == "Café Der Berg"


def test_isbns() -> None:
    assert isbns("0-14-243724-7 (pbk.) 978 3 16 148410 0; 080442957x; 12345") == (
        "0142437247",
        "9783161484100",
        "080442957X",
    )
