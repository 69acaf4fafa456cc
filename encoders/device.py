"""The device that an encoder runs on: which one, how large its batches are, and in which precision it counts."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mappings.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Device:
    """One torch device with its batch sizes."""

    torch: torch.device
    picture_chunk: int
    text_chunk: int

    @property
    def fast(self) -> bool:
        """Whether this is a GPU: half precision, and batches of one fixed shape."""
        return self.torch.type == "cuda"

    def precision(self) -> AbstractContextManager[object]:
        """Half precision on CUDA, none on a CPU.

        float16: emulated on a CPU it turned 0.1 % of the bits of 112 pictures and none of their texts', bfloat16 0.9 %
        of the pictures' and 0.2 % of the texts' (of 56). Not yet measured on a GPU.
        """
        return torch.autocast("cuda", dtype=torch.float16) if self.fast else nullcontext()

    def fill(self, rows: NDArray[np.generic], count: int) -> NDArray[np.generic]:
        """On a GPU, repeat the last row up to `count`: one shape means one kernel, so a code ignores its batch."""
        if not self.fast or len(rows) >= count:
            return rows
        return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def device(name: str) -> Device:
    """`auto`, `cpu`, `cuda` or `cuda:N`. Raises SettingsError where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        _use_allowed_cores()
        # 8 pictures are the fastest on two cores (45 a second; 36 at 16, 22 at 32): they stay in the cache
        return Device(torch.device("cpu"), picture_chunk=8, text_chunk=16)
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number.isdecimal() or not number):
        raise SettingsError(f"CROSSHATCH_DEVICE is {name!r}; expected auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available() or int(number or 0) >= torch.cuda.device_count():
        raise SettingsError(f"device {name!r} is not there: {torch.cuda.device_count()} CUDA devices; use auto or cpu")
    return Device(torch.device(name), picture_chunk=128, text_chunk=128)


def _use_allowed_cores() -> None:
    """torch counts the machine's cores; a worker may be bound to fewer. OMP_NUM_THREADS still wins."""
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(min(8, len(os.sched_getaffinity(0))))
