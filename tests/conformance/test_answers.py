"""Requests and responses of every dialect, whole and streamed, through both front ends."""

import pytest

from gephyr_core.http import Header
from tests.conformance.conftest import Serve
from tests.conformance.front_ends import account
from tests.conformance.samples import CHAT, OTHER_PATHS, SAMPLES, Sample
from tests.conformance.talk import AUTHORIZED
from tests.conformance.upstream import JSON, Reply

pytestmark = [pytest.mark.anyio, pytest.mark.semantic]
samples = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@samples
async def test_a_whole_reply_arrives_as_it_was_sent(serve: Serve, sample: Sample) -> None:
    """Request and reply are relayed byte for byte, to and from the one account."""
    async with serve(account("a", sample.provider)) as front:
        front.upstream.replies["a"] = Reply([sample.reply[:20], sample.reply[20:]])
        response = await front.ask("POST", sample.path, sample.body)
        (call,) = front.upstream.calls
        assert (response.status, response.body) == (200, sample.reply)
        assert (call.command.method, call.command.target, call.command.body) == ("POST", sample.path, sample.body)
        assert response.header(b"content-length") == b"%d" % len(sample.reply)
        assert await front.in_use() == (0, 0)
    assert [record["outcome"] for record in front.records] == ["ok"]


@samples
async def test_a_stream_arrives_as_it_was_sent(serve: Serve, sample: Sample) -> None:
    """However the provider's bytes are split, the client gets the same ones."""
    data = sample.stream
    async with serve(account("a", sample.provider)) as front:
        front.upstream.replies["a"] = Reply([data[i : i + 7] for i in range(0, len(data), 7)], sample.stream_headers)
        response = await front.ask("POST", sample.stream_path, sample.stream_body)
        assert (response.status, response.body) == (200, data)
        assert front.upstream.calls[0].command.target == sample.stream_path
        assert response.header(b"content-length") is None
        assert await front.in_use() == (0, 0)
    assert [(record["outcome"], record["stream"]) for record in front.records] == [("ok", True)]


@samples
async def test_content_is_relayed_when_it_comes(serve: Serve, sample: Sample) -> None:
    """The client reads the first content while the provider still writes."""
    async with serve(account("a", sample.provider)) as front:
        talk = await front.talk("POST", sample.stream_path, sample.stream_body)
        call = await front.upstream.called()
        call.start(sample.stream_headers)
        call.send(sample.prelude + sample.content)
        assert await talk.head()
        assert await talk.read_until(sample.content) == sample.prelude + sample.content
        call.send(sample.ending)
        call.end()
        assert (await talk.rest()).endswith(sample.ending)


@pytest.mark.parametrize(("provider", "path", "body"), OTHER_PATHS, ids=lambda value: str(value)[:40])
async def test_paths_that_only_answer_whole_do(serve: Serve, provider: str, path: str, body: bytes) -> None:
    """Embeddings, counting and the like."""
    async with serve(account("a", provider)) as front:
        front.upstream.replies["a"] = Reply([b'{"answer":', b"1}"])
        response = await front.ask("POST", path, body)
        assert (response.status, response.json()) == (200, {"answer": 1})
        assert (front.upstream.calls[0].command.target, front.upstream.calls[0].command.body) == (path, body)


async def test_a_body_may_come_in_pieces(serve: Serve) -> None:
    """Of a length that is not told, some pieces empty."""
    async with serve(account("a")) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply])
        talk = await front.talk("POST", CHAT.path, CHAT.body[:5], more=True)
        talk.send(CHAT.body[5:9])
        talk.send(CHAT.body[9:], last=True)
        assert (await talk.head())[0] == 200
        assert await talk.rest() == CHAT.reply
        assert front.upstream.calls[0].command.body == CHAT.body


async def test_the_target_reaches_the_provider_as_it_was_sent(serve: Serve) -> None:
    """A model's name with an encoded slash, and a query, are not decoded on the way; the key is taken out."""
    async with serve(account("a", "gemini")) as front:
        front.upstream.replies["a"] = Reply([b'{"candidates":[{"finishReason":"STOP"}]}'])
        target = "/v1beta/models/org%2Fm:generateContent?key=a-client-key&%24fields=a%2Cb"
        response = await front.ask("POST", target, b'{"contents":[]}', headers=())
        assert response.status == 200
        sent = front.upstream.calls[0].command.target
        assert sent.partition("?")[2] == "%24fields=a%2Cb"
        assert "org" in sent.partition("?")[0]
        assert "%25" not in sent


