"""What a method takes on 10,000 pairs of 4096-d features: time to fit, rate to encode, memory at most.

Each method has a process of its own, on two cores, so that the most memory which it ever held is the method's.
The features are made, of one seed: 24 classes in 64 hidden dimensions, both sides linear in these, with noise.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders import methods

PAIRS, WIDTH, BITS, CORES = 10_000, 4096, 128, 2
CLASSES, HIDDEN = 24, 64
NOTHING = "nothing"  # a process that makes the features, and fits nothing to them
Made = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


def every(names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each method's costs, and before them those of the features alone."""
    for name in (NOTHING, *names):
        environment = {**os.environ, "OMP_NUM_THREADS": str(CORES)}
        command = [sys.executable, "-m", "tests.bench.baselines.costs", name, str(PAIRS), str(WIDTH), str(BITS)]
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        found = json.loads(ended.stdout)
        print(name, found, file=sys.stderr, flush=True)
        yield name, found


def made(pairs: int, width: int) -> Made:
    """Both sides, float32 [n, width], and labels [n, classes]."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, CLASSES, pairs)
    hidden = rng.standard_normal((CLASSES, HIDDEN))[classes] + rng.standard_normal((pairs, HIDDEN))
    sides = []
    for _ in range(2):
        turned = rng.standard_normal((HIDDEN, width), dtype=np.float32)
        noise = rng.standard_normal((pairs, width), dtype=np.float32)
        sides.append(hidden.astype(np.float32) @ turned + 4 * noise)
    return sides[0], sides[1], np.eye(CLASSES, dtype=bool)[classes]


def measured(name: str, pairs: int, width: int, bits: int) -> dict[str, Any]:
    """Seconds by the clock and of processors to fit, pictures and texts encoded a second, and the most memory, MB."""
    images, texts, labels = made(pairs, width)
    found: dict[str, Any] = {"pairs": pairs, "width": width, "bits": bits}
    if name != NOTHING:
        method = methods.named(name)(bits)
        clock, processors = time.perf_counter(), time.process_time()
        method.fit(images, texts, labels)
        found["fit_s"] = round(time.perf_counter() - clock, 1)
        found["processor_s"] = round(time.process_time() - processors, 1)
        clock = time.perf_counter()
        method.encode_images(images)
        method.encode_texts(texts)
        found["codes_per_s"] = round(2 * pairs / (time.perf_counter() - clock))
    found["memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    return found


if __name__ == "__main__":
    json.dump(measured(sys.argv[1], *map(int, sys.argv[2:])), sys.stdout)
