"""SVG from outside, rendered in confined processes of its own: no file, no network, no script, bounded time and memory.

Measured on resvg 0.48: references to files are followed, a stack overflow kills the process, a small filter runs for
hours, and the interpreter's lock is held meanwhile. A process kept between drawings costs 60 ms once; next to the 35 ms
of a usual drawing its pipe costs nothing, and threads render side by side, each with a process of its own.
"""

import atexit
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

from encoders.svg_process import LENGTH
from mappings.errors import RecordError

SIDE = 512  # pixels of the longer side; the encoders look at about half of that
SECONDS = 5  # of processor time for one drawing; the slowest of 1,800 OpenMoji drawings took 0.3
WALL_SECONDS = 4 * SECONDS  # on a busy machine processor time passes slowly
MEMORY = 1 << 30
MAX_TEXT = 32_000_000  # bytes of SVG after gunzip
IDLE = 4  # processes kept for the next drawing

_GZIP = b"\x1f\x8b"
_ROOT = re.compile(r"<(?:\w+:)?svg[\s>/]")
_DECLARED = re.compile(
    # only the encodings that drawing programs write: Python knows some that take quadratic time
    rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["'](us-ascii|iso-8859-\d{1,2}|windows-125\d)["']""",
    re.IGNORECASE,
)
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def svg_text(data: bytes) -> str | None:
    """The markup of an SVG or SVGZ file, or None where `data` is neither.

    Raises RecordError `picture-too-large` for a gzip bomb and `picture-unreadable` for broken gzip.
    """
    if data.startswith(_GZIP):
        data = _gunzipped(data)
    bom = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    if bom is None and not data[:200].lstrip().startswith(b"<"):
        return None
    declared = _DECLARED.match(data)
    encoding = bom or (declared[1].decode() if declared else "utf-8")
    try:
        text = data.decode(encoding, errors="replace")
    except (LookupError, UnicodeError):
        text = data.decode("utf-8", errors="replace")
    return text if _ROOT.search(text) else None


def _gunzipped(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(data, MAX_TEXT)
    except zlib.error as error:
        raise RecordError("picture-unreadable", f"the picture is no readable gzip: {error}") from error
    if inflater.unconsumed_tail:
        raise RecordError(
            "picture-too-large", f"the SVG has more than {MAX_TEXT} bytes when unpacked; send a smaller one"
        )
    if not inflater.eof:
        raise RecordError("picture-unreadable", "the gzip around the SVG is truncated; send the whole file")
    return plain


def render(svg: str) -> bytes:
    """Draw `svg` on white as a PNG whose longer side is `SIDE` pixels.

    Text is left out, since it would need this machine's fonts; so are scripts and whatever lies outside the file.
    Raises RecordError: `picture-unreadable`, `picture-too-large` (markup), or `picture-timeout` past `SECONDS`.
    """
    body = svg.encode(errors="replace")
    if len(body) > MAX_TEXT:
        raise RecordError("picture-too-large", f"the SVG has {len(body)} bytes; at most {MAX_TEXT} are rendered")
    process = _renderers.take()
    watchdog = threading.Timer(WALL_SECONDS, process.kill)
    watchdog.start()
    try:
        mark, answer = _asked(process, body)
    except (OSError, EOFError) as error:
        raise _ended(process) from error
    finally:
        watchdog.cancel()
        _renderers.put_back(process)
    if mark == b"-":
        raise RecordError("picture-unreadable", f"the SVG cannot be drawn: {answer.decode(errors='replace')[:200]}")
    return answer


def _asked(process: subprocess.Popen[bytes], body: bytes) -> tuple[bytes, bytes]:
    """One request and its answer. Raises OSError or EOFError where the process ends instead."""
    if process.stdin is None or process.stdout is None:
        raise EOFError("the renderer has no pipes")
    process.stdin.write(LENGTH.pack(len(body)) + body)
    process.stdin.flush()
    head = process.stdout.read(1 + LENGTH.size)
    if len(head) < 1 + LENGTH.size:
        raise EOFError("the renderer ended without an answer")
    size = LENGTH.unpack(head[1:])[0]
    answer = process.stdout.read(size)
    if len(answer) < size:
        raise EOFError("the renderer ended within its answer")
    return head[:1], answer


def _ended(process: subprocess.Popen[bytes]) -> RecordError:
    """Why a renderer ended: killed for its time, or dead of the drawing."""
    process.kill()
    status = process.wait()
    if status > 0:
        return RecordError(
            "picture-unreadable", f"the SVG renderer failed with status {status}; is resvg-py installed?"
        )
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return RecordError(
            "picture-timeout", f"the SVG takes more than {SECONDS} s to draw; send a simpler one, or a PNG"
        )
    return RecordError("picture-unreadable", "the SVG is nested too deep or needs too much memory; send it as a PNG")


class _Renderers:
    """Idle processes, never shared with a fork (a Celery pool): two users of one pipe would mix their drawings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []

    def take(self) -> subprocess.Popen[bytes]:
        """An idle process, else a new one. Raises RecordError where this machine starts no more."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
                _end(process)
        script = Path(__file__).with_name("svg_process.py")
        command = [sys.executable, "-P", str(script), str(SIDE), str(SECONDS), str(MEMORY)]
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # noqa: S603 (our own script)
        except OSError as error:
            raise RecordError("picture-unreadable", f"no process to render SVG can be started: {error}") from error

    def put_back(self, process: subprocess.Popen[bytes]) -> None:
        """Keep a process that still lives, for the next drawing."""
        with self._lock:
            if process.poll() is None and len(self._idle) < IDLE:
                self._idle.append(process)
                return
        _end(process)

    def close(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # what was still to be written has no reader any more
                pipe.close()


_renderers = _Renderers()
atexit.register(lambda: _renderers.close())


def _after_fork() -> None:
    global _renderers
    _renderers = _Renderers()


os.register_at_fork(after_in_child=_after_fork)
