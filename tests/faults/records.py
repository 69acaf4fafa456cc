"""Records that are at fault themselves: that kill who encodes them, that hold no text, whose pictures play tricks."""

from pathlib import Path

from integration.settings import Settings
from tests.faults.picture_server import REASONS, PictureServer, drawn
from tests.faults.poisoned import POISON
from tests.faults.scenario import Fault
from tests.faults.system import System
from tests.faults.verdict import Expected
from tests.faults.writer import Cataloguing

DEADLY, UNREADABLE = 3, 3
GOOD, EACH = 20, 2  # pictures that can be had, and records a way in which one cannot


def poison(_: System, writer: Cataloguing) -> Expected:
    """Some records that no process survives, and some whose text is none."""
    deadly = [f"deadly-{number}" for number in range(DEADLY)]
    unreadable = [f"unreadable-{number}" for number in range(UNREADABLE)]
    for number, record in enumerate(deadly):
        writer.add(record, '"loans":1', title=f"{POISON} {number}")
    for record in unreadable:
        writer.add(record, '"note":{"is":"an object"}')
    return Expected(dict.fromkeys([*deadly, *unreadable], "text-unreadable"))


def pictures(system: System, writer: Cataloguing) -> Expected:
    """Pictures of a server that gives some and plays tricks with the others; every record has a title too."""
    url = f"http://{system.settings.picture_hosts[0]}"
    seen, reasons = {}, {}
    for number in range(GOOD):
        writer.add(f"good-{number}", f'"picture":"{url}/good/{number}"')
        seen[f"good-{number}"] = drawn(number)
    for trick, reason in REASONS.items():
        for number in range(EACH):
            writer.add(f"{trick}-{number}", f'"picture":"{url}/{trick}/{number}"')
            reasons[f"{trick}-{number}"] = reason
    return Expected(reasons, seen)


def _poisoned(folder: Path) -> System:
    return System(folder, worker=("tests.faults.poisoned",))


def _pictured(folder: Path) -> System:
    server = PictureServer()
    server.start()
    settings = Settings(picture_hosts=(server.host,), picture_timeout=2.0, picture_max_bytes=2_000_000)
    return System(folder, settings=settings)


FAULTS = (
    Fault(
        "poison records",
        None,
        records=1000,
        events=DEADLY + UNREADABLE,
        quick=(100, 6),
        extras=poison,
        system=_poisoned,
    ),
    Fault(
        "picture server",
        None,
        records=300,
        events=EACH * len(REASONS),
        quick=(100, 22),
        extras=pictures,
        system=_pictured,
    ),
)
