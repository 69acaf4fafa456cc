"""Pictures from hostile places: a loopback server that misbehaves, a resolver that lies, files that point elsewhere."""

import base64
import gzip
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.pictures import Fetched, PictureReference, fetch, fetch_all, from_isbn, isbn13
from integration.pictures.hosts import HostRules, is_public
from integration.pictures.web import PictureClient, shown
from integration.settings import Settings
from mappings.errors import RecordError

PICTURE = b"picture" * 10
Answer = Callable[[socket.socket, str], None]


def head(status: str = "200 OK", **headers: object) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()


def whole(body: bytes, status: str = "200 OK", **headers: object) -> bytes:
    return head(status, Content_Length=len(body), **headers) + body


class Server:
    """A raw HTTP server on loopback: each path has a function that writes to the socket whatever it likes."""

    def __init__(self) -> None:
        self.paths: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.connections = 0
        self.stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def send(self, path: str, *parts: bytes) -> str:
        """Answer `path` with these bytes; gives its URL."""
        self.paths[path] = lambda connection, _: [connection.sendall(part) for part in parts] and None
        return self.url(path)

    def close(self) -> None:
        self.stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(5)
            try:
                while request := lines.readline().decode("latin-1"):
                    headers = ""
                    while (line := lines.readline().decode("latin-1")) not in ("\r\n", ""):
                        headers += line
                    self.requests.append(request + headers)
                    path = (*request.split(), "", "")[1].partition("?")[0]
                    answer = self.paths.get(path)
                    if answer is None:
                        connection.sendall(whole(b"", "404 Not Found"))
                    else:
                        answer(connection, headers)
                        if path.startswith("/close"):
                            return
            except OSError:
                return


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def settings(**given: object) -> Settings:
    values = {"picture_hosts": ("127.0.0.1",), "picture_max_bytes": 1000, "picture_timeout": 2.0, **given}
    return Settings.model_validate(values)


def get(url: str, **given: object) -> Fetched:
    return fetch(PictureReference("url", url), settings(**given))


def refusal(url: str, **given: object) -> RecordError:
    with pytest.raises(RecordError) as caught:
        get(url, **given)
    return caught.value


def test_a_picture_comes_with_its_digest_and_etag(server: Server) -> None:
    url = server.send("/a.png", whole(PICTURE, ETag='"v1"'))
    assert get(url) == Fetched(PICTURE, '"v1"', hashlib.sha256(PICTURE).hexdigest())
    assert f"Host: 127.0.0.1:{server.port}" in server.requests[0]
    assert "Accept-Encoding: identity" in server.requests[0]
    assert get(server.send("/b.png", whole(PICTURE))).etag is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404 Not Found", "picture-missing"),
        ("410 Gone", "picture-missing"),
        ("204 No Content", "picture-missing"),
        ("418 Teapot", "picture-missing"),
        ("401 Unauthorized", "picture-forbidden"),
        ("403 Forbidden", "picture-forbidden"),
        ("429 Too Many Requests", "picture-timeout"),
        ("503 Service Unavailable", "picture-timeout"),
        ("304 Not Modified", "picture-missing"),
        ("302 Found", "picture-missing"),  # without a location
    ],
)
def test_a_status_has_its_reason(server: Server, status: str, reason: str) -> None:
    assert refusal(server.send("/close", head(status, Connection="close"))).reason == reason


def test_an_empty_body_is_missing(server: Server) -> None:
    assert refusal(server.send("/a", whole(b""))).reason == "picture-missing"


def test_nobody_listening_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/").reason == "picture-missing"


def test_a_length_over_the_limit_is_refused_unread(server: Server) -> None:
    assert refusal(server.send("/close", head(Content_Length=10**12))).reason == "picture-too-large"
    assert refusal(server.send("/close2", head(Content_Length=1001))).reason == "picture-too-large"


