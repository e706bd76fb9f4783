"""``[compliance]``: what holds when it is switched on, and what a client is told that a limit keeps waiting."""

from typing import Any

import msgspec
import pytest
from play import JSON, KEY, Play, account
from scheduling import BROKEN, ask, body, finish, limited, served, session

from gephyr_core.commands import CallUpstream, EndResponse, ReadBody, SendBody, StartResponse
from gephyr_core.config import ComplianceConfig, Config, SchedulingConfig, ServerConfig, load_config
from gephyr_core.events import RequestBody, RequestEnded
from gephyr_core.http import header
from gephyr_core.providers import PROVIDERS

ON = ComplianceConfig(enabled=True)
OFF = {
    "max_global_requests_per_minute": 0,
    "max_account_requests_per_minute": 0,
    "max_account_concurrency": 0,
    "risk_cooldown_seconds": 0,
}
TARGETS = {
    "openai": ("/v1/chat/completions", body()),
    "anthropic": ("/v1/messages", b'{"model":"m","max_tokens":1,"messages":[]}'),
    "gemini": ("/v1beta/models/m:generateContent", b"{}"),
}


def configured(**settings: Any) -> ComplianceConfig:
    """The section as a file gives it."""
    mapping = {"auth": {"api_keys": [KEY]}, "compliance": {"enabled": True, **settings}}
    config: Config = load_config(mapping, {}, providers=PROVIDERS)
    return config.compliance


def only(**settings: Any) -> ComplianceConfig:
    """Every limit off but for these."""
    return configured(**{**OFF, "max_retry_attempts": 99, **settings})


def test_switched_on_alone_it_limits_as_the_original_does() -> None:
    """Decision 52: 120 global and 60 account requests a minute, 10 in flight, 5 s, 3 retries."""
    rails = configured().in_force
    assert rails == ON
    assert (rails.max_global_requests_per_minute, rails.max_account_requests_per_minute) == (120, 60)
    assert (rails.max_account_concurrency, rails.risk_cooldown_seconds, rails.max_retry_attempts) == (10, 5.0, 3)


def test_switched_off_nothing_of_it_holds_whatever_is_set() -> None:
    play = Play(account("a"), compliance=configured(enabled=False, max_account_requests_per_minute=1))
    for _ in range(130):
        assert served(play) == "a"
    rails = play.config.compliance.in_force
    assert all(value is None for name, value in msgspec.to_builtins(_fields(rails)).items() if name != "enabled")


def _fields(rails: ComplianceConfig) -> dict[str, Any]:
    return {name: getattr(rails, name) for name in (*OFF, "max_retry_attempts")}


@pytest.mark.parametrize("name", OFF)
def test_0_switches_one_limit_off_and_leaves_the_others(name: str) -> None:
    rails = _fields(configured(**{name: 0}).in_force)
    assert not rails.pop(name)
    defaults = _fields(ON)
    assert rails == {other: defaults[other] for other in rails}


@pytest.mark.parametrize(("name", "value"), [*((name, 7) for name in OFF), ("max_retry_attempts", 0)])
def test_an_explicit_value_wins_over_the_default(name: str, value: float) -> None:
    """No retry at all is a value like any other."""
    assert _fields(configured(**{name: value}).in_force) == {**_fields(ON), name: value}


def test_an_account_serves_60_requests_a_minute_and_the_61st_waits() -> None:
    play = Play(account("a"), compliance=ON, scheduling=SchedulingConfig(acquire_timeout=100))
    for _ in range(60):
        served(play)
    ask(play)
    play.wait()
    assert (play.now, play.expect(CallUpstream).account) == (1060.0, "a")


def test_three_accounts_serve_120_requests_a_minute_together() -> None:
    play = Play(*map(account, "abc"), compliance=ON, scheduling=SchedulingConfig(acquire_timeout=100))
    for _ in range(120):
        served(play, headers=session(str(play.exchange))["headers"])
    ask(play)
    play.wait()
    assert play.now == 1060.0
    play.expect(CallUpstream)


def test_an_account_has_ten_places() -> None:
    play = Play(account("a"), compliance=ON)
    calls = [play.request(body()) for _ in range(10)]
    waiting = ask(play)
    play.answer(calls[0], BROKEN, 400)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert call.exchange == waiting


def test_an_account_rests_five_seconds_after_a_risky_status() -> None:
    play = Play(account("a"), account("b", priority=-1), compliance=ON)
    limited(play, play.request(body()), None, 403)
    finish(play, play.expect(CallUpstream))
    (event,) = [event for event in play.events if event.reason == "compliance"]
    assert (event.account, event.until) == ("a", 1005.0)


def test_a_request_is_tried_four_times() -> None:
    play = Play(*map(account, "abcdef"), compliance=ON)
    limited(play, play.request(body()), None, 500)
    for _ in range(3):
        limited(play, play.expect(CallUpstream), None, 500)
    play.expect(StartResponse, SendBody, EndResponse)


# -- the limit on all requests together ---------------------------------------------------------------------------


def full(provider: str = "openai", **more: Any) -> Play:
    """A gateway whose one request of this minute was served twenty seconds ago."""
    play = Play(
        account("a", provider), account("b", provider), compliance=only(max_global_requests_per_minute=1), **more
    )
    target, data = TARGETS[provider]
    play.answer(play.request(data, target), BROKEN, 400)
    play.expect(StartResponse, SendBody, EndResponse)
    play.now += 20
    return play


