"""Whole replies: what goes upstream, what comes back, and what an account's failure leads to."""

import msgspec
import pytest
from play import JSON, Play, account

from gephyr_core.commands import CallUpstream, EndResponse, ReadBody, SendBody, StartResponse
from gephyr_core.config import ModelsConfig, UpstreamConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import RequestBody, RequestEnded, UpstreamBody, UpstreamFailed
from gephyr_core.http import header

REPLY = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'


def error(message: str, **more: object) -> bytes:
    return msgspec.json.encode({"error": {"message": message, **more}})


def test_a_reply_reaches_the_client_byte_for_byte() -> None:
    """The provider's bytes, status and headers are the client's; the length is stated."""
    play = Play(account())
    call = play.request()
    assert str(call.origin) == "https://a.test"
    assert call.target == "/v1/chat/completions"
    play.answer(call, REPLY, headers=[*JSON, (b"x-ratelimit-remaining-requests", b"9"), (b"set-cookie", b"no")])
    start, body, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert body.data == REPLY
    assert header(start.headers, b"content-length") == b"%d" % len(REPLY)
    assert header(start.headers, b"x-ratelimit-remaining-requests") == b"9"
    assert header(start.headers, b"set-cookie") is None
    assert header(start.headers, b"x-request-id").startswith(b"req_")
    [record] = play.records
    assert (record.outcome, record.account, record.usage.input, record.usage.output) == ("ok", "a", 3, 4)
    play.finish()


def test_the_provider_request_id_stays_the_client_request_id() -> None:
    play = Play(account())
    call = play.request()
    play.answer(call, REPLY, headers=[*JSON, (b"x-request-id", b"theirs")])
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert [value for name, value in start.headers if name == b"x-request-id"] == [b"theirs"]
    assert header(start.headers, b"x-gephyr-request-id").startswith(b"req_")


def test_an_unchanged_body_is_forwarded_untouched() -> None:
    """White space, order and unknown fields survive when no owned field changes."""
    body = b'{ "unknown" : {"a":1.0},\n "model":"m" , "messages":[]}'
    play = Play(account())
    assert play.request(body).body == body


def test_a_mapped_model_changes_only_the_model() -> None:
    play = Play(account(), models=ModelsConfig(routes={"m": ("openai/gpt-5",)}))
    call = play.request(b'{"x":{"a":1.0},"model":"m","messages":[ 1 ]}')
    assert call.body == b'{"x":{"a":1.0},"model":"gpt-5","messages":[ 1 ]}'


def test_a_gemini_model_is_replaced_in_the_path() -> None:
    play = Play(account(provider="gemini"), models=ModelsConfig(routes={"m:x/y": ("g-2",)}))
    call = play.request(b"{}", "/v1beta/models/m:x%2Fy:generateContent?beta=true")
    assert call.target == "/v1beta/models/g-2:generateContent?beta=true"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, error("bad key", code="invalid_api_key")),
        (402, error("pay")),
        (403, error("no permission")),
        (408, b""),
        (429, error("slow down", code="rate_limit_exceeded")),
        (500, error("oops")),
        (502, b"<html>"),
        (503, b""),
        (529, b"{}"),
        (400, error("API key not valid", status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}])),
    ],
)
def test_the_next_account_hides_what_another_account_may_do_better(status: int, body: bytes) -> None:
    play = Play(account("a"), account("b"))
    first = play.request()
    play.answer(first, body, status)
    second = play.expect(CallUpstream)
    assert {first.account, second.account} == {"a", "b"}
    assert second.attempt == 2
    play.answer(second, REPLY)
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 200
    assert [attempt.outcome for attempt in play.records[0].attempts] == ["status", "ok"]
    play.finish()


@pytest.mark.parametrize("fault", [Fault.CONNECT, Fault.TLS, Fault.PROXY, Fault.TIMEOUT, Fault.RESET, Fault.PROTOCOL])
def test_the_next_account_hides_a_broken_call(fault: Fault) -> None:
    play = Play(account("a"), account("b"))
    first = play.request()
    play.feed(UpstreamFailed(1, 1, fault, "it broke", sent=Sent.ALL))
    second = play.expect(CallUpstream)
    assert first.account != second.account
    play.answer(second, REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    play.finish()


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_the_client_sees_its_own_mistakes_unchanged(status: int) -> None:
    """Agents match on the text: status and body stay as they came, and no other account is asked."""
    body = error("messages: too short, as ever")
    play = Play(account("a"), account("b"))
    play.answer(play.request(), body, status, [*JSON, (b"x-should-retry", b"false")])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (status, body)
    assert header(start.headers, b"x-should-retry") == b"false"
    play.finish()


def test_a_403_about_content_is_the_clients() -> None:
    play = Play(account("a"), account("b"))
    play.answer(play.request(), error("flagged by moderation"), 403)
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 403


def test_refused_credentials_never_look_like_the_clients_own() -> None:
    """All accounts refused: 502, or the client would think its own key bad."""
    play = Play(account("a"), account("b"))
    play.answer(play.request(), error("bad key"), 401)
    play.answer(play.expect(CallUpstream), error("bad key"), 403)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502
    assert b"bad key" not in sent.data


def test_the_most_useful_failure_wins_with_the_soonest_reset() -> None:
    """429 wins over 500; its retry-after is the soonest of all accounts."""
    play = Play(account("a"), account("b"), account("c"))
    play.answer(play.request(), error("slow a"), 429, [*JSON, (b"retry-after", b"90")])
    play.answer(play.expect(CallUpstream), error("slow b"), 429, [*JSON, (b"retry-after", b"70")])
    play.answer(play.expect(CallUpstream), error("oops"), 503, [*JSON, (b"retry-after", b"100")])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429
    assert b"slow b" in sent.data
    assert header(start.headers, b"retry-after") == b"70"
    assert header(start.headers, b"x-should-retry") == b"false"


def test_an_account_is_left_alone_until_the_provider_said() -> None:
    """While every account's stated cooldown runs, a request is refused at once with the real reset."""
    play = Play(account("a"))
    play.answer(play.request(), error("slow"), 429, [*JSON, (b"retry-after", b"30")])
    play.expect(StartResponse, SendBody, EndResponse)
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(2, b'{"model":"m"}'), at=1010.0)
    play.expect()
    play.feed(RequestEnded(2))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"retry-after")) == (429, b"20")
    play.now = 1030.5
    assert play.request().account == "a"


