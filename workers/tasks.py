"""The tasks: each finds what it needs and calls the function that does the work."""

import base64
import logging
from typing import Any

from celery import Task
from celery.exceptions import Ignore
from celery.signals import setup_logging, worker_process_init

from encoders.api import Item
from integration import jobs, logs, state
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.manners import LATER
from integration.queries import answer_of
from mappings.errors import CrosshatchError, EngineUnavailable, HeldBack, NotAttachedError, UnknownIndexError
from workers import process
from workers.app import SETTINGS, app
from workers.watch import JobWatch

_log = logging.getLogger(__name__)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _started(**_: object) -> None:
    process.bind_to_parent()


@setup_logging.connect  # type: ignore[untyped-decorator]
def _logs(loglevel: int | None = None, **_: object) -> None:
    logs.configure(SETTINGS.log, loglevel or logging.INFO)


@app.task(  # type: ignore[untyped-decorator]
    name=jobs.ENCODE_BATCH,
    bind=True,
    autoretry_for=(EngineUnavailable,),
    retry_backoff=1,
    retry_backoff_max=30,
    max_retries=10,
)
def encode_batch(task: Task, job: dict[str, Any]) -> dict[str, Any]:
    """Encode these records and write their codes; running it twice writes the same bytes."""
    work = jobs.Job.read(job)
    watch = JobWatch(process.broker(), work.id, last=task.request.retries >= task.max_retries)
    ended = watch.ended()
    if ended is not None:
        return ended
    watch.begin()
    try:
        answer = _encoded(work, watch).message()
    except HeldBack as error:
        _log.info("batch put back: %s", str(error), extra={"index": work.index, "job": work.id})
        watch.give_up()
        raise _put_back(task, error) from error
    except CrosshatchError as error:
        _log.warning("batch stopped: %s", error, extra={"index": work.index, "job": work.id})
        watch.give_up()
        raise
    watch.end(answer)
    _log.info("batch done", extra={"index": work.index, "job": work.id, "counts": answer})
    return answer


@app.task(name=jobs.ENCODE_QUERY, acks_late=False, time_limit=jobs.QUERY_LIMIT)  # type: ignore[untyped-decorator]
def encode_query(reference: str, digest: str, text: str | None, pictures: list[str]) -> dict[str, Any]:
    """The codes of a query with their weights, base64 by part; pictures come as base64.

    Taken off the queue at once: whoever asked waits no more, and one that kills a process must not kill the next too.
    """
    item = Item(text, tuple(base64.b64decode(picture) for picture in pictures))
    return answer_of(process.encoder(reference, digest).encode_query(item))


def _encoded(work: jobs.Job, watch: JobWatch) -> Counts:
    try:
        known = state.attached(process.cluster(), work.index)
    except (NotAttachedError, UnknownIndexError):  # detached, or dropped: its records are not ours any more
        return _gone(work)
    if known.uuid != work.uuid or work.space not in known.spaces:
        return _gone(work)
    known = known.in_space(work.space)
    bundle = known.bundle
    batch = BatchEncoding(
        work,
        known,
        process.cluster(),
        lambda: process.encoder(bundle.reference, bundle.digest),
        SETTINGS,
        process.manners(),
    )
    return batch.run(watch)


def _put_back(task: Task, error: HeldBack) -> Ignore:
    """The job goes back to the queue, where it holds no process; such a return is no retry and is not counted."""
    request = task.request
    countdown = min(error.seconds, LATER)
    task.signature_from_request(request, countdown=countdown, retries=request.retries).apply_async()
    return Ignore()


def _gone(work: jobs.Job) -> Counts:
    counts = Counts()
    counts.failed["gone"] = len(work.keys)
    return counts
