"""What a worker does with a batch of ids: read, encode or restore, keep, write, and write down what failed."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from encoders.api import Encoder
from integration import problems, records, splice, state, switch
from integration.code_source import CodeSource
from integration.counts import Counts
from integration.engine.answers import parsed
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.manners import Manners
from integration.settings import Settings
from integration.store import CodeStore, Kept
from integration.stored import beside_of, stored_beside, stored_codes, stored_members
from integration.work import Work
from integration.writer import GuardedIndex, Key, Outcome, Refusal
from mappings.errors import CrosshatchError, DataError, EngineRefused, EngineUnavailable

ROUNDS = 6  # a record that the catalogue changes faster than this is left for the next update
_log = logging.getLogger(__name__)


class Watch(Protocol):
    """Tells which record a process died of, when a job comes a second time."""

    def culprits(self) -> set[str]:
        """Ids of records that a process died of."""
        ...

    def hopeless(self) -> set[str]:
        """Those of them that a process died of although they were not encoded."""
        ...

    def trying(self, record: str) -> None:
        """Note that `record` is next."""
        ...

    @property
    def again(self) -> bool:
        """Whether the job was delivered before and never ended."""
        ...

    @property
    def last(self) -> bool:
        """Whether the job is not tried again where the engine is too busy now."""
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
        self._manners = manners or Manners(cluster, settings)
        self._index = GuardedIndex(cluster, known.alias, known.profile.versioning)
        bits = known.bundle.bits
        store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=bits)
        self._switch = switch.Switch(cluster, known.index)
        self._codes = CodeSource(job, store, encoder, settings, self._switch.check)
        self._tried: set[str] = set()  # records that this job sent a write for
        self._busy: set[str] = set()  # records whose last write the engine was too busy for
        self._digests: dict[str, str] = {}  # of the records read, as they were last
        self._culprit = False  # whether a process died of the one record that is tried now
        self._counts = Counts()
        self._problems: list[problems.Problem] = []
        self._solved: list[str] = []

    def run(self, watch: Watch) -> Counts:
        """Encode and write every record of the job. Raises an Unavailable: run it all again then."""
        before = problems.of_records(self._cluster, self._known, [key.id for key in self._job.keys])
        try:
            if watch.again:
                self._one_by_one(watch, before)
            else:
                self._together(watch, before)
        finally:
            self._write_down(before)
        return self._counts

    def _write_down(self, before: dict[str, problems.Problem]) -> None:
        """What is known of a record that was written must not be lost where another one stops the job."""
        problems.update(self._cluster, self._known, self._problems, [r for r in self._solved if r in before])
        self._problems, self._solved = [], []

    def _together(self, watch: Watch, before: dict[str, problems.Problem]) -> None:
        try:
            self._rounds(self._job.keys, before, last=watch.last)
        except Exception as error:
            if not _of_a_record(error):
                raise
            _log.exception("job %s stopped at an error; its records are tried one by one", self._job.id)
            self._counts, self._problems, self._solved = Counts(), [], []
            self._one_by_one(watch, before)

    def _one_by_one(self, watch: Watch, before: dict[str, problems.Problem]) -> None:
        """What kills the process, or stops at an error that nobody foresaw, must not take the others along."""
        culprits, hopeless = watch.culprits(), watch.hopeless()
        for key in self._job.keys:
            if key.id in hopeless:  # not even its content could be read
                self._fail(key, "", "gave-up", "worker processes died of it, again and again")
                continue
            self._write_down(before)
            watch.trying(key.id)
            self._culprit = key.id in culprits
            try:
                self._rounds([key], before, last=watch.last)
            except Exception as error:
                if not _of_a_record(error):
                    raise
                _log.exception("job %s gives up on a record", self._job.id)
                self._fail(key, self._digests.get(key.id, ""), "gave-up", f"{type(error).__name__}: {error}")

    def _rounds(self, keys: Sequence[Key], before: dict[str, problems.Problem], *, last: bool) -> None:
        pending = keys
        for attempt in range(ROUNDS):
            if attempt:
                time.sleep(min(0.05 * 2**attempt, 2.0))
            self._manners.admit(len(pending), self._switch.check)
            works = self._stale(pending, before)
            self._codes.obtain(works, culprit=self._culprit)
            pending = self._write(works)
            if not pending:
                break
        for key in pending:
            if key.id not in self._busy:
                self._fail(key, "", "write-refused", "the catalogue changed it at every try")
            elif last:
                self._fail(key, "", "gave-up", "the engine was too busy at every try")
        if self._busy and not last:
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
                document = parsed(current.source)
            except (ValueError, RecursionError) as error:
                self._fail(key, "", "text-unreadable", f"the document cannot be read: {error}")
                continue
            content = records.read(document, self._known.profile)
            digest = content.digest(self._known.profile, self._known.bundle.digest)
            self._digests[key.id] = digest
            space = self._known.space
            yield Work(current, content, digest, stored_members(document, space), stored_beside(document, space))

    def _is_done(self, work: Work, before: dict[str, problems.Problem]) -> bool:
        """Count a record that already holds the codes of its content."""
        record = work.current.key.id
        if work.digest in self._codes.fresh:
            if work.members is None or (work.members, work.beside) != self._written(work.digest):
                return False
            # it was so before, or an earlier write of this job arrived although its answer did not
            self._count(work, self._codes.kept[work.digest], written=record in self._tried)
            return True
        codes = stored_codes(work.members, work.digest, self._known.bundle.bits)
        if codes is None or self._job.force or (self._job.retry and record in before):
            return False
        if work.beside != beside_of(codes, self._known.bundle):
            told = before.get(record)
            work.held = Kept(codes, told.parts if told and told.source == work.digest else {}, {})
            return False
        self._counts.unchanged += 1
        if record in before:
            self._counts.partial[before[record].reason] += 1
        return True

    def _write(self, works: Sequence[Work]) -> list[Key]:
        """Write what changed; return the keys that must be read again."""
        puts: list[tuple[Work, bytes]] = []
        for work in works:
            kept = self._codes.kept[work.digest]
            written = self._written(work.digest)
            if written == (work.members, work.beside):
                self._count(work, kept, written=False)
                continue
            try:
                puts.append((work, splice.put(work.current.source, self._known.space, *written)))
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
                self._count(work, self._codes.kept[work.digest], proven=outcome is not Outcome.UNPROVEN)
        return again

    def _written(self, digest: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Codes that are to lie in a document of this content, and what beside them; None where it has no code."""
        codes = self._codes.kept[digest].codes
        members = {**codes.members(), "source": digest} if codes.parts else None
        return members, beside_of(codes, self._known.bundle)

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
        if work.digest in self._codes.fresh and (written or self._job.force):
            self._counts.encoded += 1
        elif not written:
            self._counts.unchanged += 1
        else:
            self._counts.restored += 1

    def _fail(self, key: Key, digest: str, reason: str, message: str) -> None:
        self._counts.failed[reason] += 1
        self._problems.append(problems.Problem(key.id, key.routing, digest, True, {"record": (reason, message)}))


def _of_a_record(error: Exception) -> bool:
    """Whether `error` may be due to one record: nobody foresaw it, or the engine refused what was sent."""
    if isinstance(error, EngineRefused):
        return error.status not in (401, 403)
    return not isinstance(error, CrosshatchError)
