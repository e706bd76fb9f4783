"""What this machine runs out of, and what our own code gets wrong: neither is the account's, the proxy's, the origin's."""

import pytest
from play import JSON, Play, account
from scheduling import REPLY, body, finish, served, signs_in

from gephyr_core.commands import CallUpstream, CheckProxy, EndResponse, RefreshToken, SendBody, StartResponse
from gephyr_core.config import ProxyConfig, ProxyPoolConfig
from gephyr_core.errors import Blame, Fault, Sent
from gephyr_core.events import ProxyChecked, StateRestored, TokenRefreshed, TokenRefreshFailed, UpstreamFailed
from gephyr_core.faults import internal_error
from gephyr_core.http import header
from gephyr_core.records import TokenState
from gephyr_core.scheduling.sign_in import RETRIES

DETAIL = "cannot connect to https://a.test: Too many open files"
TARGETS = {
    "openai": ("/v1/chat/completions", b'{"model":"m","messages":[]}'),
    "anthropic": ("/v1/messages", b'{"model":"m","max_tokens":1,"messages":[]}'),
    "gemini": ("/v1beta/models/m:generateContent", b"{}"),
}


def broken(play: Play, call: CallUpstream, fault: Fault, sent: Sent = Sent.NONE) -> None:
    play.feed(UpstreamFailed(call.exchange, call.attempt, fault, DETAIL, sent=sent))


@pytest.mark.parametrize("provider", TARGETS)
def test_a_machine_out_of_descriptors_is_told_at_once_and_nobody_else_is_asked(provider: str) -> None:
    """The next account would be asked over a connection that cannot be opened either. It helps to come back soon."""
    target, data = TARGETS[provider]
    play = Play(account("a", provider), account("b", provider))
    broken(play, play.request(data, target), Fault.LOCAL)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"retry-after")) == (503, b"1")
    assert b"the gateway has no room for another connection" in sent.data
    assert [(one.account, one.outcome) for one in play.records[-1].attempts] == [
        (play.records[-1].attempts[0].account, "local")
    ]
    play.finish()


@pytest.mark.parametrize("fault", [Fault.LOCAL, Fault.GATEWAY])
def test_a_fault_of_our_own_is_no_mark_against_the_account(fault: Fault) -> None:
    """However often it comes: no cooldown, no event, no score. The next request is served by the same account."""
    play = Play(account("a"), account("b", priority=-1))
    for _ in range(20):
        call = play.request(body())
        assert call.account == "a"
        broken(play, call, fault)
        if fault is Fault.GATEWAY:
            finish(play, play.expect(CallUpstream))
        else:
            play.expect(StartResponse, SendBody, EndResponse)
    assert served(play) == "a"
    assert [event for event in play.events if event.what == "cooldown"] == []
    assert fault.blame is Blame.GATEWAY


def test_a_bug_of_ours_is_hidden_by_another_account_and_is_a_500_where_there_is_none() -> None:
    """It may be the one account's settings that it cannot cope with."""
    play = Play(account("a"), account("b"))
    broken(play, play.request(body()), Fault.GATEWAY)
    broken(play, play.expect(CallUpstream), Fault.GATEWAY)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 500
    assert b"the gateway itself failed" in sent.data


def test_a_lack_after_an_accounts_own_failure_is_what_is_told() -> None:
    """The wait that the first account asks for says nothing of when there is room again."""
    play = Play(account("a"), account("b"))
    play.answer(play.request(body()), b'{"error":{"message":"slow down"}}', 429, [*JSON, (b"retry-after", b"50")])
    broken(play, play.expect(CallUpstream), Fault.LOCAL)
    start, *_ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"retry-after")) == (503, b"1")


def test_a_lack_in_the_middle_of_a_stream_ends_it_with_one_error_and_blames_nobody() -> None:
    play = Play(account("a"))
    call = play.stream_request()
    play.head(call, headers=[(b"content-type", b"text/event-stream")])
    play.expect()
    play.body(call, b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
    play.expect(StartResponse, SendBody)
    broken(play, call, Fault.LOCAL, Sent.ALL)
    last, _ = play.expect(SendBody, EndResponse)
    assert last.data.count(b'"error"') == 1
    assert served(play) == "a"
    assert [event for event in play.events if event.what == "cooldown"] == []


def proxied(**settings: object) -> Play:
    pool = ProxyPoolConfig(
        enabled=True, proxies=tuple(ProxyConfig(id=name, url=f"pool:{name}") for name in ("p1", "p2")), **settings
    )
    return Play(account("a"), proxy_pool=pool)


def test_a_lack_on_the_way_to_a_proxy_is_no_mark_against_the_proxy() -> None:
    """It is used again, in turn, as if nothing had been."""
    play = proxied()
    routes = []
    for _ in range(4):
        call = play.request(body())
        routes.append(call.route)
        broken(play, call, Fault.LOCAL)
        play.expect(StartResponse, SendBody, EndResponse)
    assert sorted(set(routes)) == ["pool:p1", "pool:p2"]
    assert [routes.count(route) for route in sorted(set(routes))] == [2, 2]


@pytest.mark.parametrize("healthy", [True, False])
def test_a_check_that_could_not_be_made_changes_nothing(healthy: bool) -> None:
    """A proxy that is well stays so, and one that has failed does not come back by it; it is checked again."""
    play = proxied(health_check_url="https://check.test/")
    play.feed(StateRestored())
    play.expect()
    play.wait()
    checks = [play.unclaimed[0]]
    play.expect(CheckProxy)
    play.feed(ProxyChecked(checks[0].proxy, healthy=healthy))
    play.expect()
    after = {play.request(body()).route for _ in range(4)}
    while True:
        play.wait()
        (check,) = play.unclaimed
        play.expect(CheckProxy)
        if check.proxy == checks[0].proxy:
            break
        play.feed(ProxyChecked(check.proxy, healthy=True))
        play.expect()
    play.feed(ProxyChecked(check.proxy, healthy=None, detail="too many open files"))
    play.expect()
    assert {play.request(body()).route for _ in range(4)} == after
    assert play.gateway.deadline < play.now + 120


@pytest.mark.parametrize("code", ["local", "gateway"])
def test_a_token_that_a_lack_keeps_from_coming_is_tried_again_soon(code: str) -> None:
    """The wait does not grow, since nothing is wrong with the account."""
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", 0.0)]))
    play.expect()
    for _ in range(5):
        play.wait()
        play.expect(RefreshToken)
        before = play.now
        play.feed(TokenRefreshFailed("a", code, "Too many open files"))
        play.expect()
        assert play.gateway.deadline == before + RETRIES[0]
    play.wait()
    play.expect(RefreshToken)
    play.feed(TokenRefreshed("a", play.now + 3600))
    play.expect()
    assert served(play) == "a"


def test_a_reply_still_counts_after_a_fault_of_our_own() -> None:
    play = Play(account("a"))
    broken(play, play.request(body()), Fault.LOCAL)
    play.expect(StartResponse, SendBody, EndResponse)
    play.answer(play.request(body()), REPLY)
    start, *_ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 200


def test_a_fault_that_was_never_raised_has_no_place() -> None:
    """It is told all the same, with what is known of it."""
    told = internal_error(ValueError("a secret"), "Save", 7.0, request_id="req_1")
    assert (told.error, told.during, told.at, told.request_id) == ("ValueError", "Save", 7.0, "req_1")
    assert (told.file, told.line, told.trace) == ("", 0, ())
