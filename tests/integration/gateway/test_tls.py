"""TLS on both sides, and what becomes of a client's certificate."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner

from integration.cli import cli
from integration.engine.redis_server import free_port
from integration.gateway.certificates import is_reserved, subject
from mappings.errors import SettingsError
from tests.integration.gateway.node import OK, Node, answers, node
from tests.integration.gateway.process import Running, gateway_before

GONE = "https://127.0.0.1:1"


class Files:
    """An authority and its certificates, as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority, self.stranger = trustme.CA(), trustme.CA()
        self.ca, self.strange_ca = str(folder / "ca.pem"), str(folder / "strange.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.stranger.cert_pem.write_to_path(self.strange_ca)
        self.server = self._written("server", self.authority.issue_cert("127.0.0.1"))
        self.client = self._written("client", self.authority.issue_cert("opac@library.example", common_name="opac"))
        self.strange = self._written("strange-client", self.stranger.issue_cert("x@y.example", common_name="x"))

    def _written(self, name: str, issued: Any) -> str:
        path = self._folder / f"{name}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)

    def node(self, *, client: bool = False) -> ssl.SSLContext:
        """The context of a node, which may ask for a certificate of our authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(self.server)
        context.verify_mode = ssl.CERT_REQUIRED if client else ssl.CERT_NONE
        return context

    def ask(self, running: Running, certificate: str | None = None, **headers: str) -> bytes:
        """A GET of a client that trusts the authority."""
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(certificate)
        request = urllib.request.Request(f"{running.url}/a", headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310
            return bytes(answer.read())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once: keys take their time."""
    return Files(tmp_path_factory.mktemp("certificates"))


@contextmanager
def between(tmp_path: Path, one: Node, **settings: str) -> Iterator[Running]:
    """A gateway before a node."""
    scheme = "https" if "gateway_certificate" in settings else "http"
    with gateway_before(GONE, log=tmp_path, scheme=scheme, gateway_nodes=one.url, **settings) as running:
        yield running


def test_both_sides_speak_tls(files: Files, tmp_path: Path) -> None:
    settings = {"gateway_certificate": files.server, "upstream_ca": files.ca}
    with node(answers(OK), files.node()) as one, between(tmp_path, one, **settings) as running:
        assert files.ask(running, Authorization="Basic eDp5") == b"{}"
        assert b"authorization: Basic eDp5\r\n" in one.requests[0]


def test_a_node_of_another_authority_gets_nothing(files: Files, tmp_path: Path) -> None:
    with node(answers(OK), files.node()) as one, between(tmp_path, one, upstream_ca=files.strange_ca) as running:
        with pytest.raises(urllib.error.HTTPError) as refused:
            files.ask(running, Authorization="Basic eDp5")
        with refused.value as answer:
            assert (answer.code, json.load(answer)["error"]["type"]) == (503, "crosshatch_gateway_no_node")
        assert one.requests == []


def test_the_gateway_shows_the_nodes_its_own_certificate(files: Files, tmp_path: Path) -> None:
    with node(answers(OK), files.node(client=True)) as one:
        with between(tmp_path, one, upstream_ca=files.ca, upstream_certificate=files.client) as running:
            assert files.ask(running) == b"{}"
        with between(tmp_path, one, upstream_ca=files.ca) as running, pytest.raises(urllib.error.HTTPError) as refused:
            files.ask(running)
        refused.value.close()


@pytest.mark.parametrize("policy", ["required", "optional"])
def test_a_clients_certificate_is_verified_and_its_subject_told(files: Files, tmp_path: Path, policy: str) -> None:
    settings = {
        "gateway_certificate": files.server,
        "gateway_client_ca": files.ca,
        "gateway_client_certificate": policy,
        "gateway_certificate_header": "X-Proxy-User",
    }
    forged = {"X-Proxy-User": "CN=admin", "X_Proxy_User": "CN=admin", "X-Proxy-Roles": "admin", "Forwarded": "for=::"}
    forged |= {"X-Forwarded-For": "203.0.113.9", "X-Opaque-Id": "mine"}
    with node(answers(OK)) as one, between(tmp_path, one, **settings) as running:
        assert files.ask(running, files.client, **forged) == b"{}"
        [told] = [line for line in one.requests[0].split(b"\r\n") if line.startswith(b"x-proxy-user:")]
        assert told.startswith(b"x-proxy-user: CN=opac,")
        assert b"x-forwarded-for: 127.0.0.1\r\n" in one.requests[0]
        assert b"x-opaque-id: mine\r\n" in one.requests[0]
        assert not any(word in one.requests[0] for word in (b"admin", b"203.0.113.9", b"for=::"))
        with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
            files.ask(running, files.strange)
        if policy == "required":
            with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
                files.ask(running)
            assert len(one.requests) == 1
        else:
            assert files.ask(running, **forged) == b"{}"
            assert not any(word in one.requests[1].lower() for word in (b"proxy", b"forwarded", b"admin"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gateway_client_ca": "ca.pem"}, "CROSSHATCH_GATEWAY_CLIENT_CA needs CROSSHATCH_GATEWAY_CERTIFICATE"),
        ({"gateway_certificate": "nowhere.pem"}, "CROSSHATCH_GATEWAY_CERTIFICATE, _KEY or _CLIENT_CA cannot be used"),
        ({"upstream_ca": "nowhere.pem"}, "CROSSHATCH_UPSTREAM_CA, _CERTIFICATE or _KEY cannot be used"),
        ({"gateway_nodes": "cluster:9200"}, "expected http(s)://host[:port], without a path"),
        ({"gateway_nodes": "http://a:b@c/d?e"}, "expected http(s)://host[:port], without a path"),
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    told = {"opensearch_url": GONE, "redis_url": "redis://127.0.0.1:1/0", "data": str(tmp_path), **settings}
    for name, value in told.items():
        monkeypatch.setenv(f"CROSSHATCH_{name.upper()}", value)
    monkeypatch.setattr("integration.logs.configure", lambda *_: None)  # these are the test run's own
    ended = CliRunner().invoke(cli, ["serve", "--port", str(free_port())])
    assert isinstance(ended.exception, SettingsError)
    assert said in str(ended.exception)


def test_a_process_that_cannot_listen_ends_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as raised, gateway_before(GONE, log=tmp_path, gateway_host="203.0.113.1"):
        pass
    assert "the gateway cannot listen at 203.0.113.1" in str(raised.value)
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((), None),
        (((("countryName", "PL"),), (("commonName", "opac"),)), b"CN=opac,C=PL"),
        (((("commonName", "a"), ("userId", "b")),), b"CN=a+UID=b"),
        (((("commonName", "a,CN=admin"),),), b"CN=a\\,CN\\=admin"),
        (((("commonName", "a\r\nx: y"),),), b"CN=a\\0d\\0ax: y"),
        (((("commonName", " é#"),),), "CN=\\ é#".encode()),
    ],
)
def test_a_subject_is_told_so_that_it_can_be_read_in_one_way_only(parts: Any, told: bytes | None) -> None:
    assert subject({"subject": parts}) == told


def test_no_certificate_has_no_subject() -> None:
    assert subject(None) is None
    assert subject({}) is None


@pytest.mark.parametrize(
    ("name", "badge", "reserved"),
    [
        (b"X-Proxy-User", b"x-proxy-user", True),
        (b"x_proxy_roles", b"x-proxy-user", True),
        (b"x-proxyuser", b"x-proxy-user", False),
        (b"X-Opaque-Id", b"x-user", False),
        (b"x-user", b"x-user", True),
        (b"X-Forwarded-For", b"x-user", True),
        (b"authorization", b"x-proxy-user", False),
    ],
)
def test_what_nodes_may_trust_beside_the_badge_comes_from_no_client(name: bytes, badge: bytes, reserved: bool) -> None:
    assert is_reserved(name, badge) is reserved
