"""Processes that die with the one that started them, whatever kills it."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PATIENCE = 10.0  # seconds that a clean end may take when the parent is gone
_libc = ctypes.CDLL(None, use_errno=True)


def follow(parent: int, stop: Callable[[], None]) -> None:
    """Call `stop` when the process `parent` is gone, and end this process when that has not helped in ten seconds.

    The parent's id is watched rather than PR_SET_PDEATHSIG set, which fires already when the *thread* that started
    this process ends.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        stop()
        time.sleep(_PATIENCE)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def child(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `command`, its output in `log`; the kernel kills it when the calling thread, or its process, ends."""
    parent = os.getpid()

    def bind() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - a list, no shell; the program is ours to choose
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=bind, env=env
        )