def test_a_body_that_never_ends_is_cut(server: Server) -> None:
    def pour(connection: socket.socket, _: str) -> None:
        connection.sendall(head(Connection="close"))
        while not server.stop.is_set():
            connection.sendall(bytes(10_000))

    server.paths["/close"] = pour
    assert refusal(server.url("/close")).reason == "picture-too-large"


def test_a_length_that_promises_too_much_is_broken_off(server: Server) -> None:
    assert refusal(server.send("/close", head(Content_Length=500) + PICTURE)).reason == "picture-unreadable"


def test_a_gzip_bomb_counts_as_it_unpacks(server: Server) -> None:
    packed = gzip.compress(bytes(10_000_000))
    url = server.send("/bomb", whole(packed, Content_Encoding="gzip"))
    assert refusal(url, picture_max_bytes=100_000).reason == "picture-too-large"
    assert get(server.send("/fine", whole(gzip.compress(PICTURE), Content_Encoding="gzip"))).data == PICTURE
    broken = server.send("/broken", whole(b"rubbish", Content_Encoding="gzip"))
    assert refusal(broken).reason == "picture-unreadable"


@pytest.mark.parametrize(
    "begin", [b"", head(Content_Length=900), b"HTTP/1.1 200 OK\r\nX: "], ids=["hangs", "body", "headers"]
)
@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "drips"])
def test_time_ends_whatever_the_server_does(server: Server, begin: bytes, drip: bytes) -> None:
    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(begin)
        while not server.stop.wait(0.05):
            connection.sendall(drip)

    server.paths["/close"] = answer
    started = time.monotonic()
    error = refusal(server.url("/close"), picture_timeout=0.5)
    took = time.monotonic() - started
    if not begin and drip:
        assert error.reason in ("picture-timeout", "picture-unreadable")  # endless rubbish where a status line goes
    else:
        assert error.reason == "picture-timeout"
        assert took > 0.4
    assert took < 5


def test_redirects_share_one_time_limit(server: Server) -> None:
    def slow(connection: socket.socket, _: str) -> None:
        server.stop.wait(0.2)
        connection.sendall(whole(b"", "302 Found", Location="/slow"))

    server.paths["/slow"] = slow
    started = time.monotonic()
    assert refusal(server.url("/slow"), picture_timeout=0.5).reason == "picture-timeout"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "rubbish", [b"\0" * 100, b"HTTP/9.9 abc\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"]
)
def test_rubbish_for_an_answer_is_unreadable(server: Server, rubbish: bytes) -> None:
    assert refusal(server.send("/close", rubbish)).reason == "picture-unreadable"


def test_redirects_are_followed_five_times(server: Server) -> None:
    for step in range(6):
        server.send(f"/{step}", whole(b"", "302 Found", Location=f"/{step + 1}"))
    server.send("/6", whole(PICTURE))
    assert get(server.url("/1")).data == PICTURE
    assert refusal(server.url("/0")).reason == "picture-missing"
    loop = server.send("/loop", whole(b"", "301 Moved", Location="/loop"))
    assert refusal(loop).reason == "picture-missing"


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "http://user:secret@127.0.0.1/",
    ],
)
def test_a_redirect_leads_nowhere_that_a_record_may_not(server: Server, location: str) -> None:
    error = refusal(server.send("/go", whole(b"", "302 Found", Location=location)))
    assert error.reason == "picture-forbidden"
    assert "secret" not in str(error)


@pytest.mark.parametrize("location", ["http://[", "http://127.0.0.1:99999/", "http://\u00e9\u0301..x/", "//"])
def test_a_redirect_that_cannot_be_read_is_a_record_error(server: Server, location: str) -> None:
    url = server.send("/go", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location.encode() + b"\r\n\r\n")
    assert refusal(url).reason.startswith("picture-")


