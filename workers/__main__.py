"""`python -m workers`: one Celery worker a device, each process with one encoder. `crosshatch worker` starts this."""

import argparse
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from integration import jobs, logs
from mappings.errors import CrosshatchError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def main() -> None:
    """Run the workers until they are told to stop."""
    wanted = _arguments()
    devices = _devices(wanted.device)
    if len(devices) > 1:
        sys.exit(_supervise(devices, wanted))
    os.environ["CROSSHATCH_DEVICE"] = devices[0]
    try:
        from workers.app import SETTINGS, app  # reads the settings, so after the device is set
    except CrosshatchError as error:
        sys.stderr.write(f"crosshatch: {error}\n")
        sys.exit(error.exit_code)
    name = f"crosshatch-{devices[0].replace(':', '')}-{os.getpid()}@%h"
    options = {"pool": "prefork", "concurrency": wanted.processes, "queues": wanted.queue, "hostname": name}
    chosen = [f"--{option}={value}" for option, value in {**options, "loglevel": wanted.loglevel}.items()]
    logs.configure(SETTINGS.log, logging.getLevelName(wanted.loglevel))  # before anybody warns
    quiet = ["--quiet"] if SETTINGS.log == "json" else []  # no banner among the lines
    app.worker_main([*quiet, "worker", *chosen, "--without-gossip", "--without-mingle"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crosshatch worker")
    parser.add_argument("--device", default=os.environ.get("CROSSHATCH_DEVICE") or "auto")
    parser.add_argument("--queue", default=f"{jobs.QUERY_QUEUE},{jobs.BATCH_QUEUE}")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--loglevel", default="INFO", type=str.upper, choices=LEVELS)
    return parser.parse_args()


def _devices(wanted: str) -> list[str]:
    """One name a device; `auto` means every CUDA device, else the CPU. Torch is loaded only where there may be one."""
    if wanted != "auto":
        return wanted.split(",")
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return ["cpu"]
    count = "import torch; print(torch.cuda.device_count())"  # in a process of its own: CUDA survives no fork
    answer = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=False)  # noqa: S603
    found = int(answer.stdout.strip() or 0)
    return [f"cuda:{number}" for number in range(found)] or ["cpu"]


def _supervise(devices: list[str], wanted: argparse.Namespace) -> int:
    """Start a worker for each device, pass signals on, and end when all have ended; tell of one that ends by itself."""
    shared = ["--queue", wanted.queue, "--processes", str(wanted.processes), "--loglevel", wanted.loglevel]
    command = [sys.executable, "-m", "workers", *shared]
    children = [(device, subprocess.Popen([*command, "--device", device])) for device in devices]  # noqa: S603
    told_to_stop = False

    def pass_on(number: int, frame: object) -> None:
        nonlocal told_to_stop
        told_to_stop = True
        for _, child in children:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, pass_on)
    codes = []
    while children:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        ended = next(pair for pair in children if found and pair[1].pid == found.si_pid)
        children.remove(ended)
        codes.append(abs(ended[1].wait()))
        if children and not told_to_stop:
            others = ", ".join(device for device, _ in children)
            sys.stderr.write(
                f"crosshatch: the worker of {ended[0]} ended with code {codes[-1]}; those of {others} go on; "
                "see its lines above, then start `crosshatch worker` again\n"
            )
    return max(codes)


if __name__ == "__main__":
    main()
