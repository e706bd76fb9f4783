"""A gateway that serves on a loopback port from a thread of its own, for the time of a test."""

import asyncio
import concurrent.futures
import math
import random
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from gephyr.harness.providers import SimulatedProvider, SimulatedSettings
from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.observers import Observers
from gephyr.runtime.service import Service, render_error
from gephyr.runtime.store import MemoryStore
from gephyr.server import Listener
from gephyr.testing.accounts import SimulatedAccount
from gephyr.testing.upstream import SimulatedUpstream
from gephyr_core.records import AccountEvent, Fact, RequestRecord

KEY = "gephyr-test-key"
PROVIDERS = ("openai", "anthropic", "gemini")
_START_SECONDS = 10.0


class _Keeping(Observers):
    def __init__(self) -> None:
        super().__init__()
        self.facts: list[Fact] = []

    def observe(self, fact: Fact) -> None:
        self.facts.append(fact)
        super().observe(fact)


class RunningGateway:
    """The real server and the real core; only the providers are simulated. Use it as a context manager, or by the
    ``gephyr`` fixture.

    The replies of the providers come at once. All else is as in production: cooldowns, sessions, retries.
    """

    def __init__(
        self, accounts: int | Mapping[str, str] = 1, *, seed: int = 0, config: Mapping[str, Any] | None = None
    ) -> None:
        """*accounts*: how many of each provider (``openai-1``, ``anthropic-1``, ``gemini-1``, ``openai-2``, ...), or
        their ids, each with its provider. *config* is what a ``gephyr.toml`` could hold besides accounts.

        Raises :class:`gephyr_core.config.ConfigError` with every mistake in it.
        """
        if isinstance(accounts, int):
            numbers = range(1, accounts + 1)
            accounts = {f"{provider}-{number}": provider for number in numbers for provider in PROVIDERS}
        tables = [
            # Each at a host of its own: what cannot be reached of one account tells nothing of another.
            {"id": name, "provider": provider, "api_key": "simulated", "base_url": f"https://account-{number}.invalid"}
            for number, (name, provider) in enumerate(accounts.items(), 1)
        ]
        mapping: dict[str, Any] = {"auth": {"api_keys": [KEY]}, **(config or {}), "accounts": tables}
        self._config = load_mapping(mapping, {}).config
        rng, settings = random.Random(seed), SimulatedSettings(latency=0.0, pace=math.inf)
        self.accounts = {
            name: SimulatedAccount(name, provider, SimulatedProvider(settings, random.Random(rng.random())))
            for name, provider in accounts.items()
        }
        self.key = KEY
        """The client key it accepts."""
        self.url = ""
        """Where it serves: ``http://127.0.0.1:PORT``."""
        self._observers = _Keeping()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def account(self, name: str) -> SimulatedAccount:
        """Return an account, to give it troubles. Raises ``KeyError`` with the names that there are."""
        if name not in self.accounts:
            raise KeyError(f"no account {name!r}; there are {', '.join(self.accounts)}")
        return self.accounts[name]

    @property
    def records(self) -> list[RequestRecord]:
        """The requests that have ended, each with its attempts. A request is here once its client has the last byte."""
        return [fact for fact in self._facts() if isinstance(fact, RequestRecord)]

    @property
    def account_events(self) -> list[AccountEvent]:
        """Cooldowns and recoveries, as they happened. What a request led to is here once its client has the last
        byte."""
        return [fact for fact in self._facts() if isinstance(fact, AccountEvent)]

    def _facts(self) -> list[Fact]:
        """Return everything observed so far. The gateway's own thread takes the copy, between two of its callbacks:
        a client reads a reply while the callback that sent it is still at work."""
        if self._thread is None or not self._thread.is_alive() or self._thread is threading.current_thread():
            return list(self._observers.facts)
        copied: concurrent.futures.Future[list[Fact]] = concurrent.futures.Future()
        self._loop.call_soon_threadsafe(lambda: copied.set_result(list(self._observers.facts)))
        return copied.result(_START_SECONDS)

    # -- the thread ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Serve, from now on."""
        self._thread = threading.Thread(target=self._run, name="gephyr-test", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._failure is not None:
            raise RuntimeError("the gateway did not start") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End at once, whatever runs."""
        self._loop.call_soon_threadsafe(self._stop.set)
        assert self._thread is not None
        self._thread.join(_START_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        clock = GatewayClock()
        upstream = SimulatedUpstream(self.accounts, clock)
        service = Service(self._config, upstream=upstream, store=MemoryStore(), observers=self._observers, clock=clock)
        listener = Listener(service.driver, host="127.0.0.1", port=0, render=render_error)
        await listener.start()
        self.url = f"http://127.0.0.1:{listener.port}"
        self._ready.set()
        await self._stop.wait()
        listener.stop_accepting()
        listener.abort()
        await listener.wait_closed()
        await service.aclose()