@pytest.mark.parametrize(
    "url",
    ["", "cover.jpg", "//127.0.0.1/a", "file:///etc/passwd", "javascript:1", "http://", "http:///a", "http://[::1",
     "http://a b/", "http://127.0.0.1:0x50/", "http://" + "a" * 70_000, "http://xn--/", "http://\x00/", "http://.../",
     "http://a\r\nHost: b/", "\ud800"],
)  # fmt: skip
def test_a_url_of_any_letters_is_a_record_error(url: str) -> None:
    assert refusal(url).reason in ("picture-forbidden", "picture-missing")


def test_no_message_shows_a_secret(server: Server) -> None:
    error = refusal(server.url("/none?key=secret#secret"))
    assert str(error) == f"http://127.0.0.1:{server.port}/none answers 404 where a picture was expected"
    assert refusal("http://user:secret@127.0.0.1/a").reason == "picture-forbidden"
    assert "secret" not in str(refusal("http://user:secret@127.0.0.1/a"))
    assert shown("https://a:b@example.org/x?y=z") == "https://example.org/x"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/", "http://0x7f.1/", "http://0/",
            "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/"]
)  # fmt: skip
def test_private_machines_are_not_asked_unless_listed(url: str) -> None:
    assert refusal(url, picture_hosts=()).reason == "picture-forbidden"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),  # NAT64 of a public address
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("::1", False),
        ("fe80::1%lo", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2002:5db8:d70e::", False),
        ("2001:0:5db8:d70e::1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::5db8:d70e", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("entry", "host", "port", "permitted"),
    [
        ("covers.example", "covers.example", 443, True),
        ("Covers.Example", "covers.example", 80, True),
        ("covers.example", "evilcovers.example", 443, False),
        ("covers.example", "a.covers.example", 443, False),
        ("covers.example:8080", "covers.example", 8080, True),
        ("covers.example:8080", "covers.example", 80, False),
        ("*.example", "a.example", 80, True),
        ("*.example", "a.b.example", 80, True),
        ("*.example", "example", 80, False),
        ("*.example", "aexample", 80, False),
        ("*.example:81", "a.example", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:80", "::1", 81, False),
    ],
)
def test_what_an_entry_of_picture_hosts_means(entry: str, host: str, port: int, permitted: bool) -> None:
    assert HostRules((entry,)).permits(host, port) is permitted


class Resolver:
    """Gives another list of addresses each time it is asked; the last one stays."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int) -> list[str]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def fetched_by_name(server: Server, resolver: Resolver, *listed: str, path: str = "/a", seconds: float = 2.0) -> bytes:
    rules = HostRules(listed, resolver)
    with PictureClient(settings(picture_hosts=listed, picture_timeout=seconds), rules) as client:
        return client.fetch(f"http://covers.test:{server.port}{path}").data


def test_the_connection_goes_to_the_address_that_was_checked(server: Server) -> None:
    server.send("/a", whole(PICTURE))
    resolver = Resolver(["127.0.0.1"], ["10.255.255.1"])  # a second look-up would lead elsewhere
    assert fetched_by_name(server, resolver, "covers.test") == PICTURE
    assert resolver.asked == 1
    assert f"Host: covers.test:{server.port}" in server.requests[0]


def test_rebinding_after_a_redirect_is_checked_again(server: Server) -> None:
    server.send("/a", whole(b"", "302 Found", Location="/b", Connection="close"))
    resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
    with pytest.raises(RecordError, match=r"covers\.test is at 169\.254\.169\.254") as caught:
        fetched_by_name(server, resolver, "covers.test")
    assert caught.value.reason == "picture-forbidden"
    assert resolver.asked == 2


def test_one_private_address_among_public_ones_is_refused(server: Server) -> None:
    with pytest.raises(RecordError) as caught:
        fetched_by_name(server, Resolver(["93.184.215.14", "127.0.0.1"]))
    assert caught.value.reason == "picture-forbidden"
    assert server.connections == 0


def test_the_next_address_is_tried_where_the_first_does_not_listen(server: Server) -> None:
    server.send("/a", whole(PICTURE))
    assert fetched_by_name(server, Resolver(["127.0.0.9", "127.0.0.1"]), "covers.test") == PICTURE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), "picture-missing"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "picture-timeout"),
        (UnicodeError("label too long"), "picture-missing"),
        ([], "picture-missing"),
        (["rubbish"], "picture-forbidden"),
    ],
)
def test_a_name_that_does_not_resolve_has_its_reason(
    server: Server, answer: list[str] | Exception, reason: str
) -> None:
    with pytest.raises(RecordError) as caught:
        fetched_by_name(server, Resolver(answer))
    assert caught.value.reason == reason


def test_a_resolver_that_hangs_ends_in_time(server: Server) -> None:
    def hang(host: str, port: int) -> list[str]:
        server.stop.wait(10)
        return []

    client = PictureClient(settings(picture_timeout=0.3), HostRules((), hang))
    started = time.monotonic()
    with pytest.raises(RecordError) as caught, client:
        client.fetch("http://covers.test/")
    assert caught.value.reason == "picture-timeout"
    assert time.monotonic() - started < 2


def test_tls_with_nobody_to_speak_it_is_a_record_error(server: Server) -> None:
    server.stop.set()  # it closes after the greeting
    error = refusal(f"https://127.0.0.1:{server.port}/", picture_timeout=1.0)
    assert error.reason.startswith("picture-")


def test_proxies_of_the_environment_are_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(server.send("/a", whole(PICTURE))).data == PICTURE


def test_many_come_in_order_over_kept_connections(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"file")
    references = [PictureReference("url", server.send(f"/{i}", whole(b"%d" % i))) for i in range(100)]
    references += [PictureReference("url", server.url("/none")), PictureReference("file", "a.png")]
    results = fetch_all(references, settings(picture_roots=(tmp_path,)))
    assert [r.data for r in results[:100] if isinstance(r, Fetched)] == [b"%d" % i for i in range(100)]
    assert isinstance(results[100], RecordError)
    assert results[100].reason == "picture-missing"
    assert isinstance(results[101], Fetched)
    assert server.connections <= 8
    assert fetch_all([], settings()) == []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "covers"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(PICTURE)
    (folder / "deep" / "b.png").write_bytes(b"deep")
    (folder / "big.png").write_bytes(bytes(1001))
    (folder / "empty.png").touch()
    (folder / "inside").symlink_to(folder / "deep" / "b.png")
    (folder / "outside").symlink_to(tmp_path / "secret")
    (folder / "parent").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "covers-evil").mkdir()
    (tmp_path / "covers-evil" / "a.png").write_bytes(b"evil")
    return folder


def read(value: str, *roots: Path) -> Fetched:
    return fetch(PictureReference("file", value), settings(picture_roots=roots))


def test_files_under_the_roots_are_read(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert read("a.png", root).data == PICTURE
    assert read(str(root / "deep" / "b.png"), root).data == b"deep"
    assert read("deep/../a.png", other, root).data == PICTURE
    assert read("inside", root).data == b"deep"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("none.png", "picture-missing"),
        ("empty.png", "picture-missing"),
        ("a\0b", "picture-missing"),
        ("a" * 5000, "picture-missing"),
        ("a.png/b", "picture-missing"),
        ("loop", "picture-missing"),
        ("big.png", "picture-too-large"),
        ("../secret", "picture-forbidden"),
        ("../none", "picture-forbidden"),
        ("/etc/passwd", "picture-forbidden"),
        ("/etc/none", "picture-forbidden"),
        ("../covers-evil/a.png", "picture-forbidden"),
        ("outside", "picture-forbidden"),
        ("parent/secret", "picture-forbidden"),
        ("deep", "picture-forbidden"),
        ("", "picture-forbidden"),
        ("pipe", "picture-forbidden"),
        ("/dev/zero", "picture-forbidden"),
    ],
)
def test_other_files_are_refused(root: Path, value: str, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        read(value, root)
    assert caught.value.reason == reason


def test_a_device_under_a_root_is_no_picture() -> None:
    with pytest.raises(RecordError) as caught:
        read("zero", Path("/dev"))
    assert caught.value.reason == "picture-forbidden"


def test_a_link_put_there_after_the_check_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = Path.resolve

    def swap(self: Path, strict: bool = False) -> Path:
        found = resolve(self, strict)
        if found.name == "b.png":
            (root / "deep" / "b.png").unlink()
            (root / "deep" / "b.png").symlink_to(root.parent / "secret")
        return found

    monkeypatch.setattr(Path, "resolve", swap)
    with pytest.raises(RecordError) as caught:
        read("deep/b.png", root)
    assert caught.value.reason == "picture-forbidden"


def test_without_roots_no_file_is_read(root: Path) -> None:
    with pytest.raises(RecordError, match="set CROSSHATCH_PICTURE_ROOTS"):
        read(str(root / "a.png"))


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else None
    for value in ("a.png", "pipe", "deep", "none", "a.png/b", "empty.png"):
        try:
            read(value, root)
        except RecordError:
            continue
    if before is not None:
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def unpack(value: str, **given: object) -> bytes:
    return fetch(PictureReference("base64", value), settings(**given)).data


def test_base64_comes_plain_wrapped_unpadded_or_as_a_data_uri() -> None:
    packed = base64.b64encode(PICTURE).decode()
    wrapped = "\r\n ".join(packed[i : i + 20] for i in range(0, len(packed), 20))
    for value in (
        packed,
        wrapped,
        f" {packed.rstrip('=')}\n",
        f"data:image/png;base64,{wrapped}",
        f"DATA:;BASE64,{packed}",
    ):
        assert unpack(value) == PICTURE
    assert unpack(base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode()) == b"\xff\xfe\xfd"
    assert unpack("data:image/svg+xml,%3Csvg/%3E") == b"<svg/>"
    assert unpack("data:;base64,/%2B8%3D") == b"\xff\xef"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no base64!", "picture-unreadable"),
        ("é", "picture-unreadable"),
        ("\ud800", "picture-unreadable"),
        ("A", "picture-unreadable"),
        ("data:image/png;base64,*", "picture-unreadable"),
        ("", "picture-missing"),
        ("data:,", "picture-missing"),
        (base64.b64encode(bytes(1001)).decode(), "picture-too-large"),
        ("A" * 100_000, "picture-too-large"),
        ("data:," + "a" * 1001, "picture-too-large"),
    ],
)
def test_bad_base64_is_refused(value: str, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        unpack(value)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("9780306406157", "9780306406157"),
        ("978-0-306-40615-7", "9780306406157"),
        ("0-306-40615-2", "9780306406157"),
        ("0306406152 (pbk.) : $5.00", "9780306406157"),
        ("080442957X", "9780804429573"),
        ("0-8044-2957-x", "9780804429573"),
        ("979-10-90636-07-1", "9791090636071"),
        ("ISBN 978 0 306 40615 7", "9780306406157"),
        ("9780306406158", None),
        ("0306406153", None),
        ("1234567890128", None),  # a right EAN, but no book
        ("30640615", None),
        ("", None),
        ("hbk.", None),
        ("٠٣٠٦٤٠٦١٥٢", None),
    ],
)
def test_an_isbn_becomes_a_cover(field: str, expected: str | None) -> None:
    reference = from_isbn("https://covers.example/b/{isbn}-L.jpg?default=false", field)
    url = f"https://covers.example/b/{expected}-L.jpg?default=false"
    assert reference == (PictureReference("url", url) if expected else None)


def test_a_long_number_is_searched_in_no_time() -> None:
    started = time.monotonic()
    assert from_isbn("http://a/{isbn}", "1-" * 200_000) is None
    assert isbn13("") is None
    assert time.monotonic() - started < 2
