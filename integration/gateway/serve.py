"""The process: a socket, uvicorn on uvloop, and an end that lets requests end first."""

import asyncio
import contextlib
import functools
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from integration.gateway import tls
from integration.gateway.compat import Speaks
from integration.gateway.listening import MOST_CONNECTIONS, Listening
from integration.gateway.parts import Places, application
from integration.settings import Settings
from mappings.errors import SettingsError

BACKLOG = 1024


class _Server(uvicorn.Server):
    """Ends with code 0 when it is told to: uvicorn would send itself the signal once again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and Ctrl-C begin the drain; the second Ctrl-C ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(settings: Settings, places: Places, tell: Callable[[str], None], *, speaks: Speaks | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises SettingsError for an address or files that cannot be used."""
    context = tls.towards_clients(settings)
    app = application(settings, places, tell, speaks=speaks)
    most = connections(_more_files())
    listener = listening(settings.gateway_host, settings.gateway_port)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=functools.partial(  # type: ignore[arg-type]
            Listening,
            patience=settings.gateway_client_timeout,
            most=most,
            badge=(settings.gateway_certificate_header or "").lower().encode(),
        ),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=settings.gateway_idle_timeout,  # type: ignore[arg-type]  # seconds, whole or not
        timeout_graceful_shutdown=settings.gateway_drain,  # type: ignore[arg-type]
        ssl_context_factory=(lambda *_: context) if context else None,
    )
    host, port = listener.getsockname()[:2]
    tell(f"the gateway answers at {'https' if context else 'http'}://{_shown(host)}:{port}")
    with listener:
        _Server(config).run(sockets=[listener])
    tell("the gateway has ended")


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to an address. Raises SettingsError where that cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"the gateway cannot listen at {host}:{port} ({error}); set CROSSHATCH_GATEWAY_HOST and "
            "CROSSHATCH_GATEWAY_PORT, or --host and --port"
        ) from error


def connections(files: int) -> int:
    """How many clients there may be at once: each needs a connection to a node too, and some files are for others."""
    return max(16, min(MOST_CONNECTIONS, (files - 200) // 2))


def _more_files() -> int:
    """Have as many files as are allowed, since many systems begin with room for 1024; return how many."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        most = max(few, 4 * MOST_CONNECTIONS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
