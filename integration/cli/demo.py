"""`crosshatch demo`."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from integration.cli.door import as_json, errors, print_json
from integration.cli.reindex import COLUMNS, Bar
from integration.demo.run import INDEX, Demo
from integration.demo.run import demo as running_demo
from integration.engine.services import Engine
from integration.settings import load


@click.command()
@click.option("--once", is_flag=True, help="End after the searches instead of serving until Ctrl-C.")
@click.option("--engine", type=click.Choice(["embedded", "docker", "url"]), default="embedded", show_default=True)
@as_json
def demo(once: bool, engine: Engine, as_json: bool) -> None:
    """Run the main job on a sample catalogue: start, load, attach, encode, search by words, picture and both."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as Ctrl-C ends, with everything stopped
    settings = load()
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        shown = stack.enter_context(Progress(*COLUMNS, console=errors, transient=True))
        done = stack.enter_context(running_demo(settings, engine, Bar(shown), errors.print))
        shown.stop()
        if as_json:
            print_json(done.message())
        else:
            _show(done)
        if not once:
            _serve(settings.data)


def _show(done: Demo) -> None:
    console = Console()
    for search in done.searches:
        title = f"{search['kind']}: {search['query']} ({search['total']} records)"
        table = Table("", "title", "score", "words", "distance", "by", title=title, title_justify="left")
        for rank, hit in enumerate(search["hits"], 1):
            table.add_row(str(rank), hit["title"], *_figures(hit))
        console.print(table)
    counts, seconds = done.counts, done.seconds
    console.print(
        f"{counts.documents} records: {counts.encoded} encoded, {counts.restored} restored, "
        f"{counts.unchanged} unchanged, {counts.failed.total()} failed"
    )
    console.print(", ".join(f"{stage} {spent:.1f} s" for stage, spent in seconds.items()))


def _figures(hit: dict[str, Any]) -> tuple[str, str, str, str]:
    words = "-" if hit["bm25"] is None else f"{hit['bm25']:.2f}"
    return f"{hit['score']:.3f}", words, "-" if hit["distance"] is None else str(hit["distance"]), hit["part"] or "-"


def _serve(data: Path) -> None:
    """Wait for Ctrl-C, with three commands to try."""
    program = ".venv/bin/crosshatch" if Path(".venv/bin/crosshatch").exists() else "crosshatch"
    known = f"CROSSHATCH_DATA={data} " if "CROSSHATCH_DATA" in os.environ else ""
    click.echo("\nServing until Ctrl-C. Try in another terminal:\n")
    click.echo(f'  {known}{program} search {INDEX} --text "something to drink" --explain')
    click.echo(f"  {known}{program} search {INDEX} --like picture-1f433")
    click.echo(f"  {known}{program} search {INDEX} --image {data / 'demo' / 'pictures' / '1F3F0.png'} --text castle")
    while True:
        time.sleep(3600)
