"""Credentials that a provider refuses: what they cost, who else is asked, and how an account comes back."""

import itertools
from typing import Any

import pytest
from play import JSON, Play, account
from scheduling import REPLY, ask, body, served, session, signs_in

from gephyr_core.commands import CallUpstream, Command, EndResponse, ReadBody, RefreshToken, SendBody, StartResponse
from gephyr_core.config import AccountConfig
from gephyr_core.events import (
    AdminChanged,
    RequestBody,
    RequestEnded,
    StateRestored,
    TimePassed,
    TokenRefreshed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamStarted,
)
from gephyr_core.http import header
from gephyr_core.records import AccountState, TokenState

REFUSED = b'{"error":{"message":"token expired","code":"invalid_token"}}'
HOUR = 3600.0


class Provider:
    """Accounts of a gateway whose provider answers every call with one status at once; its token endpoint is fine."""

    def __init__(self, play: Play, status: int = 401) -> None:
        self.play = play
        self.status = status
        self.calls: list[CallUpstream] = []
        self.refreshes = 0
        self.statuses: list[int] = []
        """Of the clients' responses."""
        self.last: Any = None
        play.feed(StateRestored(tokens=[TokenState(name, 0.0) for name in names(play)]))
        self._perform(play.unclaimed)

    def answer(self, call: CallUpstream) -> tuple[int, bytes]:
        """What the provider says to a call."""
        return self.status, REPLY if self.status == 200 else REFUSED

    def ask(self, count: int = 1, **more: Any) -> int:
        """Have requests served, all of them at once; return the status of the last response."""
        heads = []
        for _ in range(count):
            self.play.start(**more)
            self.play.expect(ReadBody)
            heads.append(self.play.exchange)
        calls: list[CallUpstream] = []
        for exchange in heads:
            self.play.feed(RequestBody(exchange, body()))
            self.play.expect()
            calls += self._perform(self.play.feed(RequestEnded(exchange)), hold=True)
        for call in calls:
            self._answer(call)
        self.settle()
        return self.statuses[-1]

    def settle(self) -> None:
        """Let all happen that is due now."""
        while self.play.gateway.deadline <= self.play.now:
            self._perform(self.play.feed(TimePassed()))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        end = self.play.now + seconds
        while self.play.gateway.deadline <= end:
            self.play.now = max(self.play.now, self.play.gateway.deadline)
            self._perform(self.play.feed(TimePassed()))
        self.play.now = end

    def _perform(self, commands: list[Command], *, hold: bool = False) -> list[CallUpstream]:
        self.play.unclaimed, held = [], []
        for command in list(commands):
            if isinstance(command, CallUpstream):
                self.calls.append(command)
                if hold:
                    held.append(command)
                else:
                    self._answer(command)
            elif isinstance(command, RefreshToken):
                self.refreshes += 1
                self._perform(self.play.feed(TokenRefreshed(command.account, self.play.now + HOUR)))
            elif isinstance(command, StartResponse):
                self.statuses.append(command.status)
                self.last = command
        return held

    def _answer(self, call: CallUpstream) -> None:
        status, data = self.answer(call)
        for event in (
            UpstreamStarted(call.exchange, call.attempt, status, JSON),
            UpstreamBody(call.exchange, call.attempt, data),
            UpstreamEnded(call.exchange, call.attempt),
        ):
            self._perform(self.play.feed(event))


class Flaky(Provider):
    """Refuses every third call, whatever the token."""

    def answer(self, call: CallUpstream) -> tuple[int, bytes]:
        return (401, REFUSED) if len(self.calls) % 3 == 0 else (200, REPLY)


def names(play: Play) -> list[str]:
    return [one.id for one in play.config.accounts if one.oauth is not None or one.service_account]


def keyed(name: str = "a", **more: Any) -> Any:
    """A Google service account, whose tokens are made of its key."""
    key = {"service_account": f"account:{name}", "project": "p", "location": "eu"}
    return AccountConfig(id=name, provider="vertex", **key, **more)


