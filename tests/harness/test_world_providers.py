"""Simulated providers: their pace, their limits, their refusals, and what clients make of those."""

import datetime
import itertools
import random

import attrs
import msgspec
import pytest

from gephyr.harness.world import EPOCH, ClientSettings, Fault, ProviderSettings, Spread, World
from gephyr.harness.world.limits import Bucket
from gephyr.harness.world.organizations import Organization
from gephyr.harness.world.provider import Providers
from gephyr.harness.world.queue import Agenda
from gephyr.harness.world.refusals import Level, limit_headers, refusal
from gephyr.harness.world.replies import REPLIES, Spent
from gephyr.harness.world.tokens import quantiles
from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.config import ProxyConfig, ProxyPoolConfig, SchedulingConfig
from gephyr_core.events import UpstreamStarted
from gephyr_core.http import Origin, header
from gephyr_core.providers.classification import classify_reply
from gephyr_core.providers.limits import go_duration
from gephyr_core.records import AccountEvent, OriginEvent, ProxyEvent
from tests.harness.world_plans import DIALECTS, accounts, config, play, sessions

LEVELS = (Level("requests", 60, 12, 47.999), Level("tokens", 90_000, 0, 360.0))


def test_half_of_what_is_drawn_is_below_the_median_and_a_twentieth_above_the_95th_percentile() -> None:
    drawn, rng = quantiles(Spread(median=2.0, p95=8.0)), random.Random(1)
    values = sorted(drawn.draw(rng) for _ in range(20_000))
    assert values[10_000] == pytest.approx(2.0, rel=0.1)
    assert values[19_000] == pytest.approx(8.0, rel=0.15)


def test_a_spread_without_any_is_a_number() -> None:
    assert quantiles(Spread(median=2.0, p95=1.0)).draw(random.Random(1)) == 2.0


def test_a_bucket_lets_its_limit_through_and_then_what_flows_in() -> None:
    bucket = Bucket(60)
    for _ in range(60):
        assert bucket.wait(1.0, 100.0) == 0.0
        bucket.take(1.0, 100.0)
    assert bucket.wait(1.0, 100.0) == 1.0
    assert bucket.wait(1.0, 101.0) == 0.0
    assert bucket.full_in(100.0 + 30.0) == 30.0


def test_the_prompt_cache_holds_a_conversation_until_its_lifetime_is_over() -> None:
    organization = Organization(ProviderSettings(cache_lifetime=300.0))
    first = organization.spend("m", "s", 2000, 10, 0.0)
    organization.begin("m", "s", first, 0.0)
    assert (first.cached, first.written) == (0, 2000)
    assert organization.spend("m", "s", 3000, 10, 299.0).cached == 1920  # whole steps of 128
    assert organization.spend("m", "s", 3000, 10, 300.0).cached == 0
    assert organization.spend("m", "other", 3000, 10, 1.0).cached == 0
    assert organization.spend("m", "s", 1000, 10, 1.0).cached == 0  # too short to be cached


def test_what_the_cache_holds_is_read_faster_and_counts_for_no_limit() -> None:
    organization = Organization(ProviderSettings(tokens_per_minute=2000, prefill_per_second=1000.0))
    assert organization.reading_seconds(Spent(1000, 0, 0, 1)) == 1.0
    assert organization.reading_seconds(Spent(1000, 1000, 0, 1)) == pytest.approx(0.1)
    organization.begin("m", "s", Spent(2000, 0, 2000, 1), 0.0)
    assert organization.refuses("m", Spent(1000, 0, 0, 1), 0.0) == 30.0
    assert organization.refuses("m", Spent(1000, 1000, 0, 1), 0.0) == 0.0


def test_a_provider_takes_as_many_requests_at_once_as_it_says() -> None:
    """Each that ends makes room for one."""
    organization = Organization(ProviderSettings(concurrency=2))
    spent = Spent(10, 0, 10, 1)
    for _ in range(3):
        taken = 0
        while not organization.refuses("m", spent, 0.0):
            organization.begin("m", "s", spent, 0.0)
            taken += 1
        assert (taken, organization.in_flight) == (2, 2)
        organization.end("m", 1, 0.0)
        assert organization.refuses("m", spent, 0.0) == 0.0
        organization.begin("m", "s", spent, 0.0)
        assert organization.refuses("m", spent, 0.0) > 0.0
        organization.end("m", 1, 0.0)
        organization.end("m", 1, 0.0)


