"""Take what is ours out of every document again, by guarded writes: all on detach, one space when it is dropped."""

import logging
import time
from collections.abc import Callable, Sequence

from integration import problems, scan
from integration.engine.client import Cluster, part
from integration.writer import GuardedIndex, Key, Outcome, Refusal
from mappings.errors import DataError, EngineUnavailable, WriteRefused

ROUNDS = 20
LONGEST = 5.0  # seconds between two rounds
PIECE = 50  # documents between two looks at manners: at a slow rate a page would take longer than anybody waits
log = logging.getLogger(__name__)


def empty(
    cluster: Cluster,
    index: str,
    guarded: GuardedIndex,
    name: str,
    without: Callable[[bytes], bytes],
    *,
    admit: Callable[[int], None] = lambda _: None,
) -> int:
    """Write each document of `index` as `without` gives it; return how many were changed.

    Only documents that hold `name`, or an escape that may spell it, are read. `admit` is called with the number of
    documents before each piece of a page: it may wait, or raise to stop. Raises WriteRefused where the engine takes no
    document, or where the catalogue is faster at every try, and EngineUnavailable where the engine stays too busy.
    """
    changed = 0
    for attempt in range(ROUNDS):
        if attempt:
            time.sleep(min(0.05 * 2**attempt, LONGEST))
        cluster.request("POST", f"/{part(index)}/_refresh")
        left = busy = 0
        for page in scan.pages(cluster, index):
            keys = [hit.key for hit in page if name.encode() in hit.source or b"\\u00" in hit.source]
            for start in range(0, len(keys), PIECE):
                piece = keys[start : start + PIECE]
                admit(len(piece))
                done, missed, refused = _empty_piece(guarded, piece, without)
                changed, left, busy = changed + done, left + missed, busy + refused
        if not left + busy:
            return changed
    if busy:
        raise EngineUnavailable(f"the engine is too busy to take {busy} documents of {index}; run this again later")
    raise WriteRefused(f"{left} documents of {index} changed at every try; stop what writes to it, and run this again")


def _empty_piece(guarded: GuardedIndex, keys: Sequence[Key], without: Callable[[bytes], bytes]) -> tuple[int, int, int]:
    """How many were changed, changed by the catalogue meanwhile, and refused by a busy engine."""
    puts = [
        (current, emptied)
        for current in guarded.read(keys)
        if current is not None and (emptied := _emptied(current.source, without)) != current.source
    ]
    outcomes = guarded.write(puts)
    refused = next((outcome for outcome in outcomes if isinstance(outcome, Refusal)), None)
    if refused:
        raise WriteRefused(f"the engine refuses to write a document without our field: {refused.reason}")
    unproven = [put[0].key.id for put, outcome in zip(puts, outcomes, strict=True) if outcome is Outcome.UNPROVEN]
    if unproven:
        log.warning("%s: records %s", problems.MAYBE_OVERWRITTEN[1].partition(".")[0], ", ".join(unproven))
    done = sum(outcome in (Outcome.WRITTEN, Outcome.UNPROVEN) for outcome in outcomes)
    return done, outcomes.count(Outcome.CONFLICT), outcomes.count(Outcome.BUSY)


def _emptied(source: bytes, without: Callable[[bytes], bytes]) -> bytes:
    try:
        return without(source)
    except DataError:  # then `splice.put` never wrote to it either, and it must not stop the others
        return source
