"""Providers and URLs in this process: the runtime's ways out without sockets, and the demo that is built on them."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from gephyr.harness.providers import SimulatedProvider, SimulatedReply, SimulatedSettings
from gephyr.runtime.fetching import Fetched, sniffed
from gephyr.runtime.ports import Feed, UpstreamCall
from gephyr.runtime.vetting import FetchError
from gephyr_core.commands import CallUpstream
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Headers

DEMO_KEY = "gephyr-demo"
"""The client key that ``gephyr demo`` accepts."""
DEMO_MODELS = ("gpt-demo", "claude-demo", "gemini-demo")
"""The models that the demo lists; it answers to any other name as well."""
DEMO_ACCOUNTS = {"demo-openai": "openai", "demo-anthropic": "anthropic", "demo-gemini": "gemini"}
"""The demo's accounts, with the provider that each is at."""


class Provider(Protocol):
    """Something that answers requests; :class:`~gephyr.harness.providers.SimulatedProvider` is one."""

    def respond(self, method: str, target: str, headers: Headers, body: bytes, now: float) -> SimulatedReply:
        """Answer one request."""


class InProcessUpstream:
    """Performs calls on providers in this process, at the pace that their replies ask for.

    Implements :class:`gephyr.runtime.ports.UpstreamPort`. Each piece of a reply is one event, never fed from inside
    ``call``; a paused call holds its next piece. Belongs to the running event loop.
    """

    def __init__(self, providers: Mapping[str, Provider], clock: Callable[[], float]) -> None:
        """*providers* are by account id; *clock* gives seconds since the epoch."""
        self._providers = providers
        self._clock = clock
        self._calls: dict[tuple[int, int], _Call] = {}

    @property
    def open_calls(self) -> int:
        """How many calls have not ended."""
        return len(self._calls)

    def call(self, command: CallUpstream, feed: Feed) -> UpstreamCall:
        """Start the call; an account without a provider fails as an unreachable host would."""
        provider = self._providers.get(command.account)
        reply = None
        if provider is not None:
            target, body = command.target, command.body
            reply = provider.respond(command.method, target, command.headers, body, self._clock())
        key = (command.exchange, command.attempt)
        call = _Call(command, reply, feed, on_over=lambda: self._calls.pop(key, None))
        self._calls[key] = call
        return call

    async def aclose(self) -> None:
        """Cancel every call."""
        for call in list(self._calls.values()):
            call.cancel()


class _Call:
    """One reply on its way. At any time it has a timer running, or a piece held back by a pause, or is over."""

    def __init__(
        self, command: CallUpstream, reply: SimulatedReply | None, feed: Feed, on_over: Callable[[], object]
    ) -> None:
        self._exchange, self._attempt = command.exchange, command.attempt
        self._feed = feed
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._paused = False
        self._held: Callable[[], None] | None = None
        self._over = False
        self._pieces: Iterator[tuple[float, bytes]] = iter(())
        if reply is None:
            self._after(0.0, lambda: self._fail(command.account))
        else:
            self._reply = reply
            self._pieces = iter(reply.pieces)
            delay, data = next(self._pieces, (0.0, b""))
            self._after(delay, lambda: self._start(data))

    def cancel(self) -> None:
        """Stop; nothing more is fed."""
        if not self._over:
            self._timer.cancel()
            self._held = None
            self._end()

    def detach(self) -> None:
        """Stop as :meth:`cancel` does: there is no connection to keep."""
        self.cancel()

    def pause(self) -> None:
        """Hold the next piece back."""
        self._paused = True

    def resume(self) -> None:
        """Go on, with the piece held back first."""
        self._paused = False
        if self._held is not None:
            step, self._held = self._held, None
            self._after(0.0, step)

    def _after(self, delay: float, step: Callable[[], None]) -> None:
        self._timer: asyncio.Handle
        if delay > 0.0:
            self._timer = self._loop.call_later(delay, self._due, step)
        else:
            self._timer = self._loop.call_soon(self._due, step)

    def _due(self, step: Callable[[], None]) -> None:
        if self._paused:
            self._held = step
        else:
            step()

    def _start(self, data: bytes) -> None:
        self._feed(UpstreamStarted(self._exchange, self._attempt, self._reply.status, self._reply.headers))
        if not self._over:  # The head alone can make the core cancel the call.
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        if data:
            self._feed(UpstreamBody(self._exchange, self._attempt, data))
        if self._over:
            return
        piece = next(self._pieces, None)
        if piece is None:
            self._end()
            self._feed(UpstreamEnded(self._exchange, self._attempt))
        else:
            delay, following = piece
            self._after(delay, lambda: self._deliver(following))

    def _fail(self, account: str) -> None:
        self._end()
        detail = f"no provider in this process for account {account}"
        fault = Fault.CONNECT
        self._feed(UpstreamFailed(self._exchange, self._attempt, fault, detail, sent=Sent.NONE))

    def _end(self) -> None:
        self._over = True
        self._on_over()


class InProcessUrls:
    """What stands at URLs, given beforehand; implements :class:`gephyr.runtime.fetching.UrlFetcher`."""

    def __init__(self, urls: Mapping[str, bytes]) -> None:
        """*urls* gives the bytes at each URL; at any other stands nothing."""
        self._urls = urls

    async def fetch(self, url: str, max_bytes: int) -> Fetched:
        """Return what stands at *url*. Raises ``FetchError``."""
        data = self._urls.get(url)
        if data is None:
            raise FetchError("the server answered with status 404")
        if len(data) > max_bytes:
            raise FetchError(f"what the URL leads to is larger than {max_bytes} bytes")
        return Fetched(sniffed(data), data)

    async def aclose(self) -> None:
        """Do nothing."""


def demo_config_mapping() -> dict[str, Any]:
    """Return the demo's configuration, as a ``gephyr.toml`` would be read."""
    accounts = [
        {"id": account, "provider": provider, "api_key": "simulated"} for account, provider in DEMO_ACCOUNTS.items()
    ]
    return {
        "auth": {"api_keys": [DEMO_KEY]},
        "accounts": accounts,
        "models": {"list": list(DEMO_MODELS)},
    }


def demo_providers(settings: SimulatedSettings, rng: random.Random) -> dict[str, SimulatedProvider]:
    """Return a simulated provider for each of the demo's accounts."""
    return {account: SimulatedProvider(settings, random.Random(rng.random())) for account in DEMO_ACCOUNTS}
