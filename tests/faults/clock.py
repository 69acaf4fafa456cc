"""Steps of the calendar clock under worker and command line, as a machine makes that finds its time server."""

import time
from pathlib import Path
from random import Random

from tests.faults.scenario import Fault
from tests.faults.system import System

HOURS = (2, -3, 26)
_OFFSET = "clock"


def stepped(system: System, rng: Random) -> float:
    """The clock jumps, forwards or back, and stays so."""
    (system.folder / _OFFSET).write_text(str(rng.choice(HOURS) * 3600))
    return time.monotonic()


def _system(folder: Path) -> System:
    shifted = ("tests.faults.shifted", str(folder / _OFFSET))
    return System(folder, worker=(*shifted, "workers"), cli=(*shifted, "integration.cli"))


FAULTS = (Fault("clock steps", stepped, records=3000, events=5, system=_system),)
