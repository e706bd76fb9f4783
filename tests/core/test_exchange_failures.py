"""What a client is told when every account failed: the most useful error, when to come back, and no name of ours."""

from collections.abc import Callable

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, CancelUpstream, EndResponse, ReadBody, SendBody, StartResponse
from gephyr_core.config import CorsConfig, ServerConfig, UpstreamConfig
from gephyr_core.errors import Fault
from gephyr_core.events import RequestBody, RequestEnded, UpstreamBody, UpstreamFailed
from gephyr_core.http import header

QUOTA = (
    b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}'
)


def error(message: str) -> bytes:
    return f'{{"error":{{"message":"{message}"}}}}'.encode()


def both(first: tuple[int, bytes], second: tuple[int, bytes]) -> tuple[int, bytes]:
    """Have two accounts fail one after the other; return what the client gets."""
    play = Play(account("a"), account("b"))
    play.answer(play.request(), first[1], first[0])
    play.answer(play.expect(CallUpstream), second[1], second[0])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    return start.status, sent.data


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("credential", [(401, error("bad key")), (402, error("pay")), (403, error("no")), (429, QUOTA)])
@pytest.mark.parametrize("other", [(429, error("slow")), (503, error("busy")), (500, error("oops"))])
def test_the_operators_credential_is_told_of_only_if_all_fail_by_it(
    order: int, credential: tuple[int, bytes], other: tuple[int, bytes]
) -> None:
    """An exhausted balance is a 429 by its status, and still no limit that waiting mends."""
    assert both(*[credential, other][::order]) == other


def test_an_exhausted_balance_alone_is_a_502() -> None:
    status, body = both((429, QUOTA), (401, error("bad key")))
    assert (status, b"quota" in body) == (502, False)


def test_one_accounts_wait_is_not_the_clients_where_another_is_free() -> None:
    """An SDK sleeps what it is told: 90 s, although the account that only stumbled may be asked at once."""
    play = Play(account("a"), account("b"))
    play.answer(play.request(), error("slow"), 429, [*JSON, (b"retry-after", b"90"), (b"retry-after-ms", b"90000")])
    play.answer(play.expect(CallUpstream), error("oops"), 500)
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429
    assert [value for name, value in start.headers if name.startswith(b"retry-after")] == [b"1"]
    assert header(start.headers, b"x-should-retry") is None


@pytest.mark.parametrize("own", [None, b"true"])
def test_a_long_wait_of_a_side_route_is_relayed_with_a_warning(own: bytes | None) -> None:
    """More than 60 s: SDKs would sleep it. The provider's own word stands."""
    told = [(b"x-should-retry", own)] if own else []
    play = Play(account("a", "anthropic"))
    call = play.request(target="/v1/messages/count_tokens")
    play.answer(call, error("slow"), 429, [*JSON, (b"retry-after", b"3600"), *told])
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert header(start.headers, b"retry-after") == b"3600"
    assert header(start.headers, b"x-should-retry") == (own or b"false")


def test_a_gemini_client_is_told_the_wait_where_it_looks_for_it() -> None:
    play = Play(account("a", "gemini"))
    body = b'{"error":{"code":429,"details":[{"@type":"x/google.rpc.RetryInfo","retryDelay":"70s"}]}}'
    play.answer(play.request(b"{}", "/v1beta/models/m:generateContent"), body, 429)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (header(start.headers, b"retry-after"), sent.data) == (b"70", body)
    play.start("/v1beta/models/m:generateContent")
    play.expect(ReadBody)
    play.feed(RequestBody(2, b"{}"), at=1010.0)
    play.expect()
    play.feed(RequestEnded(2))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429
    assert b'"retryDelay":"60s"' in sent.data


@pytest.mark.parametrize("fault", list(Fault))
def test_a_broken_call_is_told_without_hosts_and_proxies(fault: Fault) -> None:
    """The log has the detail; clients learn what kind of thing broke."""
    detail = "http://user@10.0.0.5:3128 refused the tunnel to api.internal"
    play = Play(account("a"))
    play.request()
    play.feed(UpstreamFailed(1, 1, fault, detail))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == fault.http_status
    assert b"10.0.0.5" not in sent.data
    assert b"internal" not in sent.data
    assert fault.value.encode() in sent.data
    assert play.records[0].attempts[0].detail == detail


def test_a_broken_stream_is_told_without_hosts_and_proxies() -> None:
    play = Play(account("a"))
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
    play.expect(StartResponse, SendBody)
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "10.0.0.5 reset"))
    last, _ = play.expect(SendBody, EndResponse)
    assert b"10.0.0.5" not in last.data
    assert play.records[0].attempts[0].detail == "10.0.0.5 reset"


def too_large(play: Play, call: CallUpstream) -> list[type]:
    play.body(call, b"x" * 2_000_000)
    return [CancelUpstream]


def reset(play: Play, call: CallUpstream) -> list[type]:
    play.feed(UpstreamFailed(call.exchange, call.attempt, Fault.RESET, "reset"))
    return []


def stall(play: Play, call: CallUpstream) -> list[type]:
    del call
    while not play.wait():
        play.expect()
    return [CancelUpstream]


def bad_gzip(play: Play, call: CallUpstream) -> list[type]:
    play.feed(UpstreamBody(call.exchange, call.attempt, b"no gzip"))
    return [CancelUpstream]


@pytest.mark.parametrize("cut", [too_large, reset, stall, bad_gzip])
@pytest.mark.parametrize("status", [429, 500, 400])
def test_an_error_whose_body_cannot_be_had_is_that_error_still(
    cut: Callable[[Play, CallUpstream], list[type]], status: int
) -> None:
    """Its status and headers came: a limit cools the account down, the client's mistake fails over to nobody."""
    play = Play(account("a"), account("b"), upstream=UpstreamConfig(idle_timeout=5))
    first = play.request()
    coding = [(b"content-encoding", b"gzip")] if cut is bad_gzip else []
    play.head(first, status, [*JSON, *coding, (b"retry-after", b"30")])
    play.expect()
    cancelled = cut(play, first)
    if status == 400:
        *_, start, _, _ = play.expect(*cancelled, StartResponse, SendBody, EndResponse)
        assert start.status == 400
    else:
        *_, second = play.expect(*cancelled, CallUpstream) if cancelled else [play.expect(CallUpstream)]
        play.answer(second, error("slow"), 429, [*JSON, (b"retry-after", b"50")])
        start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert (start.status, header(start.headers, b"retry-after")) == (429, b"30")
    play.finish()


def test_errors_carry_the_headers_that_browsers_need() -> None:
    play = Play(account("a"), cors=CorsConfig(origins=("https://app.test",)), server=ServerConfig(max_body_size=5))
    for headers, method, target in (
        ([(b"content-length", b"9")], "POST", "/v1/messages"),
        ([], "GET", "/nowhere"),
        ([], "PATCH", "/v1/models"),
        ([], "OPTIONS", "/nowhere"),
    ):
        play.start(target, method=method, headers=[*headers, (b"origin", b"https://app.test")])
        start = play.unclaimed[0]
        play.unclaimed = []
        assert isinstance(start, StartResponse)
        assert header(start.headers, b"access-control-allow-origin") == b"https://app.test"


def test_a_head_request_gets_the_length_and_no_body() -> None:
    play = Play(account("a"))
    play.start("/health/", method="HEAD")
    start, _ = play.expect(StartResponse, EndResponse)
    assert (start.status, header(start.headers, b"content-length")) == (200, b"15")
