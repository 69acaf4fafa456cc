"""The gateway put together: the parts in the order in which they see a request."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from integration.engine.client import Cluster
from integration.gateway import querycodes, tls
from integration.gateway.app import Gateway
from integration.gateway.attachments import Attachments
from integration.gateway.clause_requests import ClauseRequests
from integration.gateway.compat import Application, Compat, Speaks
from integration.gateway.exchange import Handler
from integration.gateway.noticed import Noticed
from integration.gateway.notices import Notices
from integration.gateway.own import Own
from integration.gateway.querycodes import QueryCodes
from integration.gateway.searching import Searching
from integration.gateway.sniffing import Sniffing
from integration.gateway.upstream import Upstream, node
from integration.gateway.widening.requests import Widening
from integration.settings import Settings


@dataclass(frozen=True, slots=True)
class Places:
    """Where cluster and broker are; the account of the gateway itself may stand in the cluster's URL."""

    cluster: str
    broker: str


def application(
    settings: Settings, places: Places, tell: Callable[[str], None], *, speaks: Speaks | None = None
) -> Application:
    """The ASGI application. Raises SettingsError."""
    context = tls.towards_nodes(settings)
    nodes = [node(url) for url in settings.gateway_nodes or (places.cluster,)]
    upstream = Upstream(
        nodes,
        timeout=settings.gateway_timeout,
        connect_timeout=settings.gateway_connect_timeout,
        tls=context,
    )
    own_tls = context if places.cluster.startswith("https:") else None
    ours, anonymous = (Cluster(url, tls=own_tls) for url in (places.cluster, bare(places.cluster)))
    codes = QueryCodes(querycodes.worker(places.broker), timeout=settings.query_timeout)
    notices = Notices(Noticed(ours, places.broker, settings, tell))
    attachments = Attachments(ours, settings.data)
    widening = Widening(upstream.ask, attachments, codes, settings)
    counters: dict[str, Counter[str]] = {"notices": notices.counts, **widening.counters}
    own = Own(ours, anonymous, settings, places.broker, counters)
    searching = Searching(upstream.ask, attachments, codes, settings, own.uploads)
    handlers: list[Handler] = [
        Sniffing(settings.gateway_address, settings.gateway_certificate is not None),
        ClauseRequests(searching),
        widening,
        own,
        notices,
    ]

    async def begin() -> None:
        notices.start()

    async def end() -> None:
        notices.stop()
        codes.close()
        ours.close()
        anonymous.close()

    gateway = Gateway(
        upstream,
        handlers,
        limit=settings.gateway_body_limit,
        patience=settings.gateway_client_timeout,
        begin=begin,
        end=end,
    )
    return gateway if speaks is None else Compat(gateway, speaks)


def bare(url: str) -> str:
    """A URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
