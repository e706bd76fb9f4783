"""The simulated world: deterministic, clean under every fault, and with providers that count."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from gephyr.harness.world import EPOCH, Fault, ProviderSettings, World
from gephyr.harness.world.settings import FaultKind, PlannedChange
from gephyr_core.config import OAuthConfig, SchedulingConfig
from gephyr_core.records import AccountEvent, Fact, RequestRecord
from tests.harness.world_plans import DIALECTS, accounts, config, play, sessions

SIGNS_IN = OAuthConfig(token_url="https://id.test/token", client_id="c", refresh_token="account:r")


def test_every_request_of_every_dialect_is_answered() -> None:
    run = play()
    assert run.outcome.violations == ()
    assert run.outcome.requests == run.outcome.calls == run.count("ok") == 120
    assert {record.dialect for record in run.records} == set(DIALECTS)
    assert {record.usage.output for record in run.records if record.usage} == {300}


def test_the_same_seed_does_the_same() -> None:
    storm = Fault(kind="rate_limit_storm", start=5, end=40, share=0.5)
    first, second = play(None, storm), play(None, storm)
    assert first.outcome == second.outcome
    assert first.facts == second.facts
    assert play(None, storm, seed=2).outcome.trace_hash != first.outcome.trace_hash


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_the_order_of_hashes_changes_nothing(hash_seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    played = subprocess.run(
        [sys.executable, "-m", "tests.harness.test_world"],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert played.stderr.decode() == ""
    assert played.stdout.decode() == play(None, Fault(kind="outage", end=20, share=0.5)).outcome.trace_hash


def test_the_trace_tells_what_the_hash_is_of() -> None:
    lines: list[bytes] = []
    run = play(plan=sessions(2), trace=lines.append)
    told = [msgspec.json.decode(line) for line in lines]
    assert [line["at"] for line in told] == sorted(line["at"] for line in told)
    calls = [line for line in told if line["kind"] == "CallUpstream"]
    served = {(record.account, attempt.attempt) for record in run.records for attempt in record.attempts}
    assert {(line["account"], line["attempt"]) for line in calls} == served
    assert run.outcome.trace_hash == play(plan=sessions(2)).outcome.trace_hash


@pytest.mark.parametrize("kind", get_args(FaultKind))
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_nothing_breaks_under_a_fault(kind: FaultKind, share: float) -> None:
    """All accounts sign in and go through a proxy, so that each fault has something to strike."""
    pool = accounts(oauth=SIGNS_IN, proxy="pool:p")
    fault = Fault(kind=kind, start=5, end=60, accounts=("a[0-4]",), share=share)
    run = play(config(pool), fault, provider=ProviderSettings(token_lifetime=60))
    assert run.outcome.violations == ()
    assert run.outcome.token_refreshes > len(pool)
    assert len(run.records) == run.outcome.requests
    assert run.count("ok")


def test_an_outage_of_one_account_is_not_seen_by_clients() -> None:
    run = play(config(accounts(12)), Fault(kind="outage", start=5, accounts=("a0", "a1", "a2")))
    assert run.count("ok") == run.outcome.requests
    assert run.outcome.calls > run.outcome.requests


def test_a_revoked_account_is_disabled_and_the_others_serve() -> None:
    fault = Fault(kind="revoked_token", start=5, accounts=("a0",))
    run = play(config(accounts(oauth=SIGNS_IN)), fault, provider=ProviderSettings(token_lifetime=30))
    assert [fact.account for fact in run.facts if isinstance(fact, AccountEvent) and fact.what == "disabled"] == ["a0"]
    assert run.count("ok") == 120


def test_clients_that_leave_cancel_their_calls() -> None:
    run = play(plan=sessions(leaves_after=0.7))
    assert run.outcome.violations == ()
    assert run.count("client_gone") > 100
    assert run.outcome.output_tokens > 0


def test_a_session_that_stays_finds_its_cache() -> None:
    """What stickiness earns is measurable: without it the prompt caches of three accounts hold little of one session."""

    def share(mode: str) -> float:
        settings = config(scheduling=SchedulingConfig(mode=mode))  # type: ignore[arg-type]
        outcome = play(settings, plan=sessions(dialects=("anthropic",), turns=5)).outcome
        return outcome.cached_tokens / outcome.input_tokens

    assert share("balance") > 1.3 * share("performance_first")


def test_cached_tokens_reach_the_records() -> None:
    run = play()
    cached = sum(record.usage.cached or 0 for record in run.records if record.usage)
    assert cached == run.outcome.cached_tokens > 0


def test_the_configured_limits_spare_the_provider() -> None:
    """What the configuration knows of a provider's limits is kept before the provider has to say so."""
    provider = ProviderSettings(requests_per_minute=20)
    plain = play(config(accounts(3)), provider=provider)
    limited = play(config(accounts(3, requests_per_minute=10)), provider=provider)
    assert sum(plain.outcome.limit_violations.values()) > sum(limited.outcome.limit_violations.values()) == 0
    assert limited.outcome.violations == ()


