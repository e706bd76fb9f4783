"""The application in a real host: uvicorn, with its h11 implementation, over a loopback socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gephyr_core.commands import AbortResponse
from tests.asgi.test_app import make_app
from tests.asgi.world import World
from tests.conformance.front_ends import SocketTalk, account, configuration, framing
from tests.conformance.samples import CHAT
from tests.conformance.talk import AUTHORIZED, CutError
from tests.conformance.test_leaving import send_until_paused
from tests.conformance.upstream import Reply
from tests.waiting import WAIT, until

uvicorn: Any = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytestmark = pytest.mark.anyio


class Host:
    """A running uvicorn."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.talks: list[SocketTalk] = []

    async def talk(self, method: str, target: str, body: bytes | None = None, *headers: Any) -> SocketTalk:
        """Make a request on a connection of its own; the client's system takes little that is not read."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        talk = SocketTalk(*await asyncio.open_connection(sock=connection, limit=4096))
        self.talks.append(talk)
        talk.start(method, target, [(b"host", b"h"), AUTHORIZED, *headers, *framing(body, more=False)])
        talk.send(body or b"", last=True)
        return talk


@contextlib.asynccontextmanager
async def hosted(app: Any, **options: Any) -> AsyncIterator[Host]:
    """Run uvicorn on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="h11", ws="none", log_config=None, **{"lifespan": "on", **options})
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started or serving.done())
    host = Host(listener.getsockname()[1])
    try:
        yield host
    finally:
        for talk in host.talks:
            talk.leave()
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT)
        listener.close()


async def test_it_serves_whole_replies_and_streams() -> None:
    """With a body that waits for 100-continue, below a root path, and with its lifespan."""
    app, upstream = make_app()
    async with hosted(app, root_path="/llm") as host:
        talk = await host.talk("POST", CHAT.path, CHAT.body, (b"expect", b"100-continue"))
        assert (await talk.head())[0] == 200
        assert await talk.rest() == CHAT.reply
        upstream.replies["a"] = Reply([CHAT.prelude, CHAT.content, CHAT.ending], CHAT.stream_headers)
        talk = await host.talk("POST", CHAT.stream_path, CHAT.stream_body)
        status, headers = await talk.head()
        assert (status, dict(headers)[b"transfer-encoding"]) == (200, b"chunked")
        assert await talk.rest() == CHAT.stream
        talk = await host.talk("HEAD", "/")
        assert (await talk.head())[0] == 200
    assert [call.command.target for call in upstream.calls] == [CHAT.path, CHAT.stream_path]
    assert upstream.closed


async def test_a_client_that_leaves_cancels_its_call() -> None:
    """Also while the host waits for it to read."""
    app, upstream = make_app(configuration([account("b")]))
    async with hosted(app) as host:
        for slow in (False, True):
            talk = await host.talk("POST", CHAT.stream_path, CHAT.stream_body)
            call = await upstream.called()
            call.start()
            call.send(CHAT.content)
            await talk.head()
            if slow:
                await send_until_paused(call)
            talk.leave()
            await call.cancelled()


async def test_an_aborted_response_is_cut() -> None:
    """The client cannot take what it has for a whole response."""
    world = World()
    async with hosted(world.application, lifespan="off", interface="asgi3") as host:
        talk = await host.talk("GET", "/start")
        await talk.head()
        assert await talk.read() == b"first"
        world.command(AbortResponse(1, "the reason"))
        with pytest.raises(CutError):
            await talk.rest()
