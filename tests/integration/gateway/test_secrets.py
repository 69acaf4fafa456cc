"""What a log must not hold: credentials, bodies, query strings."""

from tests.integration.gateway.node import Node, breaks_off
from tests.integration.gateway.process import Running
from tests.integration.gateway.wire import error, exchanged, opened, rest

SECRETS = (b"c2VjcmV0LW9m", b"secret-token", b"secret-words", b"secret-cookie", b"secret-of-ours", b"secret-user")


def test_no_secret_of_a_request_or_of_ours_is_logged(gateway: Running, node: Node) -> None:
    raw = (
        b"%b /books/_search?q=secret-words&source=secret-words HTTP/1.1\r\nHost: a\r\n"
        b"Authorization: Basic c2VjcmV0LW9m\r\nX-Amz-Security-Token: secret-token\r\n"
        b"Cookie: secret-cookie\r\nContent-Type: application/json\r\n%b"
    )
    body = b'{"query": {"crosshatch": {"text": "secret-words", "k": 5}}}'
    told = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    answers = [exchanged(gateway.port, raw % (b"POST", told))]  # our own cluster is not there
    for broken in (b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"secret-words\r\n\r\n"):
        node.does = breaks_off(broken)
        with opened(gateway.port) as connection:
            connection.sendall(raw.replace(b"_search", b"_doc") % (b"POST", told))
            answers.append(rest(connection))
    with opened(gateway.port) as connection:
        connection.sendall(raw % (b"POST", b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"))
        answers.append(rest(connection))
        assert error(answers[-1])[0] == 400
    exchanged(
        gateway.port, b"GET /_crosshatch/status/a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic c2VjcmV0LW9m\r\n\r\n"
    )
    for secret in SECRETS:
        assert secret not in gateway.log.read_bytes()
        assert not any(secret in answer for answer in answers)