def test_openai_tells_resets_as_go_prints_durations() -> None:
    headers = limit_headers("openai-chat", LEVELS, 0.0)
    assert header(headers, b"x-ratelimit-remaining-requests") == b"12"
    assert header(headers, b"x-ratelimit-reset-requests") == b"47.999s"
    assert header(headers, b"x-ratelimit-reset-tokens") == b"6m0s"


@pytest.mark.parametrize("seconds", [0.0, 0.002, 0.999, 1.0, 17.4, 59.9994, 60.0, 3725.5])
def test_the_core_reads_the_durations_that_are_told(seconds: float) -> None:
    [*_, (_, value)] = limit_headers("openai-chat", (Level("requests", 1, 0, seconds),), 0.0)
    read = go_duration(value.decode())
    assert read is not None
    assert seconds <= read < seconds + 0.0011


def test_anthropic_tells_resets_as_dates() -> None:
    value = header(limit_headers("anthropic", LEVELS, 1_800_000_000.0), b"anthropic-ratelimit-tokens-reset")
    assert value is not None
    assert datetime.datetime.fromisoformat(value.decode()).timestamp() == 1_800_000_360.0


def test_gemini_has_no_headers_of_limits() -> None:
    assert limit_headers("gemini", LEVELS, 0.0) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_core_reads_when_to_come_back(dialect: str) -> None:
    headers, body = refusal(dialect, 429, 33.2)
    verdict = classify_reply(429, headers, body, 0.0)
    assert (verdict.retry_after, verdict.fail_over, verdict.lasting) == (34.0, True, False)
    headers, body = refusal(dialect, 429, None)
    assert classify_reply(429, headers, body, 0.0).retry_after is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_replies_are_json_to_the_last_piece(dialect: str) -> None:
    whole, stream = REPLIES[dialect]
    spent = Spent(3000, 1024, 500, 70)
    assert "70" in msgspec.json.encode(msgspec.json.decode(whole(1, b"m", spent))).decode()
    pieces = stream(1, b"m", spent)
    lines = [line for piece in pieces for line in piece.replace(b"\r", b"").split(b"\n") if line.startswith(b"data: {")]
    for line in lines:
        msgspec.json.decode(line[6:])
    assert len(pieces) >= 3
    assert all(piece.endswith((b"\n\n", b"\r\n\r\n")) for piece in pieces)


def requests_of_one_session(clients: ClientSettings, status: int, seed: int = 1) -> list[float]:
    """Times at which one session asks a provider that always answers *status*."""
    settings = config(accounts(1))
    asked: list[float] = []
    world = World(
        settings,
        {"a0": ProviderSettings(hints="none")},
        (Fault(kind="error_status", status=status),),
        sessions(1, turns=1, dialects=("openai-chat",)),
        seed,
        lambda fact: asked.append(getattr(fact, "started_at", 0.0)),
        clients=clients,
    )
    assert world.run(120.0).violations == ()
    return [at for at in asked if at]


def test_clients_try_again_as_sdks_do() -> None:
    assert len(requests_of_one_session(ClientSettings(retries=2), 500)) == 3
    assert len(requests_of_one_session(ClientSettings(retries=0), 500)) == 1
    assert len(requests_of_one_session(ClientSettings(retries=2), 400)) == 1


def test_clients_wait_longer_before_each_try_and_each_a_little_less_than_the_last_would() -> None:
    """Twice as long as before, up to 8 seconds, less up to a quarter, as the SDKs do: many that failed together do not come together."""
    for seed in range(3):
        begun = requests_of_one_session(ClientSettings(retries=3, backoff=4.0), 409, seed)
        waits = [after - before for before, after in itertools.pairwise(begun)]
        assert len(waits) == 3
        for wait, longest in zip(waits, (4.0, 8.0, 8.0), strict=True):
            assert 0.75 * longest <= wait <= longest + 1.0, "the answer takes less than a second"


def test_a_session_ends_after_a_failure_where_clients_give_up() -> None:
    fault = Fault(kind="error_status", status=400)
    going_on = play(config(accounts(3)), fault).outcome.requests
    settings = config(accounts(3))
    providers = {account.id: ProviderSettings() for account in settings.accounts}
    clients = ClientSettings(after_failure="end")
    world = World(settings, providers, (fault,), sessions(), 1, lambda _: None, clients=clients)
    assert (world.run(300.0).requests, going_on) == (40, 120)


