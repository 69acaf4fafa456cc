"""What the gateway costs: `make bench-gateway`, or `python -m tests.bench --only gateway`.

Engine, gateway and load are processes of their own on one machine. Latency: the same search directly and through the
gateway, one right after the other in changing order, over two kept connections; what is added is taken pair by pair.
Processor time per request is read from the processes while each way is used alone. Throughput: clients that ask again
as soon as they are answered, first directly, then through. A bulk of 100 MB streams through while memory is watched.
"""

import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from integration.engine.client import Cluster
from integration.engine.services import running
from integration.settings import Settings
from tests.bench import rewritten
from tests.bench.load import requests
from tests.bench.processes import cpu_seconds, family, parts_of, rss_mib
from tests.bench.search.three_parts import INDEX, fill
from tests.integration.gateway.process import gateway_before

DOCUMENTS, PAIRS, REQUESTS, SECONDS = 50_000, 3000, 4000, 5.0
CLIENTS = (1, 8, 32)
BULK = 100_000_000  # bytes; the cluster takes 104,857,600
LINE = b'{"index":{}}\n' + json.dumps({"note": "x" * 950}).encode() + b"\n"
GOALS = {"added_p50_ms": 1.5, "added_p95_ms": 3.0}
console = Console(stderr=True)


def asking(port: int, query: str = "") -> tuple[http.client.HTTPConnection, Callable[[bytes], float]]:
    """A kept connection, and how a search is asked over it; returns milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(body: bytes) -> float:
        began = time.perf_counter()
        connection.request("POST", f"/{INDEX}/_search{query}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"a search was answered with {answer.status}")
        return (time.perf_counter() - began) * 1000

    return connection, ask


def latency(direct: int, through: int, pairs: int) -> dict[str, Any]:
    """Milliseconds of both ways and what the gateway adds. The first 200 pairs warm everything up."""
    rng = random.Random(3)
    bodies = [raw.partition(b"\r\n\r\n")[2] for raw in requests("-")]
    found: dict[str, list[float]] = {"direct": [], "through": []}
    with ExitStack() as stack:
        ways = []
        for name, port in (("direct", direct), ("through", through)):
            connection, ask = asking(port)
            stack.enter_context(closing(connection))
            ways.append((name, ask))
        for number in range(-200, pairs):
            body = bodies[number % len(bodies)]
            rng.shuffle(ways)
            for name, ask in ways:
                took = ask(body)
                if number >= 0:
                    found[name].append(took)
    first, second = np.array(found["direct"]), np.array(found["through"])
    told = {name: _quantiles(times) for name, times in (("direct", first), ("through", second))}
    return {
        **told,
        "added_p50_ms": round(float(np.median(second - first)), 2),
        "added_p95_ms": round(told["through"]["p95_ms"] - told["direct"]["p95_ms"], 2),
        "ratio": round(float(np.median(second / first)), 2),
    }


def clauses(cluster: Cluster, settings: Settings, direct: int, through: int, rounds: int) -> dict[str, Any]:
    """Searches with a clause through the gateway, and their native form directly."""
    card = rewritten.attach(cluster)
    trees = rewritten.bodies(200)
    native = rewritten.natives(cluster, settings, trees)
    with ExitStack() as stack:
        connection, ask = asking(through)
        stack.enter_context(closing(connection))
        connection, ask_native = asking(direct, f"?{rewritten.SCORES}")
        stack.enter_context(closing(connection))
        found = rewritten.pairs([json.dumps(tree).encode() for tree in trees], native, ask, ask_native, rounds)
    return {**found, "hit_ms": rewritten.hit(card)}


def _quantiles(times: "np.ndarray[Any, Any]") -> dict[str, float]:
    p50, p95 = np.percentile(times, (50, 95))
    return {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2)}


def cost(ways: Mapping[str, int], parts: Mapping[str, list[int]], count: int) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time per request, by way and process."""
    bodies = [raw.partition(b"\r\n\r\n")[2] for raw in requests("-")]
    found = {}
    for way, port in ways.items():
        connection, ask = asking(port)
        with closing(connection):
            before = {name: cpu_seconds(part) for name, part in parts.items()}
            for number in range(count):
                ask(bodies[number % len(bodies)])
            used = {name: cpu_seconds(part) - before[name] for name, part in parts.items()}
        found[way] = {f"{name}_ms": round(seconds * 1000 / count, 3) for name, seconds in used.items()}
    return found


def throughput(port: int, clients: int, seconds: float, parts: Mapping[str, list[int]]) -> dict[str, Any]:
    """Answers a second, and each process's share of a core meanwhile."""
    command = [sys.executable, "-m", "tests.bench.load", str(port), "--clients", str(clients)]
    before = {name: cpu_seconds(part) for name, part in parts.items()}
    done = subprocess.run([*command, "--seconds", str(seconds)], capture_output=True, text=True, check=True)
    used = {name: cpu_seconds(part) - before[name] for name, part in parts.items()}
    told = json.loads(done.stdout)
    lasted = told["seconds"]
    shares = {name: round(spent / lasted, 2) for name, spent in used.items()} | {
        "load": round(told["cpu_s"] / lasted, 2)
    }
    return {
        "per_s": round(told["answers"] / lasted),
        "p50_ms": told["p50_ms"],
        "p95_ms": told["p95_ms"],
        "cores": shares,
    }