def test_a_short_cooldown_is_waited_out() -> None:
    """The client does not notice a limit that is over so soon: the account is asked again."""
    play = Play(account("a"))
    play.answer(play.request(), error("slow"), 429, [*JSON, (b"retry-after-ms", b"1500")])
    play.expect()
    assert play.gateway.deadline == pytest.approx(1001.5)
    play.wait()
    play.answer(play.expect(CallUpstream), REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    play.finish()


def test_a_retry_after_on_a_200_is_no_cooldown() -> None:
    play = Play(account("a"))
    play.answer(play.request(), REPLY, headers=[*JSON, (b"retry-after", b"60")])
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.request().account == "a"


def test_a_side_route_says_nothing_about_the_account() -> None:
    """A limit on token counting leaves the account free for messages."""
    play = Play(account("a", provider="anthropic"))
    call = play.request(target="/v1/messages/count_tokens")
    play.answer(call, error("slow"), 429, [*JSON, (b"retry-after", b"60")])
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.request(target="/v1/messages?beta=true").target == "/v1/messages?beta=true"


def test_a_stale_kept_connection_is_tried_once_more_on_a_fresh_one() -> None:
    play = Play(account("a"), account("b"))
    first = play.request()
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "closed", reused=True))
    again = play.expect(CallUpstream)
    assert (again.account, again.fresh, again.attempt) == (first.account, True, 2)
    play.feed(UpstreamFailed(1, 2, Fault.RESET, "closed", reused=True))
    other = play.expect(CallUpstream)
    assert other.account != first.account
    play.answer(other, REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    assert [attempt.stale for attempt in play.records[0].attempts] == [True, False, False]
    play.finish()


@pytest.mark.parametrize("field", [b'"store":true', b'"background":true'])
def test_what_leaves_something_behind_is_not_sent_twice(field: bytes) -> None:
    """A create that stores is repeated only if nothing was sent, or the provider answered."""
    body = b'{"model":"m","input":"hi",' + field + b"}"
    play = Play(account("a"), account("b"))
    play.request(body, "/v1/responses")
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "closed", reused=True, sent=Sent.ALL))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502
    play.request(body, "/v1/responses")
    play.feed(UpstreamFailed(2, 1, Fault.CONNECT, "refused", sent=Sent.NONE))
    play.expect(CallUpstream)


def test_an_unknown_model_tries_the_next_target_not_the_next_account() -> None:
    play = Play(account("a"), account("b"), models=ModelsConfig(routes={"m": ("new", "old")}))
    play.answer(play.request(), error("The model `new` does not exist", code="model_not_found"), 404)
    call = play.expect(CallUpstream)
    assert b'"old"' in call.body
    play.answer(call, REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.records[0].model_served == "old"


def test_accounts_take_turns_by_fewest_in_flight() -> None:
    play = Play(account("a"), account("b"))
    used = [play.request().account for _ in range(6)]
    assert sorted(used[:2]) == ["a", "b"]
    assert used.count("a") == used.count("b") == 3


def test_a_busy_account_is_waited_for_in_order() -> None:
    """Who comes first is served first, the moment a lease is given back."""
    play = Play(account("a", max_concurrency=1))
    first = play.request()
    for number in (2, 3):
        play.start()
        play.expect(ReadBody)
        play.feed(RequestBody(number, b'{"model":"m"}'))
        play.expect()
        play.feed(RequestEnded(number))
        play.expect()
    play.answer(first, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert call.exchange == 2
    play.wait()
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.exchange, start.status) == (3, 503)


@pytest.mark.parametrize("body", [b"<html>oops</html>", b'{"half":', b"OK"])
def test_rubbish_with_status_200_is_a_502(body: bytes) -> None:
    play = Play(account("a"))
    play.answer(play.request(), body, headers=[(b"content-type", b"text/html")])
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502


def test_a_reply_over_the_limit_is_cancelled() -> None:
    from gephyr_core.commands import CancelUpstream

    play = Play(account("a"), account("b"), upstream=UpstreamConfig(max_reply_size=10))
    play.head(play.request())
    play.expect()
    play.feed(UpstreamBody(1, 1, b"x" * 11))
    _, start, _, _ = play.expect(CancelUpstream, StartResponse, SendBody, EndResponse)
    assert start.status == 502


def test_a_redirect_is_never_followed() -> None:
    play = Play(account("a"))
    play.answer(play.request(), b"", 307, [(b"location", b"https://elsewhere.test")])
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502


def test_a_page_of_something_before_the_provider_is_told_in_the_dialect() -> None:
    """A CDN's error page says nothing an SDK could read."""
    play = Play(account("a", "anthropic"))
    play.answer(
        play.request(target="/v1/messages"), b"<html>Bad gateway</html>", 502, [(b"content-type", b"text/html")]
    )
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502
    assert header(start.headers, b"content-type") == b"application/json"
    assert b'"api_error"' in sent.data
    assert b"<html>" not in sent.data
