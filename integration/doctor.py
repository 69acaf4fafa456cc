"""What is well and what is not: engine, plugins, settings, broker, workers, device, weights; each with what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from encoders import catalogue
from integration import jobs, switch
from integration.checks import scripts_allowed
from integration.engine.client import Cluster
from integration.engine.services import found
from integration.search import abilities
from integration.settings import Settings
from mappings.errors import BrokerUnavailable, CrosshatchError

OLDEST = (1, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `do` is empty where it is well."""

    name: str
    ok: bool
    found: str
    do: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything a search or a reindex needs; each finding comes as soon as it is known."""
    yield from _engine(settings)
    yield from _workers(settings)
    yield _attempt("device", lambda: _device(settings), "set CROSSHATCH_DEVICE to auto, cpu or cuda:N")
    yield _attempt("weights", lambda: _weights(settings), "set CROSSHATCH_ENCODER to a bundle that is there")


def _engine(settings: Settings) -> Iterator[Finding]:
    try:
        cluster = Cluster(settings.opensearch_url or found(settings).url, timeout=10)
        about = cluster.request("GET", "/")
    except CrosshatchError as error:
        yield Finding("engine", False, str(error), "start OpenSearch, or name it in CROSSHATCH_OPENSEARCH_URL")
        return
    yield _version(about)
    yield _attempt("plugins", lambda: _plugins(cluster), "the account needs cluster:monitor/nodes/info")
    check = scripts_allowed(cluster)
    yield Finding("scripts", check.ok, check.why, "" if check.ok else check.do)
    yield from _abilities(cluster)
    yield _attempt("health", lambda: _health(cluster), "see GET _cluster/allocation/explain")
    yield _attempt("switch", lambda: _switch(cluster), "the account needs to read .crosshatch-state")
    cluster.close()


def _version(about: Any) -> Finding:
    try:
        version = about["version"]
        kind, number = version.get("distribution", "elasticsearch"), str(version["number"])
        new = tuple(int(part) for part in number.split(".")[:2]) >= (OLDEST if kind == "opensearch" else (7, 10))
    except (TypeError, LookupError, ValueError, AttributeError):
        return Finding("engine", False, f"no OpenSearch answers, but {str(about)[:60]!r}", "name the cluster's own URL")
    return Finding(
        "engine", new, f"{kind} {number}", "" if new else "use OpenSearch 1.0 or Elasticsearch 7.10 or newer"
    )


def _abilities(cluster: Cluster) -> Iterator[Finding]:
    try:
        yield from (Finding(*line) for line in abilities.read(cluster).found())
    except CrosshatchError as error:
        yield Finding("k-NN", False, str(error), "see the cluster's log")


def _plugins(cluster: Cluster) -> str:
    plugins = {row["component"] for row in cluster.request("GET", "/_cat/plugins", params={"format": "json"})}
    return ", ".join(sorted(plugins)) or "none (none is needed)"


def _health(cluster: Cluster) -> str:
    health = cluster.request("GET", "/_cluster/health")
    return f"{health['status']}, {health['number_of_nodes']} nodes"


def _switch(cluster: Cluster) -> str:
    return "; ".join(str(off) for off in switch.every(cluster)) or "on: nothing is switched off"


def _workers(settings: Settings) -> Iterator[Finding]:
    try:
        url = settings.redis_url or found(settings).broker_url
        broker = jobs.check_broker(url)
    except CrosshatchError as error:
        yield Finding("broker", False, str(error), "start Redis, or name it in CROSSHATCH_REDIS_URL")
        return
    yield _attempt("broker", lambda: _broker(broker), "the account needs every command on the keys of Celery")
    broker.close()
    try:
        workers = jobs.live_workers(jobs.queue_app(url))
    except (OperationalError, RedisError) as error:
        yield Finding("workers", False, f"the broker let nobody be asked: {error}", "see the broker's log")
        return
    yield Finding(
        "workers",
        bool(workers),
        ", ".join(workers) or "none answers",
        "" if workers else "start one with `crosshatch worker`; until then searches encode their query themselves",
    )


def _broker(broker: Redis) -> str:
    try:
        waiting = broker.llen(jobs.BATCH_QUEUE)
        return f"redis {broker.info('server')['redis_version']}, {waiting} batches waiting"
    except RedisError as error:
        raise BrokerUnavailable(f"the broker answers a ping, but nothing else: {error}") from error


def _device(settings: Settings) -> str:
    from encoders.device import device  # torch: seconds, so only here

    return f"{settings.device} is {device(settings.device).torch}"


def _weights(settings: Settings) -> str:
    card = catalogue.find(settings.encoder, data=settings.data)
    return f"{card.name}: {card.bits} bits, digest {card.digest[:12]}, every file proven"


def _attempt(name: str, look: Callable[[], str], do: str) -> Finding:
    try:
        return Finding(name, True, look())
    except CrosshatchError as error:
        return Finding(name, False, str(error), do)
