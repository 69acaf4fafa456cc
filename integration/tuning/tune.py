"""Fit an index's weights to judgments or clicks, and write them where they do better on queries not fitted on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from integration import state, weights
from integration.engine.client import Cluster
from integration.search.run import Searcher, target_of
from integration.tuning.fitting import LEAST, Fitted, Fitting
from integration.tuning.judgments import TOLD, Topic, read
from integration.tuning.pools import Asked, asked
from integration.tuning.ranking import Limits, Numbers, Pool
from mappings.errors import RequestError
from mappings.fields import PARTS


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came out. `before` and `after` are mean nDCG at 10 of `queries` queries, `after` by numbers that each query
    had no part in fitting; so many rank `better`, so many `worse`.

    `silent` queries were left out, since their clicks prefer nothing; so many clicked or shown records are `gone`.
    """

    index: str
    space: str
    queries: int
    silent: int
    gone: int
    before: float
    after: float
    better: int
    worse: int
    now: Numbers
    fitted: Numbers
    rises: bool
    written: bool = False

    def listed(self) -> dict[str, Any]:
        """As JSON."""
        ndcg = {name: round(getattr(self, name), 4) for name in ("before", "after")}
        return {**asdict(self), **ndcg, "now": listed(self.now), "fitted": listed(self.fitted)}


def listed(numbers: Numbers) -> dict[str, Any]:
    """Numbers as JSON, by their names in the state."""
    parts = dict(zip(PARTS, numbers.parts, strict=True))
    return {"weight": numbers.weight, "saturation": numbers.saturation, "part_weights": parts}


def tune(
    searcher: Searcher,
    index: str,
    file: Path,
    *,
    dry_run: bool = False,
    shown: Callable[[Sequence[Topic]], Iterable[Topic]] = lambda topics: topics,
) -> Tuning:
    """Read the judgments, ask the engine, fit, and write the numbers unless `dry_run`. `shown` tells of the progress.

    Raises RequestError for a file that says something wrong or too little, and what a search raises.
    """
    judged = read(file)
    check_enough(len(judged.topics), judged.silent)
    known = state.attached(searcher.cluster, index)
    target = target_of(known, searcher.find(known.bundle.reference, data=searcher.settings.data))
    target = replace(target, index=index)  # as it was asked: an alias may hold a filter
    told = [asked(searcher, known, target, topic, file.parent) for topic in shown(judged.topics)]
    check_known(index, [one for one in told if not one.topic.clicked])
    pools = [(one.topic, one.pool) for one in told if one.pool is not None]
    silent = judged.silent + len(told) - len(pools)
    check_enough(len(pools), silent)
    limits = Limits(target.k, target.min_similarity)
    now = Numbers(target.weight, target.saturation, tuple(target.part_weight(part, {}) for part in PARTS))
    fitted = fit(pools, now, limits)
    better, worse = int((fitted.after > fitted.before).sum()), int((fitted.after < fitted.before).sum())
    written = fitted.rises and fitted.numbers != now and not dry_run
    if written:
        write(searcher.cluster, known, fitted.numbers)
    return Tuning(
        index=known.index,
        space=known.space,
        queries=len(pools),
        silent=silent,
        gone=sum(len(one.unknown) for one in told),
        before=float(fitted.before.mean()),
        after=float(fitted.after.mean()),
        better=better,
        worse=worse,
        now=now,
        fitted=fitted.numbers,
        rises=fitted.rises,
        written=written,
    )


def fit(pools: Sequence[tuple[Topic, Pool]], now: Numbers, limits: Limits) -> Fitted:
    """The numbers that rank these best; what is asked twice is in one fold."""
    return Fitting([pool for _, pool in pools], now, limits).fitted([str(topic.query) for topic, _ in pools])


def write(cluster: Cluster, known: state.Attached, numbers: Numbers) -> None:
    """Make them the index's own, and those of the space that they were fitted for."""
    told = listed(numbers)
    parts = told.pop("part_weights")
    weights.change(cluster, known.index, told, parts, known.space)


def check_enough(queries: int, silent: int) -> None:
    """Raises RequestError where so few queries say nothing of others."""
    if queries < LEAST:
        raise RequestError(
            f"{queries} queries can be judged by; expected at least {LEAST}, so that weights fitted on some can be "
            "held against the others" + (f"; of {silent} more the clicks prefer no record to another" if silent else "")
        )


def check_known(index: str, told: Sequence[Asked]) -> None:
    """Raises RequestError where records are judged that the index does not hold."""
    gone = sorted((one.topic.lines[record], record) for one in told for record in one.unknown)
    if gone:
        named = ", ".join(f"{record!r} (line {line})" for line, record in gone[:TOLD])
        more = f" and {len(gone) - TOLD} more" if len(gone) > TOLD else ""
        raise RequestError(f"index {index} has no record {named}{more}; take these judgments out, or mend the ids")
