"""One fault from beginning to end: encode an index while its writer works, strike, recover, update, judge."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from encoders.loading import load
from integration.engine.client import Cluster
from tests.faults.system import BATCH, INDEX, Command, System
from tests.faults.verdict import Row, judge
from tests.faults.writer import PROFILE, Cataloguing

ENCODER = "default-64"
RATE = 20.0  # writes a second
SEED = 1
LIMIT = 900.0  # seconds for everything of one fault that has to be encoded

Strike = Callable[[System, Random], float]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Fault:
    """`strike` makes the fault happen and returns the moment (`time.monotonic`) from which recovering counts."""

    name: str
    strike: Strike
    records: int = 20_000
    events: int = 20
    versioning: Literal["internal", "external"] = "internal"
    quick: tuple[int, int] = (400, 2)  # records and events with --quick
    first: Sequence[str] = ("reindex", INDEX)
    then: Sequence[str] = ("update", INDEX)
    system: Callable[[Path], System] = field(default=System)

    def small(self) -> "Fault":
        """The same at the size that only shows that it runs."""
        records, events = self.quick
        return Fault(**{**vars(self), "records": records, "events": events})


def run(fault: Fault, *, seed: int, say: Say = lambda _: None) -> Row:
    """Make the fault happen and judge the end state."""
    row, rng, began = Row(fault.name, fault.records, fault.events), Random(f"{seed} {fault.name}"), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crosshatch-faults-", ignore_cleanup_errors=True) as folder:
        system = fault.system(Path(folder))
        with system:
            try:
                _happen(fault, system, row, rng, say)
            except (TimeoutError, RuntimeError) as error:
                row.troubles.append(f"{type(error).__name__}: {error}")
    row.seconds = time.monotonic() - began
    return row


def _happen(fault: Fault, system: System, row: Row, rng: Random, say: Say) -> None:
    writer = Cataloguing(system.url, INDEX, fault.records, versioning=fault.versioning, seed=rng.randrange(2**32))
    writer.build()
    profile = system.folder / "profile.yaml"
    profile.write_text(PROFILE.format(versioning=fault.versioning))
    system.done("attach", INDEX, "--target", str(profile), "--encoder", ENCODER)
    writer.start(RATE)
    command = system.command(*fault.first)
    say(f"{fault.name}: {fault.records} records")
    try:
        _strike(fault, system, command, row, rng, say)
        command.again = False
        system.until(lambda: command.code == 0, f"crosshatch {command.name}", seconds=LIMIT)
    finally:
        truth = writer.stop()
        row.troubles += command.failures
    system.commands.remove(command)
    system.done("update", INDEX)
    second = json.loads(system.done("update", INDEX, "--json").strip().splitlines()[-1])
    row.encoded_twice += second["encoded"] + second["restored"]
    row.facts["second_update"] = second
    encoder = load(ENCODER, device="cpu", data=system.settings.data, max_pixels=system.settings.picture_max_pixels)
    cluster = Cluster(system.url)
    judge(row, cluster, INDEX, truth, encoder, contents=writer.titles, seed=SEED)
    cluster.close()


def _strike(fault: Fault, system: System, command: Command, row: Row, rng: Random, say: Say) -> None:
    """Strike at moments spread over the run by what is encoded, each after recovery from the one before."""
    command.again = True
    for number in range(fault.events):
        due = fault.records * (number + 0.5 + rng.random() / 2) / (fault.events + 1)
        system.until(lambda due=due: (system.stored() or 0) >= due, f"{due:.0f} records encoded", seconds=LIMIT)
        before = system.stored() or 0
        since = fault.strike(system, rng)
        enough = before + 2 * BATCH  # more than a worker had in its hands
        system.until(lambda enough=enough: (system.stored() or 0) >= enough, f"recovery from {fault.name}")
        row.recover_s.append(time.monotonic() - since)
        say(f"{fault.name} {number + 1} of {fault.events} at {before}: recovered in {row.recover_s[-1]:.1f} s")
