"""Measure how many requests the simulated world plays in a second of CPU, through the whole gateway.

``python -m benchmarks.simulation``: 1,000 accounts and 10,000 sessions of three turns, whole replies and streams. CPU
time, since what else the machine does counts less then; the best of several runs, since all that disturbs adds.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator

from gephyr.harness.scenario import PlannedSession, Turn
from gephyr.harness.world import ProviderSettings, World
from gephyr_core.config import AccountConfig, AuthConfig, Config

_MODELS = {"openai-chat": "gpt-5", "anthropic": "claude-5"}
_PROVIDERS = ("openai", "anthropic")
_ARRIVALS = 200.0
"""Sessions that begin in a second."""


def sessions(count: int, *, stream: bool) -> Iterator[PlannedSession]:
    """Plan *count* sessions that begin one after the other."""
    rng = random.Random(1)
    dialects = tuple(_MODELS)
    for number in range(count):
        turns = tuple(Turn(20.0 * rng.random(), 2000 * turn, 300, stream) for turn in range(1, 4))
        dialect = dialects[number % len(dialects)]
        yield PlannedSession(
            number / _ARRIVALS, f"s{number}", number % 50, dialect, _MODELS[dialect], turns, sends_id=True
        )


def rate(accounts: int, count: int, *, stream: bool) -> float:
    """Play one world; return requests a second. Exits where an invariant is broken."""
    pool = tuple(
        AccountConfig(
            id=f"a{number}",
            provider=_PROVIDERS[number % 2],
            api_key=f"account:a{number}",
            base_url=f"https://a{number}.test",
        )
        for number in range(accounts)
    )
    providers = dict.fromkeys((account.id for account in pool), ProviderSettings())
    config = Config(accounts=pool, auth=AuthConfig(mode="off"))
    world = World(config, providers, (), sessions(count, stream=stream), 1, lambda _: None)
    began = time.process_time()
    outcome = world.run(count / _ARRIVALS + 120.0)
    seconds = time.process_time() - began
    for violation in outcome.violations:
        sys.exit(f"{violation.rule}: {violation.detail}")
    return outcome.requests / seconds


def main() -> None:
    """Measure, and print a line for each kind of reply."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--tries", type=int, default=3)
    options = parser.parse_args()
    for name, stream in (("whole", False), ("streams", True)):
        best = max(rate(options.accounts, options.sessions, stream=stream) for _ in range(options.tries))
        print(f"{name:8} {best:8.0f} requests a second")


if __name__ == "__main__":
    main()
