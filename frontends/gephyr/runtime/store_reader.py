"""A thread that reads, so that the event loop never waits for a disk."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")


class ReaderThread:
    """Runs jobs one after the other, each for somebody who awaits it on an event loop."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        # A daemon, so that a disk that hangs for good cannot keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="gephyr-store-reader", daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], Result]) -> Result:
        """Return what *job* returns, or raise what it raises. A job whose awaiter is cancelled may not run."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    def close(self, timeout: float) -> bool:
        """End after the jobs that wait; return whether that was within *timeout* seconds."""
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            if future.cancelled():
                continue
            try:
                settle = partial(future.set_result, job())
            except Exception as error:
                settle = partial(future.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                future.get_loop().call_soon_threadsafe(_settle, future, settle)


def _settle(future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    if not future.cancelled():
        settle()
