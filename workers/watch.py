"""What is remembered of a job between two deliveries, in Redis: was it begun, did it end, what killed its process."""

import json
from typing import Any

from redis import Redis

KEEP = 24 * 3600  # seconds; longer than any delivery can be late


class JobWatch:
    """The `integration.encoding.Watch` of one job."""

    def __init__(self, broker: Redis, job: str, *, last: bool = False) -> None:
        self._broker, self.last = broker, last
        names = ("done", "begun", "died", "hopeless")
        self._done, self._begun, self._died, self._hopeless = (f"crosshatch:job:{job}:{name}" for name in names)
        self.again = False

    def ended(self) -> dict[str, Any] | None:
        """The answer of an earlier delivery that ran to its end."""
        answer = self._broker.get(self._done)
        return json.loads(answer) if isinstance(answer, str) else None

    def begin(self) -> None:
        """Note that the job starts; one begun before and never ended was killed, maybe by the record it was at."""
        before = self._broker.getset(self._begun, "")
        self._broker.expire(self._begun, KEEP)
        self.again = before is not None
        if before:
            for key in (self._hopeless, self._died) if before in self.culprits() else (self._died,):
                self._broker.sadd(key, before)
                self._broker.expire(key, KEEP)

    def culprits(self) -> set[str]:
        """Ids of records that a process died of."""
        return {str(record) for record in self._broker.smembers(self._died)}

    def hopeless(self) -> set[str]:
        """Those that a process died of a second time, when they were only read."""
        return {str(record) for record in self._broker.smembers(self._hopeless)}

    def trying(self, record: str) -> None:
        """Note that `record` is next."""
        self._broker.set(self._begun, record, ex=KEEP)

    def give_up(self) -> None:
        """The job stops for a reason outside it, and will be run again from the start."""
        self._broker.delete(self._begun)

    def end(self, answer: dict[str, Any]) -> None:
        """The job ran to its end."""
        self._broker.set(self._done, json.dumps(answer), ex=KEEP)
        self._broker.delete(self._begun, self._died, self._hopeless)
