"""WebSockets are refused: by the core's answer where the host can send one, else by closing."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gephyr_core.events import ClientGone, RequestStarted
from gephyr_core.http import Header
from tests.asgi.test_app import make_app
from tests.asgi.world import World
from tests.conformance.asgi_host import HostedTalk, http_scope
from tests.conformance.talk import AUTHORIZED

pytestmark = pytest.mark.anyio
UPGRADE: Header = (b"upgrade", b"websocket")


class Handshake(HostedTalk):
    """A WebSocket's handshake in a host that can send a response to it."""

    prefix = "websocket.http"

    def __init__(self, app: Any, target: str, headers: Sequence[Header]) -> None:
        scope = http_scope("GET", target, headers, type="websocket", scheme="ws", subprotocols=[])
        scope["extensions"] = {"websocket.http.response": {}}
        del scope["method"]
        super().__init__(app, scope)
        self.incoming.put_nowait({"type": "websocket.connect"})


@pytest.mark.parametrize("headers", [[AUTHORIZED, UPGRADE], [AUTHORIZED]], ids=["HTTP/1.1", "HTTP/2"])
async def test_an_upgrade_of_responses_is_426(headers: list[Header]) -> None:
    """On which Codex goes on over HTTP."""
    app, upstream = make_app()
    async with app:
        talk = Handshake(app, "/v1/responses", headers)
        status, fields = await talk.head()
        assert (status, dict(fields)[b"upgrade"]) == (426, b"HTTP/1.1")
        assert json.loads(await talk.rest())["error"]
        await talk.over()
    assert not upstream.calls


@pytest.mark.parametrize(("target", "headers", "status"), [("/v1/responses", [], 401), ("/nothing", [AUTHORIZED], 404)])
async def test_the_guards_stand_before_it(target: str, headers: list[Header], status: int) -> None:
    """A stranger learns nothing."""
    app, _ = make_app()
    async with app:
        talk = Handshake(app, target, headers)
        assert (await talk.head())[0] == status
        await talk.rest()
        await talk.over()


async def test_a_host_without_denial_responses_is_asked_to_close() -> None:
    """Before the handshake is accepted, which the host tells as 403."""
    app, _ = make_app()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    unable: tuple[dict[str, Any] | None, ...] = ({}, None)
    for extensions in unable:
        sent.clear()
        await app({"type": "websocket", "extensions": extensions}, receive, send)
        assert sent == [{"type": "websocket.close"}]


async def test_a_client_that_leaves_during_its_handshake_is_noticed() -> None:
    """By a message of another name."""
    world = World()
    talk = Handshake(world.application, "/wait", [])
    assert await talk.incoming.get() == {"type": "websocket.connect"}
    await world.core.saw(RequestStarted)
    talk.leave()
    await talk.over()
    assert len(world.core.of(ClientGone)) == 1
