"""An error that a provider tells after content: it ends the client's stream, once, however the two were read."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from tests.core.play import SSE, Play, account
from tests.core.provider_events import chunk, gemini, sse
from tests.core.replies_of_200 import DONE, OPENED, SIDES
from tests.core.test_replies_of_200 import PAIRS, accounts_for, asked

LIMIT = "the limit is reached"
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
META = {"promptTokenCount": 7, "candidatesTokenCount": 2}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "So far"}}
ANTHROPIC_USAGE = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 7, "output_tokens": 2}}
RESPONSE = {"id": "r", "object": "response", "status": "in_progress", "output": []}
FAILED = {**RESPONSE, "status": "failed", "error": {"code": "rate_limit_exceeded", "message": LIMIT}}

CONTENT: dict[str, bytes] = {
    "openai-chat": sse({**chunk(content="So far"), "usage": USAGE}),
    "openai-completions": sse({"id": "c", "choices": [{"index": 0, "text": "So far"}], "usage": USAGE}),
    "openai-responses": sse({"type": "response.created", "sequence_number": 0, "response": RESPONSE})
    + sse({"type": "response.output_text.delta", "sequence_number": 1, "output_index": 0, "delta": "So far"}),
    "anthropic": OPENED + sse(BLOCK) + sse(DELTA) + sse(ANTHROPIC_USAGE),
    "gemini": sse(gemini({"text": "So far"}) | {"usageMetadata": META}),
}
GOOGLES = {"code": 429, "message": LIMIT, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "40s"}]}
ERRORS: dict[str, list[bytes]] = {
    "openai-chat": [
        sse({"error": {"message": LIMIT, "type": "rate_limit_error", "code": "rate_limit_exceeded"}}),
        sse(
            {"id": "c", "choices": [{"delta": {}, "finish_reason": "error"}], "error": {"code": 429, "message": LIMIT}}
        ),
        sse({"id": "c", "choices": [{"delta": {}, "error": {"code": 429, "message": LIMIT}}]}),
        b'{"error": {"code": 429, "message": "%b"}}\n\n' % LIMIT.encode(),
    ],
    "openai-completions": [sse({"error": {"message": LIMIT, "code": 429}})],
    "openai-responses": [
        sse({"type": "response.failed", "sequence_number": 2, "response": FAILED}),
        sse({"type": "error", "sequence_number": 2, "code": "rate_limit_exceeded", "message": LIMIT}),
    ],
    "anthropic": [
        sse({"type": "error", "error": {"type": "rate_limit_error", "message": LIMIT}}, "error"),
        sse({"type": "error", "error": {"type": "rate_limit_error", "message": LIMIT}}),
        sse({"error": {"code": 429, "type": "rate_limit_error", "message": LIMIT}}),
        b'{"error": {"type": "rate_limit_error", "message": "%b"}}\n' % LIMIT.encode(),
    ],
    "gemini": [
        sse({"error": GOOGLES}),
        json.dumps({"error": GOOGLES}).encode() + b"\n",
        json.dumps({"error": GOOGLES}, indent=2).encode(),
        json.dumps({"error": GOOGLES}).encode() + b"\n\n",
    ],
}
AFTER = [b"", DONE, sse({"type": "message_stop"}), b": comment\n\n", b"data: {half"]
"""What providers send behind an error."""
CASES = [(pair, error, after) for pair in PAIRS for error in ERRORS[pair[1]] for after in AFTER]


def bodies(play: Play, call: CallUpstream, pieces: list[bytes]) -> list[bytes]:
    """Feed a provider's stream; return what the client was sent in each write, to the end of its response."""
    got: list[Any] = list(play.head(call, headers=SSE))
    play.unclaimed = []
    for piece in pieces:
        got += play.body(call, piece)
        play.unclaimed = []
    if not any(isinstance(command, EndResponse) for command in got):
        got += play.end(call)
        play.unclaimed = []
    assert [type(command) for command in got].count(StartResponse) == 1
    play.finish()
    return [command.data for command in got if isinstance(command, SendBody)]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("pair", "error", "after"), CASES)