def test_a_gateway_without_descriptors_harms_no_account() -> None:
    """Requests fail while it lasts, each at its one attempt; afterwards all is as it was."""
    run = play(config(), Fault(kind="no_descriptors", start=20, end=60))
    assert run.outcome.violations == ()
    assert not [fact for fact in run.facts if isinstance(fact, AccountEvent)]
    refused = [record for record in run.records if record.outcome == "failed"]
    assert refused
    assert {(len(record.attempts), record.attempts[0].outcome, record.status) for record in refused} == {
        (1, "local", 503)
    }
    assert run.count("ok") + len(refused) == len(run.records)


@pytest.mark.parametrize("mode", ["balance", "cache_first", "performance_first"])
def test_an_account_that_cuts_its_streams_is_soon_left(mode: str) -> None:
    """One account of each three is broken from the start, and every client's stream there is cut; few clients meet it."""
    pool = config(scheduling=SchedulingConfig(mode=mode))  # type: ignore[arg-type]
    run = play(pool, Fault(kind="reset_in_stream", accounts=("a0", "a1", "a2")), plan=sessions(120))
    assert run.outcome.violations == ()
    assert 0 < run.count("failed") < 0.06 * len(run.records)
    assert [fact.account for fact in run.facts if isinstance(fact, AccountEvent) and fact.what == "cooldown"]


def test_pages_of_html_are_seen_by_no_client() -> None:
    run = play(None, Fault(kind="html_page", accounts=("a0", "a1", "a2")))
    assert run.outcome.violations == ()
    assert run.count("ok") == run.outcome.requests == 120
    assert run.outcome.calls > run.outcome.requests


def test_an_outage_is_a_whole_hosts_and_costs_a_request_no_attempt_for_each_account() -> None:
    """Accounts of one host share it: a request asks it once more, a little later, and no other account after that."""
    pool = tuple(attrs.evolve(one, base_url=f"https://{one.provider}.test") for one in accounts(12))
    fault = Fault(kind="outage", accounts=("a0",), start=5, end=15)
    run = play(config(pool), fault, plan=sessions(dialects=["openai-chat"]))
    assert run.outcome.violations == ()
    refused = [attempt for record in run.records for attempt in record.attempts if attempt.outcome == "connect"]
    assert len({attempt.account for attempt in refused}) > 1
    assert all(len(record.attempts) <= 2 for record in run.records)
    hosts = [fact for fact in run.facts if isinstance(fact, OriginEvent)]
    assert {fact.origin for fact in hosts} == {"https://openai.test"}
    assert hosts[-1].reachable
    assert hosts[-1].at > EPOCH + 15.0


def test_a_proxy_that_is_down_is_passed_over_until_it_is_back() -> None:
    pool = ProxyPoolConfig(
        enabled=True,
        proxies=(ProxyConfig(id="p1", url="pool:p1"), ProxyConfig(id="p2", url="pool:p2")),
        health_check_url="https://check.test/",
        health_check_interval=10.0,
    )
    run = play(config(proxy_pool=pool), Fault(kind="proxy_down", proxies=("p1",), start=20, end=60))
    assert run.outcome.violations == ()
    seen = [fact for fact in run.facts if isinstance(fact, ProxyEvent)]
    assert {fact.proxy for fact in seen} == {"p1"}
    assert (seen[0].healthy, seen[-1].healthy) == (False, True)
    assert seen[-1].at > EPOCH + 60.0
    assert run.count("ok") == run.outcome.requests == 120


def test_a_provider_whose_clock_is_wrong_says_its_own_date_as_http_writes_one() -> None:
    """RFC 9110 section 5.6.7: it ends with GMT. Who reads its limits has to know how wrong the clock is."""
    heads: list[UpstreamStarted] = []
    agenda = Agenda(EPOCH)
    providers = Providers(
        config(),
        {account.id: ProviderSettings(clock_skew=3600.0) for account in accounts()},
        (),
        agenda,
        lambda event: heads.append(event) if isinstance(event, UpstreamStarted) else None,
        random.Random(1),
    )
    limits = TimeLimits(1.0, 1.0, 1.0, 1.0)
    origin = Origin("https", "a0.test", 443)
    providers.call(CallUpstream(1, 1, "a0", "POST", origin, "/v1/responses", [], b"{}", "direct", limits), "s", 10, 10)
    agenda.step()
    began = datetime.datetime.fromtimestamp(agenda.now + 3600.0, datetime.UTC)
    assert header(heads[0].headers, b"date") == began.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
