"""Questions of the core that take time: fetching a URL, reading a stored object, having a model described, a job."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import structlog

from gephyr.runtime.computing import AtOnce, Computer
from gephyr.runtime.describing import ModelDescriber
from gephyr.runtime.faults import failure
from gephyr.runtime.fetching import UrlFetcher
from gephyr.runtime.ports import Feed, UpstreamPort
from gephyr.runtime.vetting import FetchError
from gephyr_core.commands import Compute, DescribeModel, FetchUrl, Load
from gephyr_core.events import Computed, Event, Loaded, UrlFetched, UrlFetchFailed
from gephyr_core.records import StoredObject

MOST_FETCHES = 32
"""URLs that are fetched at one time. More wait, within their own time limits."""

_Answer = Callable[[], Awaitable[Event]]
_log = structlog.get_logger()


class ObjectStore(Protocol):
    """What is needed of :class:`gephyr.runtime.store.Store`."""

    async def load(self, owner: str, object_id: str) -> StoredObject | None:
        """Return the owner's object of this id, if there is one and it has not expired."""


class Questions:
    """Answers each question exactly once, as an event; implements ``QuestionPort``. Belongs to one event loop."""

    def __init__(
        self, fetcher: UrlFetcher, store: ObjectStore, upstream: UpstreamPort, computer: Computer | None = None
    ) -> None:
        """*fetcher* and *computer* are closed with this object, the others are not. Without a *computer*, jobs are done
        at once."""
        self._computer = computer or AtOnce()
        self._fetcher = fetcher
        self._store = store
        self._describer = ModelDescriber(upstream)
        self._slots = asyncio.Semaphore(MOST_FETCHES)
        self._open: dict[int, dict[asyncio.Task[None], Callable[[], None]]] = {}
        """Exchange to the tasks of its questions, each with what answers for it when the gateway closes."""
        self._ending: dict[asyncio.Task[None], None] = {}
        """Tasks that were cancelled and have not ended yet."""
        self._closed = False

    @property
    def open_questions(self) -> int:
        """How many are under way."""
        return sum(map(len, self._open.values())) + self._describer.open_descriptions

    def fetch(self, command: FetchUrl, feed: Feed) -> None:
        """Fetch a URL within the command's limits."""
        failed = UrlFetchFailed(command.exchange, command.question, "the gateway could not fetch the URL")
        self._ask(command.exchange, partial(self._fetched, command), failed, feed)

    def load(self, command: Load, feed: Feed) -> None:
        """Read a stored object."""
        nothing = Loaded(command.exchange, command.question, None, failed=True)
        self._ask(command.exchange, partial(self._loaded, command), nothing, feed)

    def compute(self, command: Compute, feed: Feed) -> None:
        """Have a job done."""
        broken = Computed(command.exchange, command.question, error=RuntimeError("the gateway is closing"))
        self._ask(command.exchange, partial(self._computer.compute, command), broken, feed)

    def describe(self, command: DescribeModel, feed: Feed) -> None:
        """Have a model described by its provider."""
        self._describer.describe(command, feed)

    def cancel(self, exchange: int) -> None:
        """Give up the open questions of *exchange*: nothing is fed for them any more."""
        for task in self._open.pop(exchange, ()):
            self._give_up(task)

    async def aclose(self) -> None:
        """Give everything up, answering for it, and let go."""
        self._closed = True
        self._describer.close()
        for exchange in list(self._open):
            for task, answer in self._open.pop(exchange).items():
                self._give_up(task)
                answer()
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._fetcher.aclose()
        self._computer.close()

    # -- one question -------------------------------------------------------------------------------------------

    def _ask(self, exchange: int, answer: _Answer, otherwise: Event, feed: Feed) -> None:
        """Feed what *answer* gives, *otherwise* where it cannot be had, or that our own code failed."""
        if self._closed:
            feed(otherwise)
            return
        task = asyncio.ensure_future(self._answer(exchange, answer, otherwise, feed))
        self._open.setdefault(exchange, {})[task] = partial(feed, otherwise)

    async def _answer(self, exchange: int, answer: _Answer, otherwise: Event, feed: Feed) -> None:
        try:
            event = await answer()
        except (OSError, sqlite3.Error) as error:  # its text may hold what the client wrote
            _log.error(
                "a question could not be answered", question=type(otherwise).__name__, error=type(error).__name__
            )
            event = otherwise
        except Exception as error:
            event = failure(error, type(otherwise).__name__, exchange)
        tasks, task = self._open.get(exchange, {}), asyncio.current_task()
        if task is not None and tasks.pop(task, None) is not None:
            if not tasks:
                del self._open[exchange]
            feed(event)

    def _give_up(self, task: asyncio.Task[None]) -> None:
        self._ending[task] = None
        task.add_done_callback(self._ending.pop)
        task.cancel()

    async def _fetched(self, command: FetchUrl) -> Event:
        try:
            async with asyncio.timeout(command.timeout), self._slots:
                fetched = await self._fetcher.fetch(command.url, command.max_bytes)
        except FetchError as error:
            return UrlFetchFailed(command.exchange, command.question, str(error), error.ours)
        except TimeoutError:
            reason = f"the URL could not be fetched within {command.timeout:g} s"
            return UrlFetchFailed(command.exchange, command.question, reason)
        return UrlFetched(command.exchange, command.question, fetched.media_type, fetched.data)

    async def _loaded(self, command: Load) -> Event:
        record = await self._store.load(command.owner, command.object_id)
        return Loaded(command.exchange, command.question, record)
