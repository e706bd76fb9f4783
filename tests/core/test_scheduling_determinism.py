"""A long life of accounts, tokens, sessions and an operator, lived again under other hashes: the same commands."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_scheduling_life import ACCOUNTS, COMPLIANCE, Life

from gephyr_core.commands import Command
from gephyr_core.errors import Fault
from gephyr_core.events import Event

_STEPS = 600


class Lived(Life):
    """A life that is driven by a seed, and leaves a digest of every command and deadline."""

    def feed(self, event: Event) -> list[Command]:
        commands = super().feed(event)
        if not hasattr(self, "digest"):
            self.digest, self.commands = hashlib.sha256(), 0
        self.commands += len(commands)
        self.digest.update(f"{self.now} {commands!r} {self.gateway.deadline}\n".encode())
        return commands


class Draws:
    """What the rules draw from, in place of Hypothesis."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def draw(self, strategy: Any) -> Any:
        return self._rng.choice(strategy.elements)


def live(seed: int, mode: str) -> tuple[str, int]:
    """Return the digest of one life, and how many commands there were."""
    rng = random.Random(seed)
    life = Lived()
    life.open(
        names=[one.id for one in ACCOUNTS],
        mode=mode,
        preferred="",
        rails=rng.randrange(len(COMPLIANCE)),
        lock=60.0,
        most=1000,
        patience=5.0,
        seed=seed,
    )
    draws: Any = Draws(rng)
    for _ in range(_STEPS):
        _step(life, draws, rng)
    life.teardown()
    return life.digest.hexdigest(), life.commands


def _step(life: Lived, draws: Any, rng: random.Random) -> None:
    match rng.randrange(8):
        case 0 | 1 | 2:
            session = rng.choice([None, b"s1", b"s2"])
            life.ask(model=rng.choice(["m1", "m2"]), session=session, size=rng.choice([0, 400]), stream=False)
        case 3 if life.calls:
            life.serve(data=draws, spent=100, left=rng.choice([None, 50]), whole=True)
        case 4 if life.calls:
            life.fail(data=draws, status=rng.choice([429, 500, 401]), wait=rng.choice([None, 1, 30]), code=b"")
        case 5 if life.calls:
            life.broken(data=draws, fault=rng.choice(list(Fault)), reused=rng.random() < 0.5)
        case 6 if life.audit.refreshing:
            life.token(data=draws, how=rng.choice(["good", "bad"]), life=3600)
        case 7 if rng.random() < 0.3:
            life.operate(data=draws, what=rng.choice(["remove", "add", "disable", "enable", "change"]))
        case _:
            life.time(seconds=rng.choice([0.5, 2.0, 15.0, 61.0]))


def lives() -> list[str]:
    """The digests of a few lives in every mode."""
    return [live(seed, mode)[0] for mode in ("balance", "cache_first", "performance_first") for seed in range(2)]


def test_a_life_is_worth_comparing() -> None:
    assert live(0, "balance")[1] > _STEPS


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_hashes_do_not_decide_who_is_served(hash_seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    lived = subprocess.run(
        [sys.executable, Path(__file__)], env=environment, capture_output=True, check=False, timeout=120
    )
    assert lived.stderr.decode() == ""
    assert lived.stdout.decode().split() == lives()


if __name__ == "__main__":
    sys.stdout.write("\n".join(lives()))
