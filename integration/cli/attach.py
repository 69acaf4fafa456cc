"""`crosshatch attach` and `crosshatch detach`."""

import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from encoders.api import BundleCard
from integration import attach as attaching
from integration import state
from integration.cli.door import as_json, cluster, manners, print_json
from integration.engine.client import Cluster, part
from integration.fitting import card_of
from integration.settings import Settings
from mappings.profile import TargetProfile


@click.command()
@click.argument("index")
@click.option("--target", metavar="NAME|FILE", help="Target profile: a shipped one, or a YAML file.")
@click.option("--encoder", metavar="BUNDLE", help="Encoder bundle: name, folder or clip:<folder or name>.")
@click.option("--check", is_flag=True, help="Only tell what would happen and every reason to refuse.")
@click.option("--allow-final-pipeline", is_flag=True, help="Attach although a final_pipeline runs on our writes too.")
@as_json
@click.pass_context
def attach(
    context: click.Context,
    index: str,
    target: str | None,
    encoder: str | None,
    check: bool,
    allow_final_pipeline: bool,
    as_json: bool,
) -> None:
    """Add our field to INDEX, which stays as it is otherwise; nothing is encoded yet."""
    with cluster() as (settings, connection):
        plan = _plan(connection, settings, index, target, encoder, allow_final_pipeline)
        if as_json:
            print_json({"ok": plan.ok, "checks": [asdict(one) for one in plan.checks]})
        else:
            _show(plan, only_asked=check)
        if check:
            context.exit(0 if plan.ok else 1)
        known = attaching.attach(connection, plan)
    click.echo(f"attached; now run `crosshatch reindex {known.index}`", err=True)


@click.command()
@click.argument("index")
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")
@click.option("--drop-codes", is_flag=True, help="Delete the code store too; codes would have to be encoded anew.")
@as_json
def detach(index: str, yes: bool, drop_codes: bool, as_json: bool) -> None:
    """Take our field out of every document of INDEX and forget it. An inert mapping stays."""
    with cluster() as (settings, connection):
        known = state.attached(connection, index)
        if not yes and sys.stdin.isatty():  # a script means what it says; nothing is lost that attach cannot bring back
            click.confirm(f"Take the codes out of every document of {known.index}?", abort=True, err=True)
        admit = manners(settings, connection).admit
        changed = attaching.detach(connection, known, drop_codes=drop_codes, admit=admit)
        dropped = drop_codes and not connection.exists(f"/{part(known.store)}")
    if as_json:
        print_json({"index": known.index, "changed": changed, "codes_dropped": dropped})
        return
    click.echo(f"{changed} documents of {known.index} are as they were before attach")
    if drop_codes and not dropped:
        click.echo(f"its codes are kept in {known.store}, which another attached index uses")
    elif not dropped:
        click.echo(f"its codes are kept in {known.store}, for attaching again; delete that index if you never will")


def _plan(
    connection: Cluster,
    settings: Settings,
    index: str,
    target: str | None,
    encoder: str | None,
    allow_final_pipeline: bool,
) -> attaching.Plan:
    def card(name: str, profile: TargetProfile) -> BundleCard:
        return card_of(connection, name, profile, encoder or settings.encoder, settings)

    return attaching.plan(
        connection, index, target, card, allow_final_pipeline=allow_final_pipeline, keep_encoder=encoder is None
    )


def _show(plan: attaching.Plan, *, only_asked: bool) -> None:
    table = Table(title=f"Attach {plan.index}", show_lines=False)
    for heading in ("check", "", "found"):
        table.add_column(heading)
    for one in plan.checks:
        table.add_row(one.name, "passed" if one.ok else "REFUSED", one.why if one.ok else f"{one.why}: {one.do}")
    console = Console()
    console.print(table)
    console.print(f"profile {plan.profile.name} ({plan.profile.versioning} versions), space {plan.space}")
    adds = "would add" if only_asked else "adds"
    console.print(adds if plan.ok else "refused; with every check passed it adds", end=" ")
    console.print(
        f"the object field crosshatch.{plan.space}, a hidden write alias, a code store and two stored scripts"
    )
