"""`crosshatch reindex` and `crosshatch update`."""

import time
from functools import partial

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from integration import reattach, state
from integration import reindex as reindexing
from integration.cli import beside as rebuilding
from integration.cli import follow as following
from integration.cli.door import as_json, broker_url, cluster, errors, print_json
from integration.counts import Counts
from integration.engine.client import Cluster
from integration.parcels import Mode
from integration.settings import Settings
from mappings.errors import DataError, RequestError

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


class Bar:
    """Progress on standard error: records done, rate, time left, and what became of them."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._task: TaskID = shown.add_task("reading the index", total=None)
        self._settled = 0
        self._started = time.monotonic()

    def scanned(self, documents: int) -> None:
        """So many documents were read so far."""
        self._shown.update(self._task, description=f"reading the index: {documents}")

    def started(self, total: int, settled: int = 0) -> None:
        """The scan is over; so many records are to be encoded, and so many need nothing."""
        self._started, self._settled = time.monotonic(), settled
        self._shown.update(self._task, description=f"encoding {total} records", total=total, completed=0)

    def advanced(self, counts: Counts) -> None:
        """The counts so far. What the scan settled is not in the bar."""
        done = counts.documents - self._settled
        rate = done / max(time.monotonic() - self._started, 1e-3)
        said = f"encoded {counts.encoded}, restored {counts.restored}, failed {counts.failed.total()}, {rate:.0f}/s"
        self._shown.update(self._task, description=said, completed=done)

    def waiting(self, message: str) -> None:
        """Something that should answer does not, for now."""
        errors.print(message)


@click.command()
@click.argument("index")
@click.option("--space", metavar="S", help="Space to fill; default: the active one.")
@click.option("--force", is_flag=True, help="Encode anew what is up to date, too.")
@click.option("--beside", is_flag=True, help="INDEX is an alias: copy into a new index, encode there, change over.")
@click.option("--rollback", is_flag=True, help="Go back to the index that --beside kept, with all written since.")
@click.option("--dry-run", is_flag=True, help="Only count what would be done.")
@as_json
def reindex(
    index: str, space: str | None, force: bool, beside: bool, rollback: bool, dry_run: bool, as_json: bool
) -> None:
    """Encode every document of INDEX in place. What is up to date stays; what failed is tried again.

    Stopped at any point, it loses nothing: run it again and it does the rest.
    """
    if beside or rollback:
        if beside and rollback:
            raise RequestError("--beside and --rollback came; give one of them")
        encode = partial(_encode, force)
        rebuilding.run(index, encode, space=space, rollback=rollback, dry_run=dry_run, as_json=as_json)
        return
    _run(index, space, Mode(force=force, retry=True), dry_run=dry_run, as_json=as_json)


@click.command()
@click.argument("index")
@click.option("--follow", is_flag=True, help="Go on finding and encoding what changes, until stopped.")
@click.option("--retry", is_flag=True, help="Try again what failed and has not changed since.")
@click.option("--recheck-pictures", is_flag=True, help="Ask for every picture again, and encode anew what changed.")
@click.option("--dry-run", is_flag=True, help="Only count what would be done.")
@as_json
def update(index: str, follow: bool, retry: bool, recheck_pictures: bool, dry_run: bool, as_json: bool) -> None:
    """Encode the documents of INDEX that changed since they were encoded, or never were."""
    if recheck_pictures and (follow or dry_run):
        raise RequestError("--recheck-pictures goes with neither --follow nor --dry-run; give it alone")
    if follow and (dry_run or as_json):
        raise RequestError("--follow has no end whose result --json or --dry-run could print; give it alone")
    if follow:
        following.follow(index, retry=retry)
        return
    _run(index, None, Mode(retry=retry), recheck=recheck_pictures, dry_run=dry_run, as_json=as_json)


def _run(index: str, space: str | None, mode: Mode, *, recheck: bool = False, dry_run: bool, as_json: bool) -> None:
    begun = time.monotonic()
    with cluster() as (settings, connection), Progress(*COLUMNS, console=errors) as shown:
        known = _known(connection, index, dry_run=dry_run)
        known = known.in_space(space) if space else known
        if dry_run:
            counts = reindexing.dry_run(connection, known, mode, Bar(shown))
        else:
            counts = reindexing.run(connection, known, broker_url(settings), settings, mode, Bar(shown))
        if recheck:
            anew = reindexing.recheck(connection, known, broker_url(settings), settings, Bar(shown))
            counts.unchanged -= min(anew.documents, counts.unchanged)  # the update before had found them up to date
            counts.add(anew)
    tell(counts, time.monotonic() - begun, dry_run=dry_run, as_json=as_json)


def _known(connection: Cluster, index: str, *, dry_run: bool) -> state.Attached:
    """The attached index; one that its owner made anew is attached again, which a dry run must not do."""
    known = None if dry_run else reattach.current(connection, index)
    return known or state.attached(connection, index)


def _encode(force: bool, connection: Cluster, settings: Settings, known: state.Attached, again: bool) -> Counts:
    mode = Mode(force=force and not again, retry=True)
    with Progress(*COLUMNS, console=errors) as shown:
        return reindexing.run(connection, known, broker_url(settings), settings, mode, Bar(shown))


def tell(counts: Counts, seconds: float, *, dry_run: bool, as_json: bool) -> None:
    """Print what became of the records. Raises DataError where every one failed."""
    result = {**counts.message(), "seconds": round(seconds, 3)}
    if as_json:
        print_json(result | ({"dry_run": True} if dry_run else {}))
    else:
        verb = "would be " if dry_run else ""
        click.echo(
            f"{counts.documents} documents: {verb}encoded {counts.encoded}, {verb}restored {counts.restored}, "
            f"unchanged {counts.unchanged}, failed {counts.failed.total()} in {seconds:.1f} s"
        )
        for name, by_reason in (("failed", counts.failed), ("without a part", counts.partial)):
            for reason, number in by_reason.most_common():
                click.echo(f"  {name}: {number} {reason}")
    if counts.documents and counts.failed.total() == counts.documents:
        raise DataError("every document failed; `crosshatch problems INDEX` tells why of each")
