"""The command line. Each command lives in its own module and is imported only when it is asked for."""

import importlib
import sys

import click

from mappings.errors import CrosshatchError

COMMANDS = {
    "attach": "attach",
    "codes": "codes",
    "demo": "demo",
    "detach": "attach",
    "doctor": "doctor",
    "encode": "encode",
    "encoders": "encoders",
    "engine": "engine",
    "evaluate": "evaluate",
    "load": "load",
    "off": "switch",
    "on": "switch",
    "plans": "plans",
    "problems": "problems",
    "profile": "profile",
    "reindex": "reindex",
    "roles": "roles",
    "search": "search",
    "serve": "serve",
    "spaces": "spaces",
    "status": "status",
    "train": "train",
    "tune-weights": "tune_weights",
    "update": "reindex",
    "weights": "weights",
    "widen": "widen",
    "worker": "worker",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is named, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the alphabet."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, which is the function of that name in its module, `-` being `_` there."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"integration.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crosshatch-search", prog_name="crosshatch")
def cli() -> None:
    """Cross-modal search for a library catalogue: words find pictures, pictures find words."""


def main() -> None:
    """Run the command line; an error of ours becomes one line on standard error and its exit code."""
    try:
        cli(prog_name="crosshatch")
    except CrosshatchError as error:
        click.echo(f"crosshatch: {error}", err=True)
        sys.exit(error.exit_code)
