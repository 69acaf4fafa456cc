"""Jobs as they travel: ids, never documents. Producers send them by name and import no worker."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from celery import Celery, states
from redis import Redis
from redis.exceptions import RedisError

from integration.writer import Key
from mappings.errors import BrokerUnavailable

ENCODE_BATCH = "crosshatch.encode_batch"
ENCODE_QUERY = "crosshatch.encode_query"
BATCH_QUEUE = "crosshatch.batch"
QUERY_QUEUE = "crosshatch.query"
HARD_LIMIT = 900  # seconds for one batch; a batch is at most a minute's work on a slow processor
QUERY_LIMIT = 120  # the same for one query: a model may have to be loaded first
_CONFIG = {
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_track_started": True,
    "task_default_queue": BATCH_QUEUE,
    "task_routes": {ENCODE_QUERY: {"queue": QUERY_QUEUE}, ENCODE_BATCH: {"queue": BATCH_QUEUE}},
    "task_time_limit": HARD_LIMIT,
    "result_expires": 3600,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # a broker may be away for a night
    "redis_socket_connect_timeout": 5,
    "redis_socket_timeout": 30,
    # a job of a worker that was killed comes back after this time; the producer sends it again much sooner
    "broker_transport_options": {"visibility_timeout": HARD_LIMIT + 60, "socket_connect_timeout": 5},
    "worker_hijack_root_logger": False,
}


@dataclass(frozen=True, slots=True)
class Job:
    """Encode these records of one index into one space.

    `force` encodes anew what is up to date; `retry` tries parts again that failed before. `id` names the job, so that
    a second delivery is recognised.
    """

    id: str
    index: str
    uuid: str
    space: str
    keys: tuple[Key, ...]
    force: bool = False
    retry: bool = False

    def message(self) -> dict[str, Any]:
        """As JSON."""
        keys = [[key.id, key.routing] for key in self.keys]
        names = ("id", "index", "uuid", "space", "force", "retry")
        return {name: getattr(self, name) for name in names} | {"keys": keys}

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Self:
        """Read what `message` wrote."""
        keys = tuple(Key(record, routing) for record, routing in message["keys"])
        return cls(**{**message, "keys": keys})


def queue_app(broker_url: str) -> Celery:
    """The Celery application that producers and workers share; Redis is broker and result store."""
    app = Celery("crosshatch", broker=broker_url, backend=broker_url)
    app.conf.update(_CONFIG)
    return app


def check_broker(broker_url: str) -> Redis:
    """A connection to the broker that has just answered. Raises BrokerUnavailable."""
    try:
        broker = Redis.from_url(broker_url, socket_connect_timeout=3, socket_timeout=10, decode_responses=True)
        broker.ping()
    except (RedisError, ValueError, OSError) as error:
        address = broker_url.rsplit("@", 1)[-1].partition("?")[0]  # no password, which may also stand in the query
        why = "this is no URL of Redis" if isinstance(error, ValueError) else error  # a wrong URL is told in pieces
        raise BrokerUnavailable(
            f"the broker at {address} does not answer ({why}); "
            "start one (`crosshatch engine start`) or set CROSSHATCH_REDIS_URL"
        ) from error
    return broker


def send(app: Celery, job: Job) -> str:
    """Put a job into the queue; return the id of its task. Raises OperationalError or RedisError."""
    # answers are asked for, all in one request: a subscription that nobody reads would fill the broker's memory
    app.backend.on_task_call = lambda *_: None
    return str(app.send_task(ENCODE_BATCH, kwargs={"job": job.message()}, retry=False).id)


def answers(app: Celery, tasks: Sequence[str]) -> dict[str, Any]:
    """The answers there are, each given once: what the task returned, or the exception that ended it."""
    if not tasks:
        return {}
    backend = app.backend
    keys = {task: backend.get_key_for_task(task) for task in tasks}
    found = {
        task: backend.decode_result(payload)
        for task, payload in zip(keys, backend.mget(list(keys.values())), strict=True)
        if payload
    }
    ended = {task: meta["result"] for task, meta in found.items() if meta["status"] in states.READY_STATES}
    for task in ended:
        backend.delete(keys[task])
    return ended


def queued(broker: Redis) -> set[str]:
    """Ids of the batch tasks that wait in the queue."""
    waiting: Any = broker.lrange(BATCH_QUEUE, 0, -1)
    return {json.loads(message)["headers"]["id"] for message in waiting}


def live_workers(app: Celery, *, timeout: float = 1.0, enough: int | None = None) -> list[str]:
    """Names of the workers that answer a ping within `timeout` seconds; returns at once with `enough` of them."""
    answers = app.control.broadcast("ping", reply=True, timeout=timeout, limit=enough)
    return [name for answer in answers or () for name in answer]


def running(app: Celery, workers: int, *, timeout: float = 2.0) -> set[str]:
    """Ids of the tasks that some worker says it runs, holds, or will run again later.

    Returns as soon as so many `workers` have answered.
    """
    inspect = app.control.inspect(timeout=timeout, limit=workers)
    answers: Iterable[Mapping[str, Sequence[Mapping[str, Any]]]] = filter(
        None, (inspect.active(), inspect.reserved(), inspect.scheduled())
    )
    return {task.get("request", task)["id"] for answer in answers for tasks in answer.values() for task in tasks}