async def test_headers_keep_their_order_both_ways(serve: Serve) -> None:
    """Repeated names too; credentials and what belongs to a hop stay behind."""
    sent: list[Header] = [(b"x-b", b"1"), AUTHORIZED, (b"x-a", b"2"), (b"anthropic-beta", b"new-1"), (b"x-b", b"3")]
    answered: list[Header] = [*JSON, (b"x-z", b"1"), (b"x-y", b"2"), (b"set-cookie", b"c=1"), (b"x-z", b"3")]
    async with serve(account("a")) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply], answered)
        response = await front.ask("POST", CHAT.path, CHAT.body, sent)
        command = front.upstream.calls[0].command
    seen = [pair for pair in command.headers if pair[0] in {b"x-a", b"x-b", b"anthropic-beta"}]
    assert seen == [pair for pair in sent if pair is not AUTHORIZED]
    assert not [name for name, _ in command.headers if name in {b"authorization", b"content-length", b"host"}]
    assert [pair for pair in response.headers if pair[0] in {b"x-y", b"x-z"}] == [answered[1], answered[2], answered[4]]
    assert response.header(b"set-cookie") is None


async def test_every_response_has_a_request_id(serve: Serve) -> None:
    """Ours, unless the provider sent one; ours is the log line's in any case."""
    async with serve(account("a")) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply])
        plain = await front.ask("POST", CHAT.path, CHAT.body)
        front.upstream.replies["a"] = Reply([CHAT.reply], [*JSON, (b"x-request-id", b"req_theirs")])
        theirs = await front.ask("POST", CHAT.path, CHAT.body)
        refused = await front.ask("GET", "/nothing")
    ids = [response.header(b"x-gephyr-request-id") for response in (plain, theirs, refused)]
    assert [record["id"].encode() for record in front.records] == ids
    assert len(set(ids)) == 3
    shown = [response.header(b"x-request-id") for response in (plain, theirs, refused)]
    assert shown == [ids[0], b"req_theirs", ids[2]]


async def test_models_come_from_the_configuration(serve: Serve) -> None:
    """In the client's shape, without a call."""
    async with serve(account("a", models=["m-1"])) as front:
        openai = (await front.ask("GET", "/v1/models?limit=1000")).json()
        anthropic = (await front.ask("GET", "/v1/models", None, [AUTHORIZED, (b"anthropic-version", b"1")])).json()
        gemini = (await front.ask("GET", "/v1beta/models")).json()
        assert [model["id"] for model in openai["data"]] == ["m-1"]
        assert [(model["id"], model["type"]) for model in anthropic["data"]] == [("m-1", "model")]
        assert [model["name"] for model in gemini["models"]] == ["models/m-1"]
        assert not front.upstream.calls


async def test_a_probe_is_answered_without_a_key(serve: Serve) -> None:
    """``HEAD /``, as Claude Code sends it."""
    async with serve(account("a")) as front:
        response = await front.ask("HEAD", "/", None, ())
        assert (response.status, response.body) == (200, b"")


async def test_health_is_told(serve: Serve) -> None:
    """From loopback without a key, as ``GET`` and as ``HEAD``."""
    async with serve(account("a")) as front:
        full = await front.ask("GET", "/health", None, ())
        bare = await front.ask("HEAD", "/health", None, ())
        assert (full.status, full.json()) == (200, {"status": "ok"})
        assert (bare.status, bare.body, bare.header(b"content-length")) == (200, b"", b"%d" % len(full.body))


async def test_a_page_of_another_origin_may_ask_where_that_is_allowed(serve: Serve) -> None:
    """The preflight needs no key; the answer to the request itself names the origin, an error's too."""
    origin = (b"origin", b"https://app.test")
    ask = (b"access-control-request-method", b"POST")
    async with serve(account("a"), cors={"origins": ["https://app.test"]}) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply])
        preflight = await front.ask("OPTIONS", CHAT.path, None, [origin, ask])
        answer = await front.ask("POST", CHAT.path, CHAT.body, [AUTHORIZED, origin])
        refusal = await front.ask("POST", CHAT.path, CHAT.body, [origin])
        stranger = await front.ask("OPTIONS", CHAT.path, None, [(b"origin", b"https://other.test"), ask])
    assert (preflight.status, preflight.body, answer.status, refusal.status) == (204, b"", 200, 401)
    for response in (preflight, answer, refusal):
        allowed = [value for name, value in response.headers if name == b"access-control-allow-origin"]
        assert allowed == [b"https://app.test"], "browsers refuse what stands twice"
        assert b"origin" in (response.header(b"vary") or b"")
    assert stranger.header(b"access-control-allow-origin") is None


async def test_metrics_count_the_requests(serve: Serve) -> None:
    """The page is behind auth, and answers by way of the core."""
    async with serve(account("a")) as front:
        assert (await front.ask("GET", "/metrics", None, ())).status == 401
        page = await front.ask("GET", "/metrics")
        assert page.header(b"content-type") is not None
        assert b"gephyr_open_exchanges 1.0" in page.body
