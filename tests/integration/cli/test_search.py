"""What `crosshatch search` and `crosshatch encode` refuse before they look for an engine, and what they let through."""

import pytest
from click.testing import CliRunner

from integration.cli import cli
from integration.cli.search import plain
from mappings.errors import RequestError

REFUSED = {
    "neither": ["encode"],
    "both": ["encode", "--text", "a", "--image", "b"],
    "blank": ["encode", "--text", " "],
}


@pytest.mark.parametrize("name", REFUSED)
def test_encode_takes_one_thing(name: str) -> None:
    result = CliRunner().invoke(cli, REFUSED[name])
    assert isinstance(result.exception, RequestError)
    assert str(result.exception) == "give either --text with some words or --image; each has a code of its own"


def test_a_number_must_be_one() -> None:
    result = CliRunner().invoke(cli, ["search", "biblios", "--text", "a", "--k", "many"])
    assert result.exit_code == 2
    assert "'many' is not a valid integer" in result.output


@pytest.mark.parametrize(
    ("title", "shown"),
    [("[bold]Cats[/bold]", "[bold]Cats[/bold]"), ("Cats\x1b[2J\r\n\x07", "Cats [2J   "), (None, "-"), ("猫", "猫")],
)
def test_titles_cannot_steer_the_terminal(title: str | None, shown: str) -> None:
    assert plain(title).plain == shown
