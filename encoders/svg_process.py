"""The process that renders SVG: run as a script by `encoders.svg`, which imports no more than its frame.

resvg follows `href` to files (a pipe or /dev/zero included), dies of a stack overflow on deep nesting, and a filter of
a hundred bytes keeps it busy for hours with Python's lock held. So it runs here, where it can open nothing and can be
killed.

A request is four bytes of length and the SVG in UTF-8; an answer is `+` or `-`, four bytes of length, and the PNG or
why there is none. The end of the input ends the process.
"""

import resource
import struct
import sys
from typing import BinaryIO

import resvg_py

LENGTH = struct.Struct(">I")


def confine(memory: int) -> None:
    """Open no file and no connection from here on, write no core dump, and use at most `memory` bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # what is open stays open: the two pipes


def allow_seconds(seconds: int) -> None:
    """Let the kernel end this process after `seconds` more of processor time, its parent alive or not."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def render(svg: str, side: int) -> tuple[bytes, bytes]:
    """`+` and a PNG on white whose longer side is `side` pixels, or `-` and the reason."""
    try:
        # No fonts of this machine: the same drawing must give the same code on every worker.
        picture = resvg_py.svg_to_bytes(
            svg_string=svg, width=side, height=side, background="#ffffff", skip_system_fonts=True
        )
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic is no Exception
        return b"-", str(error).encode()
    return b"+", picture


def serve(requests: BinaryIO, answers: BinaryIO, *, side: int, seconds: int) -> None:
    """Answer requests until the input ends."""
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        svg = requests.read(LENGTH.unpack(head)[0]).decode()
        allow_seconds(seconds)
        mark, body = render(svg, side)
        answers.write(mark + LENGTH.pack(len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    side, seconds, memory = map(int, sys.argv[1:])
    confine(memory)
    serve(sys.stdin.buffer, sys.stdout.buffer, side=side, seconds=seconds)