def refused(play: Play, data: bytes, target: str, **more: Any) -> Any:
    """Have a request wait until it is refused; return the commands."""
    play.start(target, **more)
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, data))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    play.expect()
    while not play.wait():
        pass
    return play.expect(StartResponse, SendBody, EndResponse)


@pytest.mark.parametrize("provider", TARGETS)
def test_the_global_limit_is_a_429_that_says_whose_limit_it_is_and_when_it_opens(provider: str) -> None:
    """The window opens 60 seconds after its request; five of the forty that are left are waited first."""
    play = full(provider)
    target, data = TARGETS[provider]
    start, sent, _ = refused(play, data, target)
    assert (play.now, start.status) == (1025.0, 429)
    assert header(start.headers, b"retry-after") == b"35"
    assert header(start.headers, b"x-should-retry") is None
    assert b"the gateway's own limit of 1 requests per minute on all accounts together" in sent.data
    record = play.records[-1]
    assert (record.outcome, record.error, record.attempts) == ("refused", "rate_limit", ())
    play.finish()


def test_a_stream_that_is_held_too_long_is_told_the_same() -> None:
    play = full()
    start, sent, _ = refused(play, b'{"model":"m","stream":true,"messages":[]}', "/v1/chat/completions")
    assert start.status == 429
    assert b"the gateway's own limit" in sent.data


def test_the_decision_names_the_global_limit() -> None:
    """Not the accounts, which are free: an operator would look for their fault."""
    play = full()
    start, *_ = refused(play, body(), "/v1/chat/completions", headers=[(b"x-gephyr-explain", b"1")])
    decision = play.gateway.decisions.find((header(start.headers, b"x-gephyr-decision-id") or b"").decode())
    assert decision is not None
    assert (decision.rule.value, decision.account) == ("refused", None)
    reason = "the gateway's own limit of 1 requests per minute on all accounts together"
    assert decision.held == reason
    assert dict(decision.candidates()) == {"a": reason, "b": reason}


def test_a_later_request_that_is_served_is_not_said_to_be_held() -> None:
    play = full()
    refused(play, body(), "/v1/chat/completions")
    play.now = 1060.0
    play.request(body())
    assert play.gateway.decisions.latest[-1].held == ""


def test_where_the_accounts_are_limited_for_longer_that_is_the_wait() -> None:
    """Both limits are told, and the time at which both are over."""
    play = Play(account("a"), compliance=only(max_global_requests_per_minute=1))
    limited(play, play.request(body()), 3600)
    while not play.unclaimed:
        play.wait()
    play.expect(StartResponse, SendBody, EndResponse)
    start, sent, _ = refused(play, body(), "/v1/chat/completions")
    assert (play.now, start.status, header(start.headers, b"retry-after")) == (1010.0, 429, b"3590")
    assert header(start.headers, b"x-should-retry") == b"false"
    assert b"1 rate limit" in sent.data
    assert b"the gateway's own limit" in sent.data


def test_what_failed_before_the_limit_was_reached_is_what_is_told() -> None:
    """The retry is held; the provider's own words are worth more than ours."""
    play = Play(account("a"), account("b"), compliance=only(max_global_requests_per_minute=1))
    limited(play, play.request(body()), None, 500)
    play.expect()
    while not play.wait():
        pass
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (500, BROKEN)
    assert header(start.headers, b"retry-after") == b"55"


# -- every refusal has a reason, and a time where one is known ----------------------------------------------------


@pytest.mark.parametrize("expose", [False, True])
def test_a_request_too_large_for_what_is_left_is_told_so(expose: bool) -> None:
    """The accounts would serve a smaller one: they are ready, and no reason of theirs was told."""
    play = Play(account("a", tokens_per_minute=1000), server=ServerConfig(expose_account=expose))
    large = msgspec.json.encode({"model": "m", "messages": [], "x": "y" * 3200})
    play.request(large)
    start, sent, _ = refused(play, large, "/v1/chat/completions", headers=[(b"x-gephyr-explain", b"1")])
    assert (start.status, header(start.headers, b"retry-after")) == (429, b"55")
    assert (b"(a: tokens per minute)" if expose else b"(1 tokens per minute)") in sent.data
    decision = play.gateway.decisions.latest[-1]
    assert dict(decision.candidates()) == {"a": "tokens per minute"}


def test_a_refusal_names_some_of_the_accounts_only() -> None:
    """A pool of a thousand accounts must not make an error of a thousand lines."""
    accounts = [account(f"of-{number}", tokens_per_minute=1000) for number in range(10)]
    play = Play(*accounts, server=ServerConfig(expose_account=True))
    large = msgspec.json.encode({"model": "m", "messages": [], "x": "y" * 3200})
    for _ in accounts:
        play.request(large)
    _, sent, _ = refused(play, large, "/v1/chat/completions")
    assert sent.data.count(b": tokens per minute") == 8


def test_a_request_too_large_for_one_and_refused_by_the_other_is_no_limit() -> None:
    play = Play(account("a", tokens_per_minute=1000), account("b"))
    large = msgspec.json.encode({"model": "m", "messages": [], "x": "y" * 3200})
    calls = [play.request(large) for _ in range(2)]
    bad = next(call for call in calls if call.account == "b")
    play.answer(bad, b'{"error":{"message":"bad key"}}', 401, JSON)
    while not play.unclaimed:
        play.wait()
    play.expect(StartResponse, SendBody, EndResponse)
    start, sent, _ = refused(play, large, "/v1/chat/completions")
    assert start.status == 503
    assert b"1 tokens per minute" in sent.data
    assert b"1 credential refused" in sent.data
