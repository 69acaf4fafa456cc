"""Pictures from files to tower features: threads decode the next chunks while the device works on this one."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from encoders.pictures import decode
from encoders.towers import Floats, PictureTower, Pixels
from mappings.errors import RecordError

DECODERS = 2  # threads; each holds one decoded picture, so `max_pixels` times this bounds the memory
AHEAD = 2  # chunks that are decoded before the device asks for them

Outcome = Pixels | RecordError


def picture_features(
    tower: PictureTower, pictures: Sequence[bytes], *, max_pixels: int
) -> tuple[Floats, dict[int, RecordError]]:
    """Features [n, width] of n picture files, and by number why a picture has none (its row is zero)."""
    result = np.zeros((len(pictures), tower.width), dtype=np.float32)
    errors: dict[int, RecordError] = {}
    numbers: list[int] = []
    ready: list[Pixels] = []
    for number, outcome in enumerate(_prepared(tower, pictures, max_pixels)):
        if isinstance(outcome, RecordError):
            errors[number] = outcome
            continue
        numbers.append(number)
        ready.append(outcome)
        if len(ready) == tower.chunk:
            result[numbers] = tower.features(np.stack(ready))
            numbers, ready = [], []
    if ready:
        result[numbers] = tower.features(np.stack(ready))
    return result, errors


def _prepared(tower: PictureTower, pictures: Sequence[bytes], max_pixels: int) -> Iterator[Outcome]:
    """Each picture as the tower takes it, or why not, in order."""

    def prepare(picture: bytes) -> Outcome:
        try:
            return tower.prepare(decode(picture, max_pixels=max_pixels, hint=2 * tower.side))
        except RecordError as error:
            return error

    if len(pictures) <= 1:  # a query: no thread is worth starting
        yield from map(prepare, pictures)
        return
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        waiting: deque[Future[Outcome]] = deque()
        for picture in pictures:
            waiting.append(pool.submit(prepare, picture))
            if len(waiting) > AHEAD * tower.chunk:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
