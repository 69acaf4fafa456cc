"""What is remembered of a job between two deliveries, in Redis: was it begun, did it end, what killed its process."""

import json
from typing import Any

from redis import Redis

KEEP = 24 * 3600  # seconds; longer than any delivery can be late


class JobWatch:
    """The `integration.encoding.Watch` of one job."""

    def __init__(self, broker: Redis, job: str) -> None:
        self._broker = broker
        self._done, self._begun, self._died = (f"crosshatch:job:{job}:{name}" for name in ("done", "begun", "died"))
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
            self._broker.sadd(self._died, before)
            self._broker.expire(self._died, KEEP)

    def culprits(self) -> set[str]:
        """Ids of records that a process died of."""
        return {str(record) for record in self._broker.smembers(self._died)}

    def trying(self, record: str) -> None:
        """Note that `record` is next."""
        self._broker.set(self._begun, record, ex=KEEP)

    def give_up(self) -> None:
        """The job stops for a reason outside it, and will be run again from the start."""
        self._broker.delete(self._begun)

    def end(self, answer: dict[str, Any]) -> None:
        """The job ran to its end."""
        self._broker.set(self._done, json.dumps(answer), ex=KEEP)
        self._broker.delete(self._begun, self._died)
