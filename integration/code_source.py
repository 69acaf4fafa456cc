"""Where the codes of a batch come from: the code store, the document itself, else the encoder, chunk by chunk."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

from encoders.api import Encoder, Item
from integration import pictures
from integration.jobs import Job
from integration.settings import Settings
from integration.store import CodeStore, Kept
from integration.work import Fetches, Work
from mappings.errors import BundleError, CrosshatchError

CHUNK = 16  # records whose pictures are held in memory at once
PROBE = Item("a", ())  # what every encoder that works can take


class CodeSource:
    """The codes of one job by digest: `kept` are all, `fresh` the digests that were encoded by it.

    `allowed` is asked before each chunk and raises to stop.
    """

    def __init__(
        self,
        job: Job,
        store: CodeStore,
        encoder: Callable[[], Encoder],
        settings: Settings,
        allowed: Callable[[], None],
    ) -> None:
        self._job, self._store, self._encoder, self._settings = job, store, encoder, settings
        self._allowed = allowed
        self.kept: dict[str, Kept] = {}
        self.fresh: set[str] = set()

    def obtain(self, works: Sequence[Work], *, culprit: bool) -> None:
        """Fill `kept` for every digest: from the code store, else from the document, else from the encoder.

        Of a `culprit` a process died before: it is not encoded again. Raises what `allowed` raises, and BundleError.
        """
        wanted = {work.digest: work for work in works if work.digest not in self.kept}
        if not self._job.force:
            kept = self._store.get(list(wanted), touch=True)
            usable = {d: k for d, k in kept.items() if not (self._job.retry and k.partial)}
            self.kept.update({digest: work.held for digest, work in wanted.items() if work.held} | usable)
        missing = [work for digest, work in wanted.items() if digest not in self.kept]
        new: dict[str, Kept] = {}
        if culprit:
            new = {work.digest: work.unencodable("a worker process died of it") for work in missing}
            missing = []
        for chunk, fetched in self._with_pictures(list(_chunks(missing, CHUNK))):
            self._allowed()
            new.update(self._encode(chunk, fetched))
        self._store.put({digest: kept for digest, kept in new.items() if kept.codes.parts})
        self.kept.update(new)
        self.fresh.update(new)

    def _with_pictures(self, chunks: Sequence[Sequence[Work]]) -> Iterator[tuple[Sequence[Work], list[Fetches]]]:
        """Each chunk with its pictures; the next one's are fetched while the caller encodes this one."""
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._fetch, chunks[0]) if chunks else None
            for chunk, following in zip_longest(chunks, chunks[1:]):
                fetched = coming.result() if coming else []
                coming = ahead.submit(self._fetch, following) if following else None
                yield chunk, fetched

    def _fetch(self, works: Sequence[Work]) -> list[Fetches]:
        """The pictures of each record of a chunk, fetched side by side."""
        flat = [reference for work in works for reference in work.content.pictures]
        fetched = iter(pictures.fetch_all(flat, self._settings))
        return [[next(fetched) for _ in work.content.pictures] for work in works]

    def _encode(self, works: Sequence[Work], fetched: Sequence[Fetches]) -> dict[str, Kept]:
        """Codes of a chunk by digest; one record that breaks the encoder does not take the others along."""
        encoder = self._loaded()
        items = [work.item(seen) for work, seen in zip(works, fetched, strict=True)]
        try:
            codes = encoder.encode(items)
        except Exception as error:
            if len(works) == 1:
                _demand_sound(encoder, error)
                return {works[0].digest: works[0].unencodable(f"the encoder cannot take it: {error}")}
            alone: dict[str, Kept] = {}
            for work, seen in zip(works, fetched, strict=True):
                alone.update(self._encode([work], [seen]))
            return alone
        return {w.digest: w.kept(c, seen) for w, c, seen in zip(works, codes, fetched, strict=True)}

    def _loaded(self) -> Encoder:
        try:
            return self._encoder()
        except CrosshatchError:
            raise
        except Exception as error:  # no record is at fault
            raise BundleError(f"the encoder cannot be loaded: {type(error).__name__}: {error}") from error


def _demand_sound(encoder: Encoder, error: Exception) -> None:
    """Raise BundleError where the encoder, or its device, fails at any content."""
    try:
        encoder.encode([PROBE])
    except Exception:
        raise BundleError(
            f"the encoder fails at everything: {type(error).__name__}: {error}; no record is at fault: start the "
            "worker anew, and see its device and memory"
        ) from error


def _chunks(works: Sequence[Work], size: int) -> Iterator[Sequence[Work]]:
    for start in range(0, len(works), size):
        yield works[start : start + size]