def bulk(port: int, size: int, watched: list[int]) -> dict[str, float]:
    """Seconds of a bulk of `size` bytes that is sent piece by piece, and how much more memory was held at most."""
    lines = size // len(LINE)
    before, most, over = rss_mib(watched), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], rss_mib(watched))

    def pieces() -> Iterator[bytes]:
        for _ in range(lines // 100):
            yield LINE * 100

    watcher = threading.Thread(target=watch)
    watcher.start()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    with closing(connection):
        began = time.perf_counter()
        length = str(lines // 100 * 100 * len(LINE))
        headers = {"Content-Type": "application/x-ndjson", "Content-Length": length}
        connection.request("POST", "/bulk/_bulk?filter_path=errors", pieces(), headers)
        answer = connection.getresponse()
        told = answer.read()
        took = time.perf_counter() - began
    over.set()
    watcher.join()
    if answer.status != 200 or b"false" not in told:
        raise SystemExit(f"the bulk was answered with {answer.status}: {told[:300]!r}")
    return {"seconds": round(took, 2), "most_mib": round(most[0], 1), "more_mib": round(most[0] - before, 1)}


def measure(documents: int, pairs: int, count: int, seconds: float, size: int) -> dict[str, Any]:
    """Everything, on an engine and a gateway started for it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        services = stack.enter_context(running(Settings(data=folder), engine="embedded", heap="2g"))
        gateway = stack.enter_context(gateway_before(services.url, services.broker_url, log=folder))
        cluster = Cluster(services.url)
        stack.callback(cluster.close)
        fill(cluster, documents)
        mapping = {"mappings": {"dynamic": False}, "settings": {"number_of_replicas": 0}}
        cluster.request("PUT", "/bulk", body=mapping)
        ports = {"direct": int(services.url.rpartition(":")[2]), "through": gateway.port}
        parts = {"engine": parts_of(services)["engine"], "gateway": family(gateway.process.pid)}
        found = {"latency": latency(*ports.values(), pairs), "cpu": cost(ports, parts, count), "throughput": {}}
        found["clause"] = clauses(cluster, Settings(data=folder), *ports.values(), max(pairs // 3, 20))
        for clients in CLIENTS:
            found["throughput"][str(clients)] = {
                way: throughput(port, clients, seconds, parts) for way, port in ports.items()
            }
        found["bulk"] = {"mb": size / 1e6} | {way: bulk(port, size, parts["gateway"]) for way, port in ports.items()}
        version = services.version
    return {
        "documents": documents,
        "pairs": pairs,
        **found,
        "goals": GOALS | {"clause": rewritten.GOALS},
        "opensearch": version,
    }


def table(found: Mapping[str, Any]) -> Table:
    """What `measure` found, for people."""
    shown = Table("", "direct", "gateway", "ratio", title=f"{found['documents']} records, one search after the other")
    told = found["latency"]
    for name in ("p50_ms", "p95_ms"):
        pair = told["direct"][name], told["through"][name]
        shown.add_row(f"search, {name[:3]} ms", *(f"{one:.2f}" for one in pair), f"{pair[1] / pair[0]:.2f}")
    clause = found["clause"]
    shown.add_row("with a clause, p50 ms", *(f"{clause[f'{way}_p50_ms']:.2f}" for way in ("direct", "through")),
                  f"{clause['ratio']:.2f}")  # fmt: skip
    for part in ("engine", "gateway"):
        pair = tuple(found["cpu"][way][f"{part}_ms"] for way in ("direct", "through"))
        ratio = f"{pair[1] / pair[0]:.2f}" if pair[0] >= 0.01 else "-"
        shown.add_row(f"CPU per search, {part}, ms", *(f"{one:.2f}" for one in pair), ratio)
    for clients, ways in found["throughput"].items():
        pair = ways["direct"]["per_s"], ways["through"]["per_s"]
        shown.add_row(f"searches/s, {clients} clients", *map(str, pair), f"{pair[1] / pair[0]:.2f}")
        shares = (", ".join(f"{name} {share:.2f}" for name, share in way["cores"].items()) for way in ways.values())
        shown.add_row("  cores used", *shares, "")
    one, two = (found["bulk"][way] for way in ("direct", "through"))
    shown.add_row(f"bulk of {found['bulk']['mb']:.0f} MB, s", f"{one['seconds']:.1f}", f"{two['seconds']:.1f}",
                  f"{two['seconds'] / one['seconds']:.2f}")  # fmt: skip
    shown.caption = (
        f"added: p50 {told['added_p50_ms']:+.2f} ms (goal {GOALS['added_p50_ms']:g}), "
        f"p95 {told['added_p95_ms']:+.2f} ms (goal {GOALS['added_p95_ms']:g}); "
        f"with a clause {clause['added_p50_ms']:+.2f} ms (goal {rewritten.GOALS['added_p50_ms']:g}); "
        f"a remembered code {clause['hit_ms']:.3f} ms (goal {rewritten.GOALS['hit_ms']:g}); "
        f"memory of the gateway during the bulk {two['most_mib']:.0f} MiB ({two['more_mib']:+.1f})"
    )
    return shown
