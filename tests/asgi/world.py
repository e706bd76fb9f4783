"""One exchange of the adapter, between the scripted core of the server's tests and the strict host."""

from collections.abc import Sequence
from typing import Any

import attrs

from gephyr.asgi.exchange import HostedExchange
from gephyr.asgi.scope import headers_of
from gephyr.runtime.driver import Driver
from gephyr_core.commands import Command, SendBody, StartResponse
from gephyr_core.events import RequestStarted, StateRestored
from tests.conformance.asgi_host import HostedTalk, http_scope
from tests.server.world import ScriptedCore, driver_of

HEAD = [(b"content-type", b"text/plain")]


@attrs.define
class World:
    """A driver with a core that answers as told."""

    core: ScriptedCore = attrs.field(factory=ScriptedCore)
    driver: Driver = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.driver = driver_of(self.core)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        """An application of one exchange after the other."""
        exchange = HostedExchange(self.driver, receive, send, handshake=scope["type"] == "websocket")
        await exchange.serve(scope.get("method", "GET"), scope["path"], headers_of(scope), "127.0.0.1", "http")

    def talk(self, target: str, body: bytes = b"", *, more: bool = False) -> HostedTalk:
        """Make a request."""
        talk = HostedTalk(self.application, http_scope("POST", target, [(b"host", b"h")]))
        talk.send(body, last=not more)
        return talk

    def command(self, *commands: Command) -> None:
        """Have the core give *commands*, as if something had happened that leads to them."""
        self.core.orders = commands
        self.driver.feed(StateRestored())

    async def begun(self, talk: HostedTalk, *bodies: bytes) -> int:
        """Wait for the core to hear of *talk*, and have it begin an answer; return the exchange's number."""
        await self.core.saw(RequestStarted)
        exchange = max(self.core.started)
        self.command(StartResponse(exchange, 200, HEAD), *(SendBody(exchange, body) for body in bodies))
        await talk.head()
        return exchange


def kinds(events: Sequence[object]) -> list[str]:
    """The names of events."""
    return [type(event).__name__ for event in events]
