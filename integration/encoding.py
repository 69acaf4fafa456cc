"""What a worker does with a batch of ids: read, encode or restore, keep, write, and write down what failed."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Any, Protocol

from encoders.api import Encoder
from integration import pictures, problems, records, splice, state, switch
from integration.counts import Counts
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.manners import Manners
from integration.settings import Settings
from integration.store import CodeStore, Kept
from integration.work import Fetches, Work
from integration.writer import GuardedIndex, Key, Outcome, Refusal
from mappings.errors import CodeLengthError, DataError, EngineUnavailable
from mappings.fields import OBJECT, StoredCodes

ROUNDS = 6  # a record that the catalogue changes faster than this is left for the next update
CHUNK = 16  # records whose pictures are held in memory at once


class Watch(Protocol):
    """Tells which record a process died of, when a job comes a second time."""

    def culprits(self) -> set[str]:
        """Ids of records that a process died of."""
        ...

    def trying(self, record: str) -> None:
        """Note that `record` is next."""
        ...

    @property
    def again(self) -> bool:
        """Whether the job was delivered before and never ended."""
        ...


class BatchEncoding:
    """One job, from ids to written codes. Running it twice writes the same bytes."""

    def __init__(
        self,
        job: Job,
        known: state.Attached,
        cluster: Cluster,
        encoder: Callable[[], Encoder],
        settings: Settings,
        manners: Manners | None = None,
    ) -> None:
        self._job, self._known, self._cluster = job, known, cluster
        self._encoder, self._settings = encoder, settings
        self._manners = manners or Manners(cluster, settings)
        self._index = GuardedIndex(cluster, known.alias, known.profile.versioning)
        bits = known.bundle.bits
        self._store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=bits)
        self._switch = switch.Switch(cluster, known.index)
        self._kept: dict[str, Kept] = {}
        self._fresh: set[str] = set()  # digests encoded by this job
        self._tried: set[str] = set()  # records that this job sent a write for
        self._busy: set[str] = set()  # records whose last write the engine was too busy for
        self._counts = Counts()
        self._problems: list[problems.Problem] = []
        self._solved: list[str] = []

    def run(self, watch: Watch) -> Counts:
        """Encode and write every record of the job. Raises an Unavailable: run it all again then."""
        before = problems.of_records(self._cluster, self._known, [key.id for key in self._job.keys])
        try:
            self._rounds(watch, before)
        finally:  # what is known of a record that was written must not be lost where another one stops the job
            problems.update(self._cluster, self._known, self._problems, [r for r in self._solved if r in before])
        return self._counts

    def _rounds(self, watch: Watch, before: dict[str, problems.Problem]) -> None:
        pending: Sequence[Key] = self._job.keys
        for attempt in range(ROUNDS):
            if attempt:
                time.sleep(min(0.05 * 2**attempt, 2.0))
            self._manners.admit(len(pending), self._switch.check)
            works = self._stale(pending, before)
            self._obtain(works, watch)
            pending = self._write(works)
            if not pending:
                break
        for key in pending:
            if key.id not in self._busy:
                self._fail(key, "", "write-refused", "the catalogue changed it at every try")
        if self._busy:
            raise EngineUnavailable(f"the engine was too busy to write {len(self._busy)} records at every try")

    def _stale(self, keys: Sequence[Key], before: dict[str, problems.Problem]) -> list[Work]:
        """The records among `keys`, as they are now, that are yet to be written; the others are counted."""
        return [work for work in self._read(keys) if not self._is_done(work, before)]

    def _read(self, keys: Sequence[Key]) -> Iterator[Work]:
        for key, current in zip(keys, self._index.read(keys), strict=True):
            if current is None:
                self._counts.failed["gone"] += 1
                self._solved.append(key.id)
                continue
            try:
                document = json.loads(current.source)
            except (ValueError, RecursionError) as error:
                self._fail(key, "", "text-unreadable", f"the document cannot be read: {error}")
                continue
            content = records.read(document, self._known.profile)
            digest = content.digest(self._known.profile, self._known.bundle.digest)
            yield Work(current, content, digest, stored_members(document, self._known.space))

    def _is_done(self, work: Work, before: dict[str, problems.Problem]) -> bool:
        """Count a record that already holds the codes of its content."""
        record = work.current.key.id
        if work.digest in self._fresh:
            if work.members is None or work.members != self._members(work.digest):
                return False
            # it was so before, or an earlier write of this job arrived although its answer did not
            self._count(work, self._kept[work.digest], written=record in self._tried)
            return True
        if not up_to_date(work.members, work.digest, self._known.bundle.bits):
            return False
        if self._job.force or (self._job.retry and record in before):
            return False
        self._counts.unchanged += 1
        if record in before:
            self._counts.partial[before[record].reason] += 1
        return True

    def _obtain(self, works: Sequence[Work], watch: Watch) -> None:
        """Fill `_kept` for every digest: from the code store, else from the encoder."""
        wanted = {work.digest: work for work in works if work.digest not in self._kept}
        if not self._job.force:
            kept = self._store.get(list(wanted), touch=True)
            usable = {d: k for d, k in kept.items() if not (self._job.retry and k.partial)}
            self._kept.update(usable)
        missing = [work for digest, work in wanted.items() if digest not in self._kept]
        new: dict[str, Kept] = {}
        for chunk, fetched in self._with_pictures(list(_chunks(missing, 1 if watch.again else CHUNK))):
            self._switch.check()
            new.update(self._encode(chunk, fetched, watch))
        self._store.put({digest: kept for digest, kept in new.items() if kept.codes.parts})
        self._kept.update(new)
        self._fresh.update(new)

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

    def _encode(self, works: Sequence[Work], fetched: Sequence[Fetches], watch: Watch) -> dict[str, Kept]:
        """Codes of a chunk by digest; one record that breaks the encoder does not take the others along."""
        if watch.again:  # the chunk is one record
            record = works[0].current.key.id
            if record in watch.culprits():
                return {works[0].digest: works[0].unencodable("a worker process died of it")}
            watch.trying(record)
        items = [work.item(seen) for work, seen in zip(works, fetched, strict=True)]
        try:
            codes = self._encoder().encode(items)
        except (RuntimeError, ValueError, MemoryError) as error:
            if len(works) == 1:
                return {works[0].digest: works[0].unencodable(f"the encoder cannot take it: {error}")}
            alone: dict[str, Kept] = {}
            for work, seen in zip(works, fetched, strict=True):
                alone.update(self._encode([work], [seen], watch))
            return alone
        return {w.digest: w.kept(c, seen) for w, c, seen in zip(works, codes, fetched, strict=True)}

    def _write(self, works: Sequence[Work]) -> list[Key]:
        """Write what changed; return the keys that must be read again."""
        puts: list[tuple[Work, bytes]] = []
        for work in works:
            kept = self._kept[work.digest]
            members = self._members(work.digest)
            if members == work.members:
                self._count(work, kept, written=False)
                continue
            try:
                puts.append((work, splice.put(work.current.source, self._known.space, members)))
            except DataError as error:
                self._fail(work.current.key, work.digest, "write-refused", str(error))
        again = []
        self._tried.update(work.current.key.id for work, _ in puts)
        self._manners.confirm(self._switch.check)
        outcomes = self._index.write([(work.current, source) for work, source in puts])
        self._busy = {work.current.key.id for (work, _), o in zip(puts, outcomes, strict=True) if o is Outcome.BUSY}
        if self._busy:
            self._manners.refused()
        elif puts:
            self._manners.taken()
        for (work, _), outcome in zip(puts, outcomes, strict=True):
            if outcome in (Outcome.CONFLICT, Outcome.BUSY):
                again.append(work.current.key)
            elif outcome is Outcome.GONE:
                self._counts.failed["gone"] += 1
                self._solved.append(work.current.key.id)
            elif isinstance(outcome, Refusal):
                self._fail(work.current.key, work.digest, "write-refused", outcome.reason)
            else:
                self._count(work, self._kept[work.digest], proven=outcome is not Outcome.UNPROVEN)
        return again

    def _members(self, digest: str) -> dict[str, Any] | None:
        """What is to lie in a document of this content; None where it has no code at all."""
        codes = self._kept[digest].codes
        return {**codes.members(), "source": digest} if codes.parts else None

    def _count(self, work: Work, kept: Kept, *, written: bool = True, proven: bool = True) -> None:
        key = work.current.key
        parts = kept.partial if proven else {**kept.partial, "document": problems.MAYBE_OVERWRITTEN}
        if parts:
            failed = not kept.codes.parts
            found = problems.Problem(key.id, key.routing, work.digest, failed, parts)
            self._problems.append(found)
            (self._counts.failed if failed else self._counts.partial)[found.reason] += 1
            if failed:
                return
        else:
            self._solved.append(key.id)
        if work.digest in self._fresh and (written or self._job.force):
            self._counts.encoded += 1
        elif not written:
            self._counts.unchanged += 1
        else:
            self._counts.restored += 1

    def _fail(self, key: Key, digest: str, reason: str, message: str) -> None:
        self._counts.failed[reason] += 1
        self._problems.append(problems.Problem(key.id, key.routing, digest, True, {"record": (reason, message)}))


def stored_members(document: Any, space: str) -> dict[str, Any] | None:
    """Our members of `space` in a parsed document; None where there are none."""
    ours = document.get(OBJECT) if isinstance(document, dict) else None
    members = ours.get(space) if isinstance(ours, dict) else None
    return members if isinstance(members, dict) else None


def up_to_date(members: dict[str, Any] | None, digest: str, bits: int) -> bool:
    """Whether `members` hold readable codes of the content with this digest."""
    if not members or members.get("source") != digest:
        return False
    try:
        return bool(StoredCodes.read(members, bits).parts)
    except CodeLengthError:
        return False


def _chunks(works: Sequence[Work], size: int) -> Iterator[Sequence[Work]]:
    for start in range(0, len(works), size):
        yield works[start : start + size]
