"""What is refused, through both front ends: in the dialect of the path, before anything is read or asked upstream."""

import gzip

import pytest

from gephyr_core.errors import Fault
from tests.conformance.asgi_host import HostedTalk
from tests.conformance.conftest import Serve
from tests.conformance.front_ends import account
from tests.conformance.samples import CHAT, SAMPLES, Sample, told_error
from tests.conformance.talk import AUTHORIZED
from tests.conformance.upstream import JSON, Reply

pytestmark = [pytest.mark.anyio, pytest.mark.semantic]
samples = pytest.mark.parametrize("sample", SAMPLES[:-1], ids=lambda sample: sample.name)

_PATHS = {
    "chat": "/v1/chat/nothing",
    "responses": "/v1/responses/a/b/c",
    "anthropic": "/v1/messages/nothing",
    "gemini": "/v1beta/nothing",
}


@samples
async def test_a_missing_key_is_401(serve: Serve, sample: Sample) -> None:
    """And so is a wrong one; the body is never read."""
    async with serve(account("a", sample.provider)) as front:
        for headers in ((), [(b"x-api-key", b"wrong")]):
            talk = await front.talk("POST", sample.path, sample.body, headers)
            status, _ = await talk.head()
            body = await talk.rest()
            assert (status, b"API key" in body, b"wrong" in body) == (401, True, False)
            if isinstance(talk, HostedTalk):
                assert talk.receives == 0
        told_error(sample.name, (await front.ask("POST", sample.path, sample.body, ())).json())
        assert not front.upstream.calls


@pytest.mark.parametrize(("name", "path"), _PATHS.items())
async def test_an_unknown_path_is_404(serve: Serve, name: str, path: str) -> None:
    """In the dialect that the path looks like."""
    async with serve(account("a")) as front:
        response = await front.ask("POST", path, b"{}")
        assert response.status == 404
        assert path in told_error(name, response.json())


@samples
async def test_a_wrong_method_is_405(serve: Serve, sample: Sample) -> None:
    """With the right one."""
    async with serve(account("a", sample.provider)) as front:
        response = await front.ask("PUT", sample.path, sample.body)
        assert response.status == 405
        assert b"POST" in (response.header(b"allow") or b"")
        told_error(sample.name, response.json())


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"model":', b'{"model":1}', b'{"model":"m","model":"n"}', b'{"model":"\xff"}', b"[" * 100_000],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("sample", SAMPLES[:4], ids=lambda sample: sample.name)
async def test_a_body_that_cannot_be_understood_is_400(serve: Serve, sample: Sample, body: bytes) -> None:
    """No call is made with it."""
    async with serve(account("a", sample.provider)) as front:
        response = await front.ask("POST", sample.path, body)
        assert response.status == 400
        told_error(sample.name, response.json())
        assert not front.upstream.calls


@samples
async def test_a_model_that_nobody_serves_is_404(serve: Serve, sample: Sample) -> None:
    """Naming it."""
    async with serve(account("a", sample.provider, models=["another"])) as front:
        response = await front.ask("POST", sample.path, sample.body)
        assert response.status == 404
        assert "'m'" in told_error(sample.name, response.json())


@samples
async def test_a_length_over_the_limit_is_413(serve: Serve, sample: Sample) -> None:
    """Told from the head: nothing of the body is asked for."""
    async with serve(account("a", sample.provider), server={"max_body_size": 1000}) as front:
        talk = await front.talk("POST", sample.path, b" " * 1001)
        assert (await talk.head())[0] == 413
        await talk.rest()
        if isinstance(talk, HostedTalk):
            assert talk.receives == 0
        told_error(sample.name, (await front.ask("POST", sample.path, b" " * 1001)).json())


async def test_a_body_that_grows_over_the_limit_is_413(serve: Serve) -> None:
    """While the client still sends."""
    async with serve(account("a"), server={"max_body_size": 1000}) as front:
        talk = await front.talk("POST", CHAT.path, b" " * 600, more=True)
        talk.send(b" " * 600)
        assert (await talk.head())[0] == 413
        assert await talk.rest()
        assert await front.in_use() == (0, 0)


async def test_a_compressed_body_counts_as_large_as_it_becomes(serve: Serve) -> None:
    """A small one is understood; one that expands over the limit is 413; an unknown coding is 415."""
    gzipped = [AUTHORIZED, (b"content-encoding", b"gzip")]
    async with serve(account("a"), server={"max_body_size": 1000}) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply])
        good = await front.ask("POST", CHAT.path, gzip.compress(CHAT.body), gzipped)
        large = await front.ask("POST", CHAT.path, gzip.compress(b" " * 100_000), gzipped)
        unknown = await front.ask("POST", CHAT.path, CHAT.body, [AUTHORIZED, (b"content-encoding", b"br")])
        assert (good.status, large.status, unknown.status) == (200, 413, 415)
        assert [call.command.body for call in front.upstream.calls] == [CHAT.body]


