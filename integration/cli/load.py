"""`crosshatch load`: files of records into an index."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from integration.engine.client import Cluster
from integration.engine.services import found
from integration.load import Loaded, load_files
from integration.settings import Settings
from integration.settings import load as settings_of
from integration.sources.formats import READERS


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--index", required=True, metavar="NAME", help="Index to load into; made if there is none.")
@click.option("--format", "form", type=click.Choice(list(READERS)), help="Default: what each file's content shows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def load(context: click.Context, files: tuple[Path, ...], index: str, form: str | None, as_json: bool) -> None:
    """Load bibliographic records: ISO 2709 MARC21, MARCXML, Dublin Core XML or JSON lines, gzip or not.

    Loading a file again replaces its records. The index is then ready for `crosshatch attach NAME`.
    """
    counts = _loaded(settings_of(), files, index, form)
    click.echo(json.dumps(asdict(counts), ensure_ascii=False) if as_json else _summary(counts, index))
    if counts.loaded == 0:
        context.exit(1)


def _loaded(settings: Settings, files: tuple[Path, ...], index: str, form: str | None) -> Loaded:
    """Load with a line of progress on standard error."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    cluster = Cluster(settings.opensearch_url or found(settings).url)
    try:
        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task("reading")
            return load_files(
                cluster, files, index, form=form, progress=lambda c: shown.update(task, description=_line(c))
            )
    finally:
        cluster.close()


def _line(counts: Loaded) -> str:
    return f"{counts.read} read, {counts.loaded} loaded, {counts.read - counts.loaded} failed or under way"


def _summary(counts: Loaded, index: str) -> str:
    failed = counts.read - counts.loaded
    done = f"{counts.loaded} of {counts.read} records loaded into {index} in {counts.seconds} s"
    lines = [f"{done} ({counts.replaced} replaced)"]
    lines += [f"  {one['id']}: {one['why']}" for one in counts.failed]
    lines += [f"  and {failed - len(counts.failed)} more"] if failed > len(counts.failed) else []
    return "\n".join(lines)
