"""What the tests of the simulated world share: a plan of sessions, accounts, and a run."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from gephyr.harness.scenario import PlannedSession, Turn
from gephyr.harness.world import Fault, Outcome, ProviderSettings, World
from gephyr_core.config import AccountConfig, AuthConfig, Config
from gephyr_core.records import Fact, RequestRecord

MODELS = {"openai-chat": "gpt-5", "anthropic": "claude-5", "gemini": "gemini-3", "openai-responses": "gpt-5"}
DIALECTS = tuple(MODELS)
KINDS = ("openai", "anthropic", "gemini")


def sessions(
    count: int = 40, turns: int = 3, dialects: Sequence[str] = DIALECTS, leaves_after: float | None = None
) -> Iterator[PlannedSession]:
    """One session each half second, of every dialect in turn; every second turn is a stream."""
    rng = random.Random(3)
    for number in range(count):
        dialect = dialects[number % len(dialects)]
        planned = tuple(
            Turn(rng.random() * 10, 2000 * (turn + 1), 300, (number + turn) % 2 == 0, leaves_after)
            for turn in range(turns)
        )
        yield PlannedSession(number / 2, f"s{number}", number, dialect, MODELS[dialect], planned, number % 3 > 0)


def accounts(count: int = 9, **more: Any) -> tuple[AccountConfig, ...]:
    """Accounts of three providers in turn."""
    return tuple(
        AccountConfig(
            id=f"a{number}",
            provider=KINDS[number % 3],
            api_key=f"account:a{number}",
            base_url=f"https://a{number}.test",
            **more,
        )
        for number in range(count)
    )


def config(pool: tuple[AccountConfig, ...] | None = None, **sections: Any) -> Config:
    return Config(accounts=pool or accounts(), auth=AuthConfig(mode="off"), **sections)


@attrs.frozen
class Run:
    """A run that is over."""

    outcome: Outcome
    facts: list[Fact]

    @property
    def records(self) -> list[RequestRecord]:
        return [fact for fact in self.facts if isinstance(fact, RequestRecord)]

    def count(self, outcome: str) -> int:
        return len([record for record in self.records if record.outcome == outcome])


def play(
    settings: Config | None = None,
    *faults: Fault,
    provider: ProviderSettings | None = None,
    plan: Iterator[PlannedSession] | None = None,
    seed: int = 1,
    until: float = 300.0,
    trace: Callable[[bytes], None] | None = None,
) -> Run:
    """Run a world. No fault, and nothing limited, unless it is said."""
    settings = settings or config()
    facts: list[Fact] = []
    providers = {account.id: provider or ProviderSettings() for account in settings.accounts}
    world = World(settings, providers, faults, plan or sessions(), seed, facts.append, trace)
    return Run(world.run(until), facts)