def test_an_error_after_content_is_the_end(pair: tuple[str, str], error: bytes, after: bytes, apart: bool) -> None:
    """Exactly one event tells it, and it is the last; the tokens that were told of before it count."""
    play = accounts_for(*pair, ("a", "b"))
    call = asked(play, SIDES[pair[0]], stream=True)
    content = CONTENT[pair[1]]
    sent = bodies(play, call, [content, error + after] if apart else [content + error + after])
    stream = b"".join(sent)
    assert b"So far" in stream
    assert stream.count(LIMIT.encode()) == 1
    assert LIMIT.encode() in sent[-1]
    assert DONE not in stream
    assert b"message_stop" not in stream
    [record] = play.records
    assert (record.outcome, record.error, record.status) == ("provider_error", "rate_limit", 200)
    assert len(record.attempts) == 1
    if pair[0] == pair[1] and pair[1] != "openai-responses":
        assert record.usage is not None
        assert (record.usage.input, record.usage.output) == (7, 2)


@pytest.mark.parametrize("name", ["openai-chat", "anthropic"])
def test_the_last_event_is_one_that_the_sdk_reads(name: str) -> None:
    """Anthropic's passes over events without a name, OpenAI's over what is no event: they would take the end for good."""
    for error in ERRORS[name]:
        play = accounts_for(name, name, ("a",))
        last = bodies(play, asked(play, SIDES[name], stream=True), [CONTENT[name] + error])[-1]
        assert last.startswith(b"event: error\ndata: {" if name == "anthropic" else b"data: {")
        assert last.endswith(b"\n\n")


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("provider", ["gemini", "openai-chat", "openai-responses", "anthropic"])
def test_geminis_clients_are_sent_the_bare_error_by_itself(provider: str, apart: bool) -> None:
    """Google's JavaScript SDK raises on nothing else."""
    for error in ERRORS[provider]:
        play = accounts_for("gemini", provider, ("a",))
        call = asked(play, SIDES["gemini"], stream=True)
        content = CONTENT[provider]
        sent = bodies(play, call, [content, error] if apart else [content + error])
        assert sent[-1].startswith(b"{")
        assert sent[-1].endswith(b"}\n")
        assert json.loads(sent[-1])["error"]["code"] == 429
        assert b'"error"' not in b"".join(sent[:-1])


@given(st.sampled_from(ERRORS["gemini"]), st.lists(st.integers(1, 400), max_size=6))
def test_the_bare_error_does_not_depend_on_where_a_stream_is_cut(error: bytes, cuts: list[int]) -> None:
    stream = CONTENT["gemini"] + error
    places = [0, *sorted(at for at in cuts if at < len(stream)), len(stream)]
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(places) if begin < end]
    play = Play(account("a", "gemini"))
    sent = bodies(play, asked(play, SIDES["gemini"], stream=True), pieces)
    assert json.loads(sent[-1]) == {"error": GOOGLES}
    assert b"".join(sent[:-1]) == CONTENT["gemini"]


def test_a_bare_error_ends_a_stream_whose_socket_stays_open() -> None:
    """No empty line follows it, and the provider need not close."""
    play = Play(account("a", "gemini"))
    call = asked(play, SIDES["gemini"], stream=True)
    play.head(call, headers=SSE)
    play.body(call, CONTENT["gemini"])
    play.unclaimed = []
    got = play.body(call, ERRORS["gemini"][1])
    assert isinstance(got[-1], EndResponse)
    play.unclaimed = []
    play.finish()


@pytest.mark.parametrize("provider", ["gemini", "openai-chat", "anthropic"])
def test_an_array_ends_with_the_error(provider: str) -> None:
    """It stays JSON, for a client that reads it at its end."""
    for error in ERRORS[provider]:
        play = accounts_for("gemini", provider, ("a",))
        body = json.dumps(SIDES["gemini"].body).encode()
        call = play.request(body, "/v1beta/models/m:streamGenerateContent")
        stream = CONTENT[provider] + error
        if provider == "gemini":
            first = CONTENT["gemini"].removeprefix(b"data: ").strip()
            stream = b"[" + first + b",\r\n" + json.dumps({"error": GOOGLES}).encode() + b"]"
        told = json.loads(b"".join(bodies(play, call, [stream])))
        assert "So far" in str(told[:-1])
        assert told[-1]["error"]["code"] == 429


def test_an_account_is_left_alone_for_the_time_that_an_error_after_content_tells() -> None:
    """As after a real 429 with that time."""
    play = Play(account("a", "gemini"))
    bodies(play, asked(play, SIDES["gemini"], stream=True), [CONTENT["gemini"] + ERRORS["gemini"][0]])
    [event] = [event for event in play.events if event.what == "cooldown"]
    assert event.until == play.now + 40
    refusal = play.refused(json.dumps(SIDES["gemini"].body).encode(), SIDES["gemini"].path)
    assert refusal.status == 429