@pytest.mark.parametrize("hints", ["full", "none", "wrong"])
def test_limits_hold_whatever_providers_say_of_them(hints: str) -> None:
    provider = ProviderSettings(
        requests_per_minute=6,
        tokens_per_minute=60_000,
        concurrency=2,
        limits_per_model=True,
        hints=hints,  # type: ignore[arg-type]
        clock_skew=40.0,
        error_rate=0.05,
    )
    run = play(config(accounts(6, organization="acme")), provider=provider)
    assert run.outcome.violations == ()
    assert run.outcome.limit_violations
    assert {record.status for record in run.records} >= {200, 429}


def test_a_session_goes_on_after_the_scenario_is_over_in_no_way() -> None:
    run = play(until=8.0)
    assert all(record.started_at <= 1_800_000_008.0 for record in run.records)
    assert len(run.records) == run.outcome.requests < 120


def test_an_account_without_a_provider_is_refused() -> None:
    with pytest.raises(ValueError, match="no provider is described for the accounts a0"):
        World(config(), {}, (), sessions(), 1, lambda _: None)


def test_progress_is_told_up_to_the_end() -> None:
    told: list[float] = []
    settings = config()
    providers = {account.id: ProviderSettings() for account in settings.accounts}
    World(settings, providers, (), sessions(), 1, lambda _: None).run(20.0, told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 20.0)


@pytest.mark.parametrize("pool", [9, 40])
def test_an_operator_takes_accounts_out_while_they_serve(pool: int) -> None:
    """Calls under way on them end as they would; nothing new goes to them until they are back."""
    settings = config(accounts(pool))
    facts: list[Fact] = []
    providers = {account.id: ProviderSettings() for account in settings.accounts}
    world = World(settings, providers, (), sessions(), 1, facts.append)
    changes = [PlannedChange(at=5.0, disable=("a[0-2]*",)), PlannedChange(at=30.0, enable=("a[0-2]*",))]
    assert world.run(200.0, None, changes).violations == ()
    records = [fact for fact in facts if isinstance(fact, RequestRecord)]
    taken_out = ("a0", "a1", "a2")
    attempts = [one for record in records for one in record.attempts if one.account.startswith(taken_out)]
    assert attempts
    assert not [one for one in attempts if EPOCH + 5.0 < one.started_at < EPOCH + 30.0]


def test_every_fact_is_handed_on() -> None:
    run = play(None, Fault(kind="error_status", start=5, end=30, status=503, accounts=("a0",)))
    assert {type(fact) for fact in run.facts} == {RequestRecord, AccountEvent}


if __name__ == "__main__":
    sys.stdout.write(play(None, Fault(kind="outage", end=20, share=0.5)).outcome.trace_hash)
