"""`crosshatch profile suggest`."""

from pathlib import Path

import click

from integration.cli.door import as_json, cluster, print_json
from integration.suggest.sample import suggest as proposed
from mappings.errors import RequestError


@click.group()
def profile() -> None:
    """Target profiles: which fields of a catalogue are encoded."""


@profile.command()
@click.argument("index")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the YAML to a new file.")
@as_json
def suggest(index: str, out: Path | None, as_json: bool) -> None:
    """Propose a profile for INDEX from its mapping and a sample of its documents; nothing is changed."""
    if out and out.exists():
        raise RequestError(f"{out} is there already; name a new file, or remove it")
    with cluster() as (_, connection):
        found = proposed(connection, index)
    if out:
        try:
            out.write_text(found.yaml, encoding="utf-8")
        except OSError as error:
            raise RequestError(f"{out} cannot be written: {error.strerror}") from error
    if as_json:
        evidence = [{"key": key, "field": field, "why": why} for key, field, why in found.evidence]
        profile = found.profile.model_dump(mode="json", exclude_defaults=True)
        result = {"index": found.index, "sampled": found.sampled, "profile": profile, "evidence": evidence}
        print_json({**result, "notes": list(found.notes), "yaml": found.yaml})
    elif not out:
        click.echo(found.yaml, nl=False)
    click.echo(f"look through it; then `crosshatch attach {index} --target {out or 'FILE'} --check`", err=True)
