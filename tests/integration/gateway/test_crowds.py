"""More clients than there is room for: those that are there stay, and the way to the nodes stays open."""

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from integration.gateway.listening import MOST_CONNECTIONS, Listening
from integration.gateway.serve import connections
from tests.integration.gateway.wire import opened


@pytest.mark.parametrize(("files", "most"), [(100, 16), (1024, 412), (4096, 1948), (1 << 20, MOST_CONNECTIONS)])
def test_files_are_left_for_others(files: int, most: int) -> None:
    assert connections(files) == most


def test_a_connection_too_many_is_closed_and_harms_no_other() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    def ask(client: socket.socket) -> bytes:
        try:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            return client.recv(1000)
        except OSError:
            return b""

    async def crowd() -> None:
        config, state = uvicorn.Config(app, log_config=None), ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Listening(config=config, server_state=state, app_state={}, patience=5, most=2), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        clients = []
        for answered in (True, True, False):
            clients.append(await asyncio.to_thread(opened, port))
            answer = await asyncio.to_thread(ask, clients[-1])
            assert answer.startswith(b"HTTP/1.1 200 ") is answered
        clients.pop(0).close()
        await asyncio.sleep(0.05)
        clients.append(await asyncio.to_thread(opened, port))
        assert (await asyncio.to_thread(ask, clients[-1])).startswith(b"HTTP/1.1 200 ")
        assert await asyncio.to_thread(ask, clients[0])
        for client in clients:
            client.close()
        while state.connections:
            await asyncio.sleep(0.01)
        server.close()

    asyncio.run(crowd())
