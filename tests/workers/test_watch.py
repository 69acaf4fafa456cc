"""What is remembered of a job between two deliveries."""

from typing import cast

import pytest
from redis import Redis

from workers.watch import KEEP, JobWatch

Members = set[str]  # the class has a method of that name


class FakeRedis:
    """The few commands that a watch sends, as a Redis with `decode_responses` answers them."""

    def __init__(self) -> None:
        self.strings: dict[str, str] = {}
        self.sets: dict[str, Members] = {}
        self.kept: dict[str, int] = {}

    def get(self, key: str) -> str | None:
        return self.strings.get(key)

    def set(self, key: str, value: str, *, ex: int) -> None:
        self.strings[key], self.kept[key] = value, ex

    def getset(self, key: str, value: str) -> str | None:
        before = self.strings.get(key)
        self.strings[key] = value
        return before

    def expire(self, key: str, seconds: int) -> None:
        self.kept[key] = seconds

    def sadd(self, key: str, value: str) -> None:
        self.sets.setdefault(key, set()).add(value)

    def smembers(self, key: str) -> Members:
        return set(self.sets.get(key, ()))

    def delete(self, *keys: str) -> None:
        for key in keys:
            self.strings.pop(key, None)
            self.sets.pop(key, None)
            self.kept.pop(key, None)


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


def delivery(redis: FakeRedis, job: str = "j1") -> JobWatch:
    """A worker that takes the job."""
    return JobWatch(cast("Redis", redis), job)


def test_a_first_delivery_is_no_second_one(redis: FakeRedis) -> None:
    watch = delivery(redis)
    assert watch.ended() is None
    watch.begin()
    assert (watch.again, watch.culprits()) == (False, set())


def test_a_job_that_ended_answers_again_without_work(redis: FakeRedis) -> None:
    watch = delivery(redis)
    watch.begin()
    watch.end({"encoded": 3, "failed": {"gone": 1}})
    assert delivery(redis).ended() == {"encoded": 3, "failed": {"gone": 1}}
    assert delivery(redis, "j2").ended() is None


def test_a_record_that_kills_two_workers_is_the_culprit(redis: FakeRedis) -> None:
    """First the whole batch dies, then the record that was tried alone; the third delivery knows."""
    delivery(redis).begin()
    second = delivery(redis)
    second.begin()
    assert (second.again, second.culprits()) == (True, set())
    second.trying("r1")
    second.trying("r2")
    third = delivery(redis)
    third.begin()
    assert (third.again, third.culprits()) == (True, {"r2"})
    third.trying("r7")
    fourth = delivery(redis)
    fourth.begin()
    assert fourth.culprits() == {"r2", "r7"}
    assert fourth.hopeless() == set()
    fourth.trying("r7")
    fifth = delivery(redis)
    fifth.begin()
    assert fifth.hopeless() == {"r7"}, "it died of it although it did not encode it"
    fifth.end({})
    assert redis.sets == {}


def test_a_job_that_gave_up_starts_anew_but_knows_its_culprits(redis: FakeRedis) -> None:
    delivery(redis).begin()
    second = delivery(redis)
    second.begin()
    second.trying("r2")
    third = delivery(redis)
    third.begin()
    third.give_up()
    fourth = delivery(redis)
    fourth.begin()
    assert not fourth.again
    fifth = delivery(redis)
    fifth.begin()
    assert (fifth.again, fifth.culprits()) == (True, {"r2"})


def test_jobs_do_not_mix_and_nothing_is_kept_for_ever(redis: FakeRedis) -> None:
    for job in ("j1", "j1", "j2"):
        watch = delivery(redis, job)
        watch.begin()
        watch.trying("r")
    delivery(redis, "j1").begin()
    assert delivery(redis, "j2").culprits() == set()
    delivery(redis, "j2").end({})
    assert redis.kept.keys() == redis.strings.keys() | redis.sets.keys()
    assert set(redis.kept.values()) == {KEEP}
