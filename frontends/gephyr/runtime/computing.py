"""Jobs of the core done beside the loop: in a few threads, while the loop goes on serving.

Threads and not processes: a job's input and output are large, and would be copied twice each on their way to another
process. While a job runs, the interpreter is asked to change threads often, so that the loop waits for 0.5 ms at a time
and not for 5; only a single call into C (decoding 100 MB of JSON takes some 70 ms) holds it longer.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gephyr_core.commands import Compute
from gephyr_core.computing import answer
from gephyr_core.events import Computed

MOST_JOBS = 2
"""Jobs that are done at one time; more wait. They share one core with the loop."""
_SWITCH_INTERVAL = 0.0005
"""Seconds for which a thread runs while others want to, when jobs run; Python's own value is 0.005."""


class Computer(Protocol):
    """Does jobs."""

    async def compute(self, command: Compute) -> Computed:
        """Do one. When this is cancelled, a job that waits is not begun, and one that runs ends by itself, in vain."""

    def close(self) -> None:
        """Let go."""


class AtOnce:
    """Does each job where it is asked for: for a gateway whose events come in an order of their own making."""

    async def compute(self, command: Compute) -> Computed:
        """Do one."""
        return answer(command)

    def close(self) -> None:
        """Do nothing."""


class Threads:
    """Does jobs in threads. Belongs to one event loop."""

    def __init__(self, most_jobs: int = MOST_JOBS) -> None:
        """At most *most_jobs* are done at one time."""
        self._executor = ThreadPoolExecutor(most_jobs, thread_name_prefix="gephyr-job")
        self._waiting = 0
        self._interval = sys.getswitchinterval()

    async def compute(self, command: Compute) -> Computed:
        """Do one."""
        if not self._waiting:
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(_SWITCH_INTERVAL)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, answer, command)
        finally:
            self._waiting -= 1
            if not self._waiting:
                sys.setswitchinterval(self._interval)

    def close(self) -> None:
        """Begin no further job; those that run end by themselves, and nobody waits for them."""
        self._executor.shutdown(wait=False, cancel_futures=True)
