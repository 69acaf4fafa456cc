"""The list of libraries, their download, and what is said when it fails. A local server stands for the repository."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jgo.maven
import pytest

from integration.engine import jars
from integration.engine.jars import Jar
from mappings.errors import EngineUnavailable

CONTENT = bytes(range(256)) * 40
JAR = Jar("org.example:thing:1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


class Repository(BaseHTTPRequestHandler):
    """Serves CONTENT at every path, parts of it where a range is asked for, and notes what was asked."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str | None]]]:
    """A repository that holds one library, which is all that the lock names; gives the requests it gets."""
    requests: list[tuple[str, str | None]] = []
    handler = type("Handler", (Repository,), {"asked": requests})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    point_to(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield requests
    server.shutdown()
    thread.join()
    server.server_close()


def point_to(monkeypatch: pytest.MonkeyPatch, repository: str) -> None:
    """Let jars come from `repository`, and be one."""
    monkeypatch.setattr(
        jars, "MavenContext", lambda **known: jgo.maven.MavenContext(remote_repos={"test": repository}, **known)
    )
    monkeypatch.setattr(jars, "locked", lambda: [JAR])


def place(folder: Path) -> Path:
    return folder / "maven" / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"


def test_the_lock_names_the_engine_once_with_sizes_and_digests() -> None:
    names = [jar.coordinate for jar in jars.locked()]
    assert set(jars.WANTED) <= set(names)
    assert len(names) == len(set(names))
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars.locked())


def test_a_missing_library_is_fetched_once(tmp_path: Path, asked: list[tuple[str, str | None]]) -> None:
    assert jars.classpath(tmp_path) == [place(tmp_path)]
    assert place(tmp_path).read_bytes() == CONTENT
    assert jars.classpath(tmp_path) == [place(tmp_path)]
    assert asked == [("/org/example/thing/1.0/thing-1.0.jar", None)]


def test_a_download_that_was_cut_goes_on_where_it_ended(tmp_path: Path, asked: list[tuple[str, str | None]]) -> None:
    place(tmp_path).parent.mkdir(parents=True)
    Path(f"{place(tmp_path)}.part").write_bytes(CONTENT[:1000])
    jars.classpath(tmp_path)
    assert place(tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in asked] == ["bytes=1000-"]


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 7])
def test_a_wrong_file_is_refused_or_fetched_anew(
    tmp_path: Path, asked: list[tuple[str, str | None]], size: int
) -> None:
    """What an earlier run left is foreign: a short one fails by its digest and is dropped, a long one is dropped."""
    part = Path(f"{place(tmp_path)}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * size)
    if size < len(CONTENT):
        with pytest.raises(EngineUnavailable, match=r"another SHA-256"):
            jars.classpath(tmp_path)
        assert not part.exists()
    jars.classpath(tmp_path)
    assert place(tmp_path).read_bytes() == CONTENT


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineUnavailable) as caught:
        jars.classpath(tmp_path)
    assert caught.value.exit_code == 75
    for part in ("cannot be downloaded", "HTTPS_PROXY", str(tmp_path), "CROSSHATCH_OPENSEARCH_URL"):
        assert part in str(caught.value)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "maven").write_text("a file where the folder should be")
    with pytest.raises(EngineUnavailable, match=r"cannot write .*maven.*XDG_CACHE_HOME"):
        jars.classpath(tmp_path)


def test_the_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jars.cache() == tmp_path / "crosshatch"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert jars.cache() == Path("/somewhere/.cache/crosshatch")
