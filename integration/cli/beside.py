"""`crosshatch reindex --beside` and `--rollback`."""

import time
from collections.abc import Callable
from dataclasses import replace

import click

from integration import beside as rebuilding
from integration import jobs, state
from integration.cli.door import broker_url, cluster, errors, manners, print_json
from integration.counts import Counts
from integration.engine.client import Cluster
from integration.settings import Settings
from mappings.errors import RequestError, WorkerUnavailable

Encode = Callable[[Cluster, Settings, state.Attached, bool], Counts]  # the last: whether it is not the first time


def run(name: str, encode: Encode, *, space: str | None, rollback: bool, dry_run: bool, as_json: bool) -> None:
    """Rebuild the index behind alias `name` beside itself, or go back to the one before."""
    if rollback and dry_run:
        raise RequestError("--rollback has no dry run; `crosshatch reindex` with --rollback alone goes back")
    begun = time.monotonic()
    rounds: list[Counts] = []
    with cluster() as (settings, connection):
        if dry_run:
            _show(rebuilding.plan(connection, name), as_json=as_json)
            return
        if not jobs.live_workers(jobs.queue_app(broker_url(settings))):  # rather now than after hours of copying
            raise WorkerUnavailable("no worker answers; start one with `crosshatch worker`, then run this again")

        def bring_up_to_date(known: state.Attached) -> None:
            known = known.in_space(space) if space else known
            rounds.append(encode(connection, settings, known, bool(rounds)))

        act = rebuilding.rollback if rollback else rebuilding.run
        done = act(connection, name, bring_up_to_date, errors.print, manners(settings, connection).admit)
    counts = _sum(rounds)
    if as_json:
        print_json({**counts.message(), "seconds": round(time.monotonic() - begun, 3), "beside": done.listed()})
        return
    click.echo(f"{name} means {done.now} now, with {done.documents} documents ({done.carried_late} carried late)")
    click.echo(f"{done.before} is kept, for `crosshatch reindex {name} --rollback`; delete it when it is not needed")


def _sum(rounds: list[Counts]) -> Counts:
    """The counts of the last round; what an earlier one wrote is not unchanged, but encoded or restored."""
    last = rounds[-1]
    encoded, restored = (sum(getattr(one, what) for one in rounds) for what in ("encoded", "restored"))
    unchanged = max(last.documents - last.failed.total() - encoded - restored, 0)
    return replace(last, encoded=encoded, restored=restored, unchanged=unchanged)


def _show(plan: rebuilding.Plan, *, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": True, "beside": plan.listed()})
        return
    size = plan.size
    click.echo(f"would build {plan.now} beside {plan.before} and then move {', '.join(plan.aliases)} to it")
    click.echo(f"{size.documents} documents; needs {size.needed_bytes:,} bytes of {size.free_bytes:,} that are free")
