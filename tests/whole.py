"""`make test`: the tests on a real engine, and beside them the fast ones, whose output follows. Both must pass.

Most of the first wait for an engine, a broker or a worker, which leaves a core to the others. Arguments go to both.
"""

import subprocess
import sys
import tempfile


def main() -> int:
    """The exit code: that of the tests on the engine, else that of the fast ones."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told:
        fast = subprocess.Popen(_pytest("not live"), stdout=told, stderr=subprocess.STDOUT)
        try:
            live = subprocess.run(_pytest("live"), check=False).returncode
            ended = fast.wait()
        finally:
            fast.kill()
            fast.wait()
        told.seek(0)
        sys.stdout.write(told.read())
    return live or ended


def _pytest(marked: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-m", marked, *sys.argv[1:]]


if __name__ == "__main__":
    sys.exit(main())
