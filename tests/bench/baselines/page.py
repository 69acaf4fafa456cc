"""The page of `docs/`: a set's protocol, then a table for each database, then what the methods cost."""

from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any

from encoders.methods import METHODS
from encoders.methods import named as method
from tests.bench.baselines.floats import HEADS

Document = dict[str, Any]

DIRECTIONS = {"image-text": "I→T", "text-image": "T→I"}
DATABASES = {
    "projected": "the database's own pairs, each encoded by the hash function of the modality that is looked for",
    "learned": "the training codes that the method itself gave each pair, as some published tables store them",
    "unseen": "pairs that no method saw: the odd queries are stored, the even ones ask",
}
# Order of methods in 004, Table 1 (MIRFLICKR-25K, both directions alike); no published table has these features.
ORDER = ("cca", "cmfh", "stmh", "scm-seq", "seph-km")
# From the papers' equations, by others, on the same features and split: 16, 32, 64, 128 bits.
REFERENCE = {
    ("wiki", "projected", "cmfh", "image-text"): ".228 .247 .250 .263",
    ("wiki", "projected", "cmfh", "text-image"): ".213 .229 .239 .245",
    ("wiki", "projected", "scm-seq", "image-text"): ".220 .232 .254 .255",
    ("wiki", "projected", "scm-seq", "text-image"): ".210 .238 .252 .257",
    ("wiki", "projected", "cca", "image-text"): ".187, any length",
    ("wiki", "projected", "cca", "text-image"): ".179, any length",
    ("wiki", "learned", "cmfh", "image-text"): ".223 .242 .247 .259",
    ("wiki", "learned", "cmfh", "text-image"): ".513 .523 .534 .542",
}


def written(figures: Document, notes: str) -> str:
    """Markdown of all sets, what the methods cost, and the notes on what the tables say."""
    lines = ["# Published methods, measured", "", "Written by `make baseline-tables`; do not edit.", ""]
    for name, table in figures["sets"].items():
        lines += list(section(name, table))
    lines += list(large(figures.get("costs", {})))
    return "\n".join([*lines, notes.strip(), ""])


def section(name: str, table: Document) -> Iterator[str]:
    """The tables of one set."""
    yield from (
        f"## {name}",
        "",
        f"{table['about']}.",
        "",
        f"{span(table['query'])} queries, {span(table['database'])} stored pairs, {span(table['train'])} training "
        "pairs. MAP over the whole ranking, tied items in a random order and averaged exactly; relevant is what shares "
        "a label. A query with no relevant item counts 0. Each cell is the mean of five seeds, or of as many as its "
        f"row says, ± their standard deviation where it is not 0; {table['split']}.",
        "",
        f"Chance is {figure(table['chance'])}. Floats of the same features, by cosine, against encoded pairs of the "
        f"database: {bounds(table['floats'])}. The best of them bounds what linear methods can keep in bits; kernels "
        "and networks may pass it.",
        "",
    )
    for database, told in DATABASES.items():
        rows = list(precisions(name, table["cells"], database))
        if rows:
            yield from (f"Database: {told}.", "", *rows, "")
    yield from order(table["cells"])
    yield from costs(table["cells"])


def span(numbers: list[int]) -> str:
    """`693`, or `500 to 512` where splits differ."""
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def bounds(floats: Document) -> str:
    """What each float head reaches, both directions."""
    told = (
        f"{HEADS[head]} {' and '.join(f'{figure(found[way])} ({sign})' for way, sign in DIRECTIONS.items())}"
        for head, found in floats.items()
    )
    return "; ".join(told)


def precisions(name: str, cells: Document, database: str) -> Iterator[str]:
    """One row a method and direction."""
    bits = lengths(cells)
    found = {key: cell[database] for key, cell in cells.items() if database in cell}
    if not found:
        return
    yield f"| method | | {' | '.join(f'{length} bits' for length in bits)} | reference |"
    yield f"|---|---|{'---|' * len(bits)}---|"
    for kind in METHODS:
        if kind == "itq" or not any(key.startswith(f"{kind}/") for key in found):
            continue  # ITQ by itself has two spaces: a search across them is chance
        for direction, sign in DIRECTIONS.items():
            values = [
                spread([cell[direction] for key, cell in found.items() if key.startswith(f"{kind}/{length}/")])
                for length in bits
            ]
            seeds = min(sum(key.startswith(f"{kind}/{length}/") for key in found) for length in bits)
            label = kind if seeds == 5 else f"{kind} ({seeds} seed{'s' * (seeds > 1)})"
            beside = REFERENCE.get((name, database, kind, direction), "")
            yield f"| {label if sign == 'I→T' else ''} | {sign} | {' | '.join(values)} | {beside} |"


