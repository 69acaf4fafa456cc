"""`crosshatch search`."""

from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integration.cli.door import as_json, cluster, print_json
from integration.cli.weights import part_weight_option, read_part_weights
from integration.engine.services import found
from integration.search.asking import printable
from integration.search.hits import Hit, SearchResult, explained
from integration.search.pictures import read_picture
from integration.search.request import Fusion, Plan, SearchRequest
from integration.search.run import Searcher
from integration.search.scoring import Scoring
from integration.settings import Settings
from mappings.errors import RequestError, Unavailable


@click.command()
@click.argument("index")
@click.option("--text", metavar="T", help="Words to search for.")
@click.option("--image", metavar="FILE|URL", help="A picture to search for.")
@click.option("--like", metavar="ID", help="A record whose codes are the query; it is no hit itself.")
@click.option(
    "--filter", "filters", multiple=True, metavar="FIELD=VALUE", help="Only records with this value; repeatable."
)
@click.option("--size", default=10, show_default=True, help="Hits a page.")
@click.option("--page", default=1, show_default=True, help="Pages count from 1.")
@click.option("--weight", type=float, help="Share of the codes in the score: 0 is BM25 alone, 1 the codes alone.")
@click.option("--k", type=int, help="How many similar records are hits though the words do not match.")
@click.option("--min-similarity", type=float, help="How similar those must be, from 0 to 1.")
@click.option(
    "--on", multiple=True, metavar="PART", help="Stored part to compare with: text, image, record; repeatable."
)
@part_weight_option
@click.option(
    "--plan", type=click.Choice(get_args(Plan)), default="auto", show_default=True, help="How it is searched."
)
@click.option(
    "--budget",
    "budget_ms",
    type=float,
    metavar="MS",
    help="Milliseconds that the engine may take: the plan that finds the most within them is chosen.",
)
@click.option(
    "--fusion",
    type=click.Choice(get_args(Fusion)),
    default="auto",
    show_default=True,
    help="How words and codes are brought together: rrf by rank, else by score.",
)
@click.option(
    "--scoring",
    type=click.Choice(get_args(Scoring)),
    default="symmetric",
    show_default=True,
    help="How the bits of the query's code count: each the same, or by how sure the encoder is of it.",
)
@click.option("--explain", is_flag=True, help="Tell how each score came about.")
@click.option(
    "--show-query", is_flag=True, help="Print the requests as JSON, ready for any client, instead of the hits."
)
@as_json
def search(index: str, image: str | None, explain: bool, show_query: bool, as_json: bool, **asked: Any) -> None:
    """Search INDEX by words, by a picture, by both, or by a record that it holds."""
    with cluster() as (settings, connection):
        picture = None if image is None else read_picture(image, settings)
        filters = tuple(_filter(text) for text in asked.pop("filters"))
        parts = tuple(part.strip() for several in asked.pop("on") for part in several.split(","))
        weights = read_part_weights(asked.pop("part_weights"))
        request = SearchRequest(image=picture, filters=filters, on=parts, part_weights=weights, **asked)
        searcher = Searcher(connection, settings, known_broker(settings))
        if show_query:
            click.echo(printable(connection, searcher.prepare(index, request).plan))
            return
        result = searcher.search(index, request)
    if as_json:
        print_json(result.listed(explain=explain))
    else:
        _print_table(result, request, explain=explain)


def known_broker(settings: Settings) -> str | None:
    """The broker, if one is set or runs: a query can be encoded without."""
    try:
        return settings.redis_url or found(settings).broker_url
    except Unavailable:
        return None


def _filter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise RequestError(f"--filter {text!r} came; expected FIELD=VALUE, as --filter language=eng")
    return name, value


def _print_table(result: SearchResult, request: SearchRequest, *, explain: bool) -> None:
    console = Console()
    table = Table("#", "id", "title", "score", "BM25", "bits off", "part")
    for rank, hit in enumerate(result.hits, start=request.start + 1):
        table.add_row(str(rank), plain(hit.id), plain(hit.title), f"{hit.score:.4f}", *_how(hit))
    console.print(table)
    count = f"{result.total} {'hit' if result.total == 1 else 'hits'}"
    console.print(
        f"{count}, page {request.page}; plan {result.plan.name}, {result.took_ms:.0f} ms, "
        f"query encoded by {result.encoded_by}" + (f"\nplan {result.plan.name}: {result.plan.why}" if explain else "")
    )
    for rank, hit in enumerate(result.hits if explain else (), start=request.start + 1):
        parts = explained(hit, result.plan)
        words, codes = (
            (f"c {parts['saturation']:g}", f"w {parts['weight']:g}")
            if result.plan.ranks is None
            else (f"rank {parts['words_rank'] or '-'}", f"rank {parts['codes_rank'] or '-'}, w {parts['weight']:g}")
        )
        console.print(
            f"{rank}: {parts['words']:.4f} from the words (BM25 {hit.bm25 or 0:.3f}, {words}) "
            f"+ {parts['codes']:.4f} from the codes (similarity {parts['similarity']:.4f}, {codes})"
        )


def _how(hit: Hit) -> tuple[str, str, str]:
    bm25 = "-" if hit.bm25 is None else f"{hit.bm25:.3f}"
    part = hit.part or "-"
    distance = "-" if hit.distance is None else str(hit.distance)
    return bm25, distance, part if hit.picture is None else f"{part} {hit.picture}"


def plain(value: str | None) -> Text:
    """A catalogue's text for the terminal: no markup, no control characters."""
    return Text("".join(sign if sign.isprintable() else " " for sign in value or "-"))