async def test_an_address_that_is_blocked_is_403(serve: Serve) -> None:
    """Whatever its key."""
    async with serve(account("a"), security={"block": ["127.0.0.0/8"]}) as front:
        response = await front.ask("POST", CHAT.path, CHAT.body)
        assert response.status == 403


async def test_an_upgrade_of_responses_is_426(serve: Serve) -> None:
    """On which Codex goes on over HTTP."""
    async with serve(account("a")) as front:
        headers = [AUTHORIZED, (b"connection", b"upgrade"), (b"upgrade", b"websocket")]
        assert (await front.ask("GET", "/v1/responses", None, headers)).status == 426


async def test_no_account_is_503(serve: Serve) -> None:
    """The gateway runs, and says what is missing."""
    async with serve() as front:
        assert (await front.ask("POST", CHAT.path, CHAT.body)).status == 503


# -- providers that fail --------------------------------------------------------------------------------------

_ERROR_EVENTS = {
    "chat": b'data: {"error":{"message":"overloaded","type":"server_error","code":"server_error"}}\n\n',
    "responses": b'event: error\ndata: {"type":"error","sequence_number":1,"code":"server_error","message":"x"}\n\n',
    "anthropic": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
    "gemini": b'data: {"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}\n\n',
}


def _failures(sample: Sample) -> list[Reply | Fault]:
    body = b'{"error":{"message":"no"}}'
    failures: list[Reply | Fault] = [Fault.CONNECT, Fault.RESET]
    failures += [Reply([body], JSON, status) for status in (401, 402, 403, 408, 429, 500, 503, 529)]
    if sample.name in _ERROR_EVENTS:
        failures.append(Reply([sample.prelude, _ERROR_EVENTS[sample.name]], sample.stream_headers))
    return failures


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@samples
async def test_a_failing_account_is_invisible(serve: Serve, sample: Sample, stream: bool) -> None:
    """Whatever its failure before content, the next account answers, and each is asked once."""
    path, body = (sample.stream_path, sample.stream_body) if stream else (sample.path, sample.body)
    good = Reply([sample.stream], sample.stream_headers) if stream else Reply([sample.reply])
    for failure in _failures(sample) if stream else _failures(sample)[:10]:
        bad, spare = account("bad", sample.provider, priority=1), account("good", sample.provider)
        async with serve(bad, spare) as front:
            front.upstream.replies |= {"bad": failure, "good": good}
            response = await front.ask("POST", path, body)
            assert (response.status, response.body) == (200, b"".join(good.pieces)), failure
            assert [call.command.account for call in front.upstream.calls] == ["bad", "good"], failure
            assert await front.in_use() == (0, 0)
        assert [(record["outcome"], record["attempts"]) for record in front.records] == [("ok", 2)]


@samples
async def test_an_error_of_the_requests_own_is_relayed(serve: Serve, sample: Sample) -> None:
    """Wording, status and headers; no other account is asked."""
    body = b'{"error": {"message": "the prompt is odd"}}'
    async with serve(account("a", sample.provider), account("b", sample.provider)) as front:
        for name in ("a", "b"):
            front.upstream.replies[name] = Reply([body], [*JSON, (b"x-ratelimit-left", b"3")], 400)
        response = await front.ask("POST", sample.path, sample.body)
        assert (response.status, response.body, response.header(b"x-ratelimit-left")) == (400, body, b"3")
        assert len(front.upstream.calls) == 1


@samples
async def test_all_accounts_failing_is_an_error_of_the_dialect(serve: Serve, sample: Sample) -> None:
    """Two ways of being out of reach are a 502; a credential of ours is nobody's 401."""
    accounts = [account(name, sample.provider) for name in ("a", "b")]
    async with serve(*accounts) as front:
        front.upstream.replies |= {"a": Fault.CONNECT, "b": Fault.TLS}
        response = await front.ask("POST", sample.path, sample.body)
        assert response.status == 502
        told_error(sample.name, response.json())
    async with serve(*accounts) as front:
        refused = Reply([b'{"error":{"message":"bad key"}}'], JSON, 401)
        front.upstream.replies |= {"a": refused, "b": refused}
        response = await front.ask("POST", sample.path, sample.body)
        assert response.status == 502
        told_error(sample.name, response.json())
