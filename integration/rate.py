"""One rate of writing for all workers of a cluster: each reserves its turn in Redis, by the clock of Redis."""

from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from mappings.errors import BrokerUnavailable

KEY = "crosshatch:rate"
# KEYS[1]: since when the next turn is free (`free`) and when that was noted (`at`). ARGV: documents, rate, patience.
# A turn that lies beyond the patience is not taken. Lost, or noted in the future because the clock was set back since:
# it starts anew.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local noted = redis.call('HMGET', KEYS[1], 'free', 'at')
local free = now
if noted[2] and tonumber(noted[2]) <= now + 1 then free = math.max(tonumber(noted[1]), now) end
local wait = free - now
if wait <= tonumber(ARGV[3]) then
  local next = free + ARGV[1] / ARGV[2]
  redis.call('HSET', KEYS[1], 'free', string.format('%.6f', next), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil((next - now) * 1000) + 1000)
end
return string.format('%.6f', wait)
"""


class Rate:
    """At most `rate` documents a second, counted over everybody who asks the same Redis."""

    def __init__(self, broker: Redis, rate: float) -> None:
        self._take, self._rate = broker.register_script(_TAKE), rate

    def take(self, documents: int, patience: float) -> float:
        """Reserve the turn of `documents`; return the seconds until then. Longer than `patience`: none was reserved.

        The first turn is at once; what it writes is paid for by whoever comes next. Raises BrokerUnavailable.
        """
        try:
            return float(cast(str, self._take(keys=[KEY], args=[documents, self._rate, patience])))
        except RedisError as error:
            raise BrokerUnavailable(f"the broker keeps the rate of writing, and does not answer: {error}") from error