def order(cells: Document) -> Iterator[str]:
    """Whether the published order holds, pair by pair."""
    yield "Published ordering (004, Table 1, on other features and sets; no published table has these): " + " < ".join(
        ORDER
    )
    yield ""
    yield "| pair | I→T: lengths at which it holds | T→I |"
    yield "|---|---|---|"
    kinds = [kind for kind in ORDER if any(key.startswith(f"{kind}/") for key in cells)]
    for worse, better in pairwise(kinds):
        held = [
            [
                str(length)
                for length in lengths(cells)
                if mean(cells, worse, length, direction) < mean(cells, better, length, direction)
            ]
            for direction in DIRECTIONS
        ]
        yield f"| {worse} < {better} | {' | '.join(', '.join(one) or 'none' for one in held)} |"
    yield ""


def costs(cells: Document) -> Iterator[str]:
    """Training time and encode rate, medians over seeds, at the shortest and the longest code."""
    bits = (min(lengths(cells)), max(lengths(cells)))
    yield "Processor time on one core of a machine at work on other things: compare ratios only."
    yield ""
    yield f"| method | learns from labels | fit, s at {bits[0]} / {bits[1]} bits | codes/s at {bits[1]} bits |"
    yield "|---|---|---|---|"
    for kind in METHODS:
        fits = [[cell["fit_s"] for key, cell in cells.items() if key.startswith(f"{kind}/{b}/")] for b in bits]
        rates = [cell["codes_per_s"] for key, cell in cells.items() if key.startswith(f"{kind}/{bits[1]}/")]
        if all(fits):
            times = " / ".join(f"{sorted(one)[len(one) // 2]:.2g}" for one in fits)
            labels = "yes" if method(kind).supervised else ""
            yield f"| {kind} | {labels} | {times} | {sorted(rates)[len(rates) // 2]:,} |"
    yield ""


def large(found: Document) -> Iterator[str]:
    """What each method takes of 10,000 pairs; `found` by method, and `nothing`: the features alone."""
    if not found:
        return
    one = next(iter(found.values()))
    empty = found["nothing"]["memory_mb"] / 1000
    yield from (
        "## What a method takes",
        "",
        f"{one['pairs']:,} pairs of {one['width']}-d features on both sides (made, one seed), {one['bits']} bits, on "
        "two cores, each method in a process of its own. Memory is the most that the process ever held; "
        f"{empty:.1f} GB of it are libraries and the features. No method makes a matrix of all pairs by all pairs (a "
        "test holds it), which here would take 0.8 GB more, and 80 GB at 100,000 pairs.",
        "",
        "| method | fit, s | processor time, s | codes/s | memory, GB |",
        "|---|---|---|---|---|",
    )
    for kind in METHODS:
        if kind in found:
            cost = found[kind]
            yield (
                f"| {kind} | {cost['fit_s']:.3g} | {cost['processor_s']:.3g} | {cost['codes_per_s']:,} | "
                f"{cost['memory_mb'] / 1000:.1f} |"
            )
    yield ""


def lengths(cells: Document) -> list[int]:
    """The code lengths that were measured, rising."""
    return sorted({int(key.split("/")[1]) for key in cells})


def mean(cells: Document, kind: str, bits: int, direction: str) -> float:
    """MAP against projected codes, over the seeds."""
    values = [cell["projected"][direction] for key, cell in cells.items() if key.startswith(f"{kind}/{bits}/")]
    return fmean(values)


def spread(values: list[float]) -> str:
    """Mean, and the deviation where seeds differ."""
    if not values:
        return ""
    deviation = stdev(values) if len(values) > 1 else 0.0
    return figure(fmean(values)) + (f" ± {figure(deviation)}" if deviation >= 0.0005 else "")


def figure(value: float) -> str:
    """Three digits, without the zero before the point."""
    return f"{value:.3f}".removeprefix("0")
