"""The tables of the README that follow from the code. `make readme` writes them; a test compares them."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click

from integration.cli import COMMANDS
from integration.settings import Settings
from tests.sources import PROJECT

README = PROJECT / "README.md"


def settings_table() -> str:
    """One row a setting: its variable, its default, what it is for."""
    rows = ["| Variable | Default | What it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(_row(f"`CROSSHATCH_{name.upper()}`", _default(field.default), _plain(field.description or "")))
    return "\n".join(rows)


def _default(value: object) -> str:
    return "none" if value is None or value == () else f"`{value}`"


def commands_table() -> str:
    """One row a command or subcommand: how it is called, its options, the first line of its help."""
    rows = ["| Command | Options | What it does |", "|---|---|---|"]
    for name in sorted(COMMANDS):
        command = getattr(importlib.import_module(f"integration.cli.{COMMANDS[name]}"), name.replace("-", "_"))
        rows += _rows(command, f"crosshatch {name}")
    return "\n".join(rows)


def _rows(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _rows(command.commands[name], f"{path} {name}")
        return
    ctx = click.Context(command, info_name=path)
    arguments = [p.make_metavar(ctx) for p in command.params if isinstance(p, click.Argument)]
    options = [_option(p, ctx) for p in command.params if isinstance(p, click.Option) and not p.hidden]
    first = (command.help or "").strip().partition("\n\n")[0]
    yield _row(f"`{' '.join([path, *arguments])}`", " ".join(options), _plain(" ".join(first.split())))


def _option(option: click.Option, ctx: click.Context) -> str:
    longest = max(option.opts, key=len)
    kinds = {"integer": "N", "integer range": "N", "float": "X", "text": option.name or ""}
    value = option.metavar or kinds.get(option.type.name, option.make_metavar(ctx)).upper()
    if isinstance(option.type, click.Choice) and not option.metavar:
        value = "|".join(map(str, option.type.choices))
    return f"`{longest}`" if option.is_flag or option.count else f"`{longest} {value}`"


def _plain(text: str) -> str:
    """Text as Markdown shows it: `<` would begin a tag."""
    return text.replace("<", "&lt;")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


TABLES = {"settings": settings_table, "commands": commands_table}


def table_in(text: str, name: str) -> str:
    """The table that stands between the marks of `name`. Raises LookupError where the marks are missing."""
    found = re.search(rf"<!-- {name} -->\n(.+?)\n<!-- /{name} -->", text, re.DOTALL)
    if not found:
        raise LookupError(f"README.md lacks a table between the marks <!-- {name} --> and <!-- /{name} -->")
    return found[1]


def write(path: Path = README) -> None:
    """Put the tables, as the code has them now, between their marks."""
    text = path.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        text = text.replace(table_in(text, name), table())
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