def test_forty_requests_one_after_the_other_cost_a_handful_of_token_requests() -> None:
    """Another token is fetched once; that it is refused too is the account's fault, not the token's."""
    provider = Provider(Play(signs_in()))
    for _ in range(40):
        provider.ask()
    assert provider.refreshes == 2
    assert len(provider.calls) == 2
    assert provider.statuses == [502] + [503] * 39


def test_forty_requests_at_once_cost_a_handful_of_token_requests() -> None:
    provider = Provider(Play(signs_in()))
    provider.ask(40)
    assert provider.refreshes == 2
    assert provider.statuses == [502] * 40
    provider.play.finish()


@pytest.mark.parametrize("seconds", [1.0, 10.0, 60.0])
def test_forty_requests_over_minutes_cost_a_handful_of_token_requests(seconds: float) -> None:
    """The account is tried again from time to time, with the token that it has."""
    provider = Provider(Play(signs_in()))
    for _ in range(40):
        provider.ask()
        provider.sleep(seconds)
    assert provider.refreshes <= 5
    assert len(provider.calls) <= 10


def test_accounts_of_one_organisation_are_refused_each_for_itself() -> None:
    play = Play(signs_in("a", organization="acme"), signs_in("b", organization="acme"))
    provider = Provider(play)
    for _ in range(40):
        provider.ask()
    assert provider.refreshes == 4
    assert [call.account for call in provider.calls].count("a") == 2


def test_another_account_serves_while_one_is_refused() -> None:
    """A request costs at most one call in vain, and one that a session is bound to moves on."""

    class OneRefused(Provider):
        def answer(self, call: CallUpstream) -> tuple[int, bytes]:
            return (401, REFUSED) if call.account == "a" else (200, REPLY)

    provider = OneRefused(Play(signs_in("a"), signs_in("b")))
    for _ in range(40):
        assert provider.ask(**session()) == 200
    assert [call.account for call in provider.calls].count("a") <= 2
    assert provider.refreshes <= 3


def test_a_token_of_a_service_account_is_refused_as_one_of_oauth_is() -> None:
    provider = Provider(Play(keyed()))
    target = "/v1beta/models/m:generateContent"
    for _ in range(40):
        provider.ask(target=target)
    assert provider.refreshes == 2
    assert len(provider.calls) == 2


def test_a_token_that_served_and_is_refused_is_replaced_unseen() -> None:
    """A provider may revoke a token before its end; that is no fault of the account's."""
    provider = Provider(Play(signs_in()), 200)
    for _ in range(5):
        assert provider.ask() == 200
        provider.sleep(600)
        served_so_far = len(provider.calls)

        def once(call: CallUpstream, first: int = served_so_far) -> tuple[int, bytes]:
            return (401, REFUSED) if len(provider.calls) == first + 1 else (200, REPLY)

        provider.answer = once  # type: ignore[method-assign]
        assert provider.ask() == 200
        provider.answer = lambda _: (200, REPLY)  # type: ignore[method-assign]
    assert [event for event in provider.play.events if event.what == "cooldown"] == []


def test_a_token_that_is_refused_now_and_then_is_not_replaced_each_time() -> None:
    provider = Flaky(Play(signs_in()))
    for _ in range(40):
        provider.ask()
    assert provider.refreshes <= 3


def test_a_403_for_a_token_is_not_cured_by_another_token() -> None:
    provider = Provider(Play(signs_in()), 403)
    for _ in range(40):
        provider.ask()
    assert (provider.refreshes, len(provider.calls)) == (1, 1)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_not_asked_for_every_request(status: int) -> None:
    """No account is left, and still nobody is asked in vain; the client learns why, and when it may help to ask."""
    provider = Provider(Play(account("a")), status)
    for _ in range(40):
        provider.ask()
    assert len(provider.calls) == 1
    assert provider.statuses == [502] + [503] * 39
    assert header(provider.last.headers, b"retry-after") == b"15"


def test_the_reason_is_told_to_the_client_and_in_the_decision() -> None:
    play = Play(account("a"))
    provider = Provider(play)
    provider.ask()
    start, sent, _ = play.refusal_of(body(), "/v1/chat/completions", headers=[(b"x-gephyr-explain", b"1")])
    assert start.status == 503
    assert b"1 credential refused" in sent.data
    decision_id = header(start.headers, b"x-gephyr-decision-id")
    assert decision_id is not None
    decision = play.gateway.decisions.find(decision_id.decode())
    assert decision is not None
    assert dict(decision.candidates()) == {"a": "credential refused"}


