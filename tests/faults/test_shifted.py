"""A clock that is off, and by how much may change under way."""

import datetime
import json
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
import json, pathlib, sys
from tests.faults import shifted
shifted.install()
import datetime, time
from datetime import UTC, datetime as Class
told = []
for offset in (0, 7200, -3600):
    pathlib.Path(sys.argv[1]).write_text(str(offset))
    told.append([time.time(), time.time_ns() / 1e9, Class.now(UTC).timestamp(), Class.now().timestamp(),
                 datetime.datetime.utcnow().replace(tzinfo=UTC).timestamp()])
print(json.dumps(told))
"""


def test_every_clock_of_the_process_is_shifted(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "clock")], capture_output=True, text=True, check=True, timeout=60
    )
    now = time.time()
    for offset, told in zip((0, 7200, -3600), json.loads(done.stdout), strict=True):
        assert all(abs(one - now - offset) < 60 for one in told), (offset, told)
    assert abs(datetime.datetime.now().timestamp() - now) < 60
