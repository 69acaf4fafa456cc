"""`crosshatch worker`."""

import os
import sys

import click


@click.command()
@click.option(
    "--device", default=None, help="auto, cpu, cuda:N, or several parted by commas; default CROSSHATCH_DEVICE"
)
@click.option("--queue", default=None, help="queues to serve, parted by commas; default: queries and batches")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="processes a device")
@click.option("--loglevel", default="INFO", show_default=True, help="DEBUG, INFO, WARNING or ERROR")
def worker(device: str | None, queue: str | None, processes: int, loglevel: str) -> None:
    """Encode records and queries until stopped (Ctrl-C ends after the batch in hand; twice ends at once).

    `auto` serves every CUDA device, one process each, or the CPU where there is none.
    """
    named = {"--device": device, "--queue": queue}
    chosen = [word for name, value in named.items() if value for word in (name, value)]
    command = [sys.executable, "-m", "workers", *chosen, "--processes", str(processes), "--loglevel", loglevel]
    sys.stderr.flush()
    os.execv(sys.executable, command)  # noqa: S606 - this Python, a module of ours, no shell