def test_a_refused_credential_is_tried_less_and_less_often() -> None:
    provider = Provider(Play(account("a")))
    at = []
    while len(provider.calls) < 5:
        known = len(provider.calls)
        provider.ask()
        if len(provider.calls) > known:
            at.append(provider.play.now)
        provider.sleep(15)
    assert [later - earlier for earlier, later in itertools.pairwise(at)] == [15.0, 75.0, 225.0, 450.0]


def test_a_credential_that_the_provider_takes_again_serves_from_then_on() -> None:
    provider = Provider(Play(account("a")))
    provider.ask()
    provider.status = 200
    assert provider.ask() == 503
    provider.sleep(15)
    assert [provider.ask() for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("one", [account("a"), signs_in("a")], ids=["key", "token"])
def test_an_account_that_the_operator_enables_serves_at_once(one: Any) -> None:
    provider = Provider(Play(one))
    provider.ask()
    provider.ask()
    provider.status = 200
    play = provider.play
    play.now += 1
    play.feed(AdminChanged([one], states=[AccountState("a", "", play.now)], tokens=[]))
    play.expect()
    assert provider.ask() == 200


def test_an_account_that_is_signed_in_anew_serves_at_once() -> None:
    """``gephyr accounts login`` is the cure, and what was said against the old token does not hold for the new one."""
    one = signs_in("a")
    provider = Provider(Play(one))
    provider.ask()
    known = provider.refreshes
    provider.status = 200
    play = provider.play
    play.now += 1
    play.feed(AdminChanged([one], tokens=[TokenState("a", play.now + 2 * HOUR)]))
    play.expect()
    assert served(play) == "a"
    assert provider.refreshes == known


def test_after_a_new_sign_in_a_refused_token_is_replaced_again() -> None:
    one = signs_in("a")
    provider = Provider(Play(one))
    provider.ask()
    play = provider.play
    known = provider.refreshes
    play.feed(AdminChanged([one], tokens=[TokenState("a", play.now + 2 * HOUR)]))
    play.expect()
    provider.ask()
    assert provider.refreshes == known + 1


@pytest.mark.parametrize("status", [401, 402])
def test_an_account_that_gets_another_key_serves_at_once(status: int) -> None:
    """A changed credential is as good as a new account; removed and added again, it is no other case."""
    one = account("a")
    provider = Provider(Play(one, account("b", models=("other",))), status)
    provider.ask()
    assert provider.ask() == 503
    provider.status = 200
    play = provider.play
    for accounts, renewed in (((play.config.accounts[1],), ()), (play.config.accounts, ("a",))):
        play.feed(AdminChanged(accounts, renewed=renewed))
        play.expect()
    assert provider.ask() == 200


def test_another_key_of_an_organisation_without_credit_does_not_bring_it_back() -> None:
    mates = [account(name, organization="acme") for name in ("a", "b")]
    provider = Provider(Play(*mates), 402)
    provider.ask()
    provider.play.feed(AdminChanged(mates, renewed=["a"]))
    provider.play.expect()
    assert provider.ask() == 503
    assert len(provider.calls) == 1


def test_whoever_waits_for_the_new_token_is_told_when_it_is_refused() -> None:
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", play.now + HOUR)]))
    play.expect()
    first, second = play.request(body()), play.request(body())
    play.answer(first, REFUSED, 401)
    play.expect()
    waiting = ask(play)
    play.wait()
    play.expect(RefreshToken)
    play.feed(TokenRefreshed("a", play.now + HOUR))
    calls = play.expect(CallUpstream, CallUpstream)
    assert [call.exchange for call in calls] == [first.exchange, waiting]
    play.answer(second, REFUSED, 401)
    again = play.expect(CallUpstream)  # the token that it was refused with is not the one that there is now
    for call in (*calls, again):
        play.answer(call, REFUSED, 401)
        start, *_ = play.expect(StartResponse, SendBody, EndResponse)
        assert start.status == 502
    play.finish()
