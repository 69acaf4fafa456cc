"""One fault from beginning to end: encode an index while its writer works, strike, recover, update, judge."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Literal

from encoders.loading import load
from integration.engine.client import Cluster
from tests.faults.system import BATCH, INDEX, Command, System
from tests.faults.verdict import Expected, Row, judge
from tests.faults.writer import PROFILE, Cataloguing

ENCODER = "default-64"
RATE = 20.0  # writes a second
SEED = 1
LIMIT = 900.0  # seconds for everything of one fault that has to be encoded

Say = Callable[[str], None]


@dataclass(frozen=True)
class Fault:
    """`happen` makes it so, from the first record to the verdict; `strike` does where the fault is an event.

    A strike returns the moment (`time.monotonic`) from which recovering counts.
    """

    name: str
    strike: Callable[[System, Random], float] | None = None
    records: int = 20_000
    events: int = 20
    versioning: Literal["internal", "external"] = "internal"
    quick: tuple[int, int] = (400, 2)  # records and events with --quick
    encode: Sequence[str] = ("reindex", INDEX)
    system: Callable[[Path], System] = System
    extras: "Callable[[System, Cataloguing], Expected] | None" = None  # writes records of its own before all begins

    def small(self) -> "Fault":
        """The same at the size that only shows that it runs."""
        return replace(self, records=self.quick[0], events=self.quick[1])


def run(fault: Fault, *, seed: int, say: Say = lambda _: None) -> Row:
    """Make the fault happen and judge the end state."""
    row, rng, began = Row(fault.name, fault.records, fault.events), Random(f"{seed} {fault.name}"), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crosshatch-faults-", ignore_cleanup_errors=True) as folder:
        try:
            with fault.system(Path(folder)) as system:
                _happen(fault, system, row, rng, say)
        except (TimeoutError, RuntimeError) as error:
            row.troubles.append(f"{type(error).__name__}: {error}")
    row.seconds = time.monotonic() - began
    return row


def _happen(fault: Fault, system: System, row: Row, rng: Random, say: Say) -> None:
    say(f"{fault.name}: {fault.records} records")
    writer = Cataloguing(system.url, INDEX, fault.records, versioning=fault.versioning, seed=rng.randrange(2**32))
    writer.build()
    expected = fault.extras(system, writer) if fault.extras else Expected()
    profile = system.folder / "profile.yaml"
    profile.write_text(PROFILE.format(versioning=fault.versioning))
    system.done("attach", INDEX, "--target", str(profile), "--encoder", ENCODER)
    writer.start(RATE)
    command = system.command(*fault.encode)
    try:
        if fault.strike:
            _strike(fault, fault.strike, system, command, row, rng, say)
        _end(system, command)
    finally:
        truth = writer.stop()
        row.troubles += command.failures
    system.done("update", INDEX)
    second = json.loads(system.done("update", INDEX, "--json").strip().splitlines()[-1])
    row.encoded_twice += second["encoded"] + second["restored"]
    row.facts["second_update"] = second
    encoder = load(ENCODER, device="cpu", data=system.settings.data, max_pixels=system.settings.picture_max_pixels)
    cluster = Cluster(system.url)
    judge(row, cluster, INDEX, truth, encoder, expected, contents=writer.titles, seed=SEED)
    cluster.close()


def _strike(
    fault: Fault,
    strike: Callable[[System, Random], float],
    system: System,
    command: Command,
    row: Row,
    rng: Random,
    say: Say,
) -> None:
    """Strike at moments spread over the run by what is encoded, each after recovery from the one before."""
    command.again = True

    def reached(number: float) -> Callable[[], bool]:
        return lambda: (system.stored() or 0) >= number

    for number in range(fault.events):
        due = fault.records * (number + 0.5 + rng.random() / 2) / (fault.events + 1)
        system.until(reached(due), f"{due:.0f} records encoded", seconds=LIMIT)
        before = system.stored() or 0
        since = strike(system, rng)
        base = max(before, system.stored() or 0)  # a fault that lasts need not have stopped everything
        # more than a worker had in its hands
        system.until(reached(base + 2 * BATCH), f"recovery from {fault.name}, event {number + 1}")
        row.recover_s.append(time.monotonic() - since)
        say(f"{fault.name} {number + 1} of {fault.events} at {before}: recovered in {row.recover_s[-1]:.1f} s")


def _end(system: System, command: Command) -> None:
    """Let the command come to its end; one that follows has none and is told to stop."""
    command.again = False
    if "--follow" in command.command:
        command.stop()
        system.commands.remove(command)
        return
    system.until(lambda: command.code == 0, f"crosshatch {command.name}", seconds=LIMIT)
    system.commands.remove(command)
