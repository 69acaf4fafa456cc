"""Weights of parts as options say them."""

import pytest

from integration.cli.weights import read_part_weights
from mappings.errors import RequestError


def test_weights_by_part() -> None:
    assert read_part_weights(["image=0.5", "text=1"]) == {"image": 0.5, "text": 1.0}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["image"], "--part-weight 'image' came; expected PART=W, as --part-weight image=0.5"),
        (["image=half"], "--part-weight 'image=half' came; expected PART=W, as --part-weight image=0.5"),
        (["image=1", "image=1"], "--part-weight names image twice; give each part one weight"),
    ],
)
def test_what_is_refused(said: list[str], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_part_weights(said)
    assert str(refused.value) == message
