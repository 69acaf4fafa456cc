"""SIGKILL of one part of the system, again and again while everything works."""

import os
import signal
import time
from random import Random

import redis

from tests.faults.scenario import Fault
from tests.faults.system import INDEX, System


def worker(system: System, rng: Random) -> float:
    """Kill the worker: its main process, or the pool process that encodes."""
    pool = system.worker.children()
    if pool and rng.random() < 0.5:
        os.kill(rng.choice(pool), signal.SIGKILL)
    else:
        system.worker.kill()
    return time.monotonic()


def engine(system: System, _: Random) -> float:
    """Kill the only node of the cluster."""
    system.engine.kill()
    return time.monotonic()


def broker(system: System, _: Random) -> float:
    """Kill the broker, which comes back empty."""
    system.broker.kill()
    return time.monotonic()


def follower(system: System, _: Random) -> float:
    """Kill the process that follows the index, and which alone does all the finding here."""
    system.commands[-1].kill()
    return time.monotonic()


def wiped(system: System, _: Random) -> float:
    """Empty the broker while everybody is connected: jobs, answers and bindings are gone."""
    with redis.Redis.from_url(system.broker_url) as client:
        client.flushall()
    return time.monotonic()


FAULTS = (
    Fault("worker killed", worker, versioning="external"),
    Fault("engine killed", engine),
    Fault("broker killed", broker),
    Fault("follow process killed", follower, encode=("update", INDEX, "--follow")),
    Fault("broker wiped", wiped, records=3000, events=4),
)
