"""A stream where a whole reply was asked for, and the other way: the bytes tell, whatever the head says."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.commands import (
    CallUpstream,
    CancelUpstream,
    DetachUpstream,
    EndResponse,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.config import UpstreamConfig
from gephyr_core.events import TimePassed
from gephyr_core.http import Header, header
from gephyr_core.reply_form import Form, FormSeeker
from tests.core.play import JSON, SSE, Play, account
from tests.core.provider_events import chunk, gemini, sse
from tests.core.replies_of_200 import DONE, FINISH, OUTPUT, SIDES
from tests.core.test_replies_of_200 import PAIRS, accounts_for, asked

TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
HEADS: list[list[Header]] = [SSE, JSON, TEXT, []]
BEFORE = [b"", b"\n\n", b" \r\n", b": comment\n\n", b":\r\n\r\n: OPENROUTER PROCESSING\n\n", b"\xef\xbb\xbf"]
"""What may come before a stream."""
ARRAY = "/v1beta/models/m:streamGenerateContent"


def answered(play: Play, call: CallUpstream, pieces: Iterable[bytes], headers: list[Header]) -> tuple[Any, bytes]:
    """Feed a provider's answer; return the client's head and body, which ended the response."""
    got: list[Any] = list(play.head(call, headers=headers))
    play.unclaimed = []
    for piece in pieces:
        got += play.body(call, piece)
        play.unclaimed = []
    if not any(isinstance(command, EndResponse) for command in got):
        got += play.end(call)
        play.unclaimed = []
    got = [command for command in got if not isinstance(command, Save | CancelUpstream | DetachUpstream)]
    kinds = [type(command) for command in got]
    assert (kinds[0], kinds[-1]) == (StartResponse, EndResponse)
    assert set(kinds[1:-1]) <= {SendBody}
    play.finish()
    return got[0], b"".join(command.data for command in got[1:-1])


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("headers", HEADS)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_stream_is_collected_where_a_whole_reply_was_asked_for(pair: tuple[str, str], headers: list[Header]) -> None:
    """DeepSeek answers so. One JSON reply comes of it, in one dialect and in another."""
    play = accounts_for(*pair, ("a",))
    stream = SIDES[pair[1]].good_stream
    start, body = answered(play, asked(play, SIDES[pair[0]], stream=False), [stream], headers)
    assert (start.status, header(start.headers, b"content-type")) == (200, b"application/json")
    assert header(start.headers, b"content-length") == b"%d" % len(body)
    assert "Well" in str(json.loads(body))
    assert play.records[0].outcome == "ok"


@pytest.mark.parametrize("headers", HEADS)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_stream_is_relayed_whatever_its_head_says(pair: tuple[str, str], headers: list[Header]) -> None:
    play = accounts_for(*pair, ("a",))
    stream = SIDES[pair[1]].good_stream
    start, body = answered(play, asked(play, SIDES[pair[0]], stream=True), cut(stream, 7), headers)
    assert (start.status, header(start.headers, b"content-type").partition(b";")[0]) == (200, b"text/event-stream")
    if pair[0] == pair[1]:
        assert body == stream
    assert b"Well" in body
    assert len(play.records[0].attempts) == 1


@pytest.mark.parametrize("headers", HEADS)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_whole_reply_becomes_a_stream_where_one_was_asked_for(pair: tuple[str, str], headers: list[Header]) -> None:
    """Read as a provider's stream, it tells the same."""
    play = accounts_for(*pair, ("a",))
    reply = json.dumps(SIDES[pair[1]].good, indent=1).encode()
    start, body = answered(play, asked(play, SIDES[pair[0]], stream=True), cut(reply, 11), headers)
    assert (start.status, header(start.headers, b"content-type").partition(b";")[0]) == (200, b"text/event-stream")
    again = accounts_for(pair[0], pair[0], ("a",))
    _, whole = answered(again, asked(again, SIDES[pair[0]], stream=False), [body], SSE)
    assert "Well" in str(json.loads(whole))
    assert play.records[0].outcome == "ok"


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", SIDES)
def test_what_comes_before_a_stream_does_not_hide_it(name: str, stream: bool, before: bytes) -> None:
    """White space, comments and a byte order mark, one byte at a time, under a head that says something else."""
    play = accounts_for(name, name, ("a",))
    sent = cut(before + SIDES[name].good_stream, 1)
    start, body = answered(play, asked(play, SIDES[name], stream=stream), sent, JSON)
    kind = b"text/event-stream" if stream else b"application/json"
    assert header(start.headers, b"content-type").partition(b";")[0] == kind
    assert b"Well" in body


@pytest.mark.parametrize("before", [b"", b"\n\n \r\n", b": comment\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_comes_before_a_whole_reply_does_not_hide_it(before: bytes, stream: bool) -> None:
    """OpenRouter sends white space while a model thinks. What no JSON has is left out."""
    play = Play(account("a"))
    sent = cut(before + json.dumps(SIDES["openai-chat"].good).encode(), 1)
    _, body = answered(play, asked(play, SIDES["openai-chat"], stream=stream), sent, SSE)
    assert b"Well" in body
    if not stream:
        assert json.loads(body) == SIDES["openai-chat"].good


def test_a_collected_reply_keeps_what_nobody_here_knows() -> None:
    """Members of chunks, of choices and of messages, several choices, calls that interleave; usage counts."""
    chunks = [
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "x_top": 1, "obfuscation": "zz"},
        {"choices": [{"index": 1, "delta": {"role": "assistant", "content": "b", "x_text": "1"}}]},
        {"choices": [{"index": 0, "delta": {"content": "a", "x_list": [1]}, "x_choice": {"k": 1}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "t0", "type": "function"}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 1, "id": "t1", "function": {"name": "g"}}]}}]},
        {
            "choices": [
                {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]}}
            ]
        },
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}}]},
        {"choices": [{"index": 1, "delta": {"content": "!", "x_text": "2"}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {"x_list": [2]}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "x_usage": 5}},
    ]
    play = Play(account("a"))
    call = asked(play, SIDES["openai-chat"], stream=False)
    _, body = answered(play, call, [b"".join(map(sse, chunks)) + DONE], SSE)
    calls = [
        {"id": "t0", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "t1", "function": {"name": "g"}},
    ]
    first = {"role": "assistant", "content": "a", "x_list": [1, 2], "tool_calls": calls}
    second = {"role": "assistant", "content": "b!", "x_text": "12"}
    assert json.loads(body) == {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "x_top": 1,
        "choices": [
            {"index": 0, "message": first, "finish_reason": "tool_calls", "x_choice": {"k": 1}},
            {"index": 1, "message": second, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "x_usage": 5},
    }
    assert (play.records[0].usage.input, play.records[0].usage.output) == (3, 4)


def test_a_collected_message_keeps_its_blocks() -> None:
    """Signatures, citations, inputs and members of tomorrow; the end's counts replace those of the start."""
    events = [
        {"type": "message_start", "message": {"id": "m", "type": "message", "usage": {"input_tokens": 3}, "x": 1}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "so"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQ="}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "", "citations": None}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {"url": "u"}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "b"}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "input": {}}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
        {"type": "content_block_start", "index": 3, "content_block": {"type": "of_next_year", "y": [1]}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}, "z": 2},
        {"type": "message_stop"},
    ]
    play = Play(account("a", "anthropic"))
    call = asked(play, SIDES["anthropic"], stream=False)
    _, body = answered(play, call, [b"".join(sse(event, str(event["type"])) for event in events)], JSON)
    assert json.loads(body) == {
        "id": "m",
        "type": "message",
        "x": 1,
        "z": 2,
        "content": [
            {"type": "thinking", "thinking": "so", "signature": "EqQ="},
            {"type": "text", "text": "ab", "citations": [{"url": "u"}]},
            {"type": "tool_use", "id": "t", "input": {"a": 1}},
            {"type": "of_next_year", "y": [1]},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 9},
    }


def test_a_response_whose_last_event_leaves_its_output_out_has_that_of_its_items() -> None:
    last = {"id": "resp_1", "object": "response", "status": "completed", "output": [], "x": 1}
    events = [
        {"type": "response.created", "response": {**last, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": OUTPUT[0]},
        {"type": "response.completed", "response": last},
    ]
    play = Play(account("a"))
    _, body = answered(play, asked(play, SIDES["openai-responses"], stream=False), [b"".join(map(sse, events))], SSE)
    assert json.loads(body) == {**last, "output": OUTPUT}


def test_a_collected_response_is_found_again_where_it_was_made() -> None:
    play = Play(account("a"), account("b"))
    call = play.request(json.dumps(SIDES["openai-responses"].body).encode(), "/v1/responses", credentials=("k",))
    answered(play, call, [SIDES["openai-responses"].good_stream], SSE)
    got = play.request(b"", "/v1/responses/resp_1", method="GET", credentials=("k",))
    assert got.account == call.account


@pytest.mark.parametrize(
    "half",
    [
        sse(chunk(role="assistant", content="")) + sse(chunk(content="Hal")),
        sse(chunk(content="Hal")) + sse({"error": {"code": 429, "message": "slow"}}),
        sse(chunk(content="Hal")) + b'data: {"choices":[{"del',
    ],
)
@pytest.mark.parametrize("pair", [("openai-chat", "openai-chat"), ("anthropic", "openai-chat")])
def test_half_a_stream_is_no_whole_reply(pair: tuple[str, str], half: bytes) -> None:
    """The client has seen nothing of it: the next account answers."""
    play = accounts_for(*pair, ("a", "b"))
    call = asked(play, SIDES[pair[0]], stream=False)
    play.head(call, headers=SSE)
    play.expect()
    if not play.body(call, half):
        play.end(call)
    [second] = [command for command in play.unclaimed if isinstance(command, CallUpstream)]
    play.unclaimed = []
    _, body = answered(play, second, [SIDES["openai-chat"].good_stream], SSE)
    assert b"Well" in body


def test_a_collected_reply_does_not_wait_for_its_connection() -> None:
    """The last event of the stream is the end, whatever the provider does with its socket."""
    play = Play(account("a"))
    call = asked(play, SIDES["openai-chat"], stream=False)
    play.head(call, headers=SSE)
    play.expect()
    kinds = {type(command) for command in play.body(call, SIDES["openai-chat"].good_stream)}
    play.unclaimed = []
    assert {StartResponse, SendBody, EndResponse} <= kinds
    play.finish()


def test_a_whole_reply_goes_on_with_a_stream_that_a_keep_alive_began() -> None:
    """The head was sent; legacy Completions, which no provider is asked in by a translation, too."""
    for name in ("openai-chat", "openai-completions"):
        play = accounts_for(name, name, ("a",))
        call = asked(play, SIDES[name], stream=True)
        play.wait()
        play.expect(StartResponse, SendBody)
        play.answer(call, json.dumps(SIDES[name].good).encode())
        sent, _ = play.expect(SendBody, EndResponse)
        assert b"Well" in sent.data
        assert sent.data.endswith(DONE)


# -- Gemini's two forms ----------------------------------------------------------------------------------------------

PARTS = [gemini({"text": "We"}), gemini({"text": "ll\n[{"}, finishReason="STOP")]
AS_EVENTS = b"".join(map(sse, PARTS))
AS_ARRAY = json.dumps(PARTS, indent=2).encode()


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("came", [AS_EVENTS, AS_ARRAY])
@pytest.mark.parametrize("headers", HEADS)
def test_geminis_client_gets_the_form_it_asked_for(came: bytes, headers: list[Header], size: int) -> None:
    body = json.dumps(SIDES["gemini"].body).encode()
    play = Play(account("a", "gemini"))
    start, data = answered(play, play.request(body, f"{ARRAY}?alt=sse"), cut(came, size), headers)
    assert header(start.headers, b"content-type").partition(b";")[0] == b"text/event-stream"
    events = [event for event in data.split(b"\n\n") if event]
    assert [json.loads(event.removeprefix(b"data: ")) for event in events] == PARTS
    play = Play(account("a", "gemini"))
    start, data = answered(play, play.request(body, ARRAY), cut(came, size), headers)
    assert header(start.headers, b"content-type").partition(b";")[0] == b"application/json"
    assert json.loads(data) == PARTS


@pytest.mark.parametrize("came", [AS_EVENTS, AS_ARRAY])
@pytest.mark.parametrize("client", ["gemini", "openai-chat"])
def test_geminis_streams_are_collected_in_both_forms(came: bytes, client: str) -> None:
    play = accounts_for(client, "gemini", ("a",))
    _, body = answered(play, asked(play, SIDES[client], stream=False), cut(came, 9), JSON)
    assert "Well" in str(json.loads(body))


@pytest.mark.parametrize("stream", [False, True])
def test_an_array_is_a_stream_in_geminis_dialect_alone(stream: bool) -> None:
    play = Play(account("a"))
    start, _ = answered(play, asked(play, SIDES["openai-chat"], stream=stream), [json.dumps([FINISH]).encode()], JSON)
    assert start.status == 502


def test_a_whole_reply_becomes_an_array_of_one() -> None:
    play = Play(account("a", "gemini"))
    call = play.request(json.dumps(SIDES["gemini"].body).encode(), ARRAY)
    _, body = answered(play, call, [json.dumps(SIDES["gemini"].good).encode()], JSON)
    assert json.loads(body) == [SIDES["gemini"].good]


# -- finding the form ------------------------------------------------------------------------------------------------

BODIES = {
    b"{}": Form.OBJECT,
    b'[{"a":1}]': Form.ARRAY,
    b"data: x\n": Form.EVENTS,
    b"data\n": Form.EVENTS,
    b"event:x\n": Form.EVENTS,
    b"id: 7\n": Form.EVENTS,
    b"retry: 7\n": Form.EVENTS,
    b"<html>": Form.OTHER,
    b"database": Form.OTHER,
    b"dat\n": Form.OTHER,
    b"7": Form.OTHER,
    b"null": Form.OTHER,
}


@given(st.sampled_from(sorted(BODIES)), st.lists(st.sampled_from([b" ", b"\r\n", b"\n", b": c\n", b":\r"])), st.data())
def test_the_form_does_not_depend_on_where_a_body_is_cut(body: bytes, before: list[bytes], data: st.DataObject) -> None:
    """Nor on what comes before it; and where it begins is known."""
    head = b"".join(before)
    whole = head + body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    seeker, found = FormSeeker(), None
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found = found or seeker.look(whole[begin:end])
    assert found is BODIES[body]
    assert whole[seeker.offset :].startswith(body[:1])
    assert seeker.offset == len(head)
    assert seeker.commented == (b":" in head)


@pytest.mark.parametrize("start", [b"", b" \n", b": a comment without an end", b"dat", b"event", b"\xef\xbb"])
def test_a_form_that_cannot_be_told_yet_is_not_guessed(start: bytes) -> None:
    assert FormSeeker().look(start) is None


def test_an_endless_beginning_is_bounded() -> None:
    """White space for ever is silence: it commits nothing, is not held without bound, and ends as silence does."""
    play = Play(account("a"))
    call = asked(play, SIDES["openai-chat"], stream=True)
    play.head(call, headers=SSE)
    play.expect()
    for _ in range(32):
        play.body(call, b"\n" * 65536)
        play.expect()
    assert play.gateway.buffered_bytes < 1 << 20
    while play.gateway.open_exchanges:
        play.wait()
        play.unclaimed = []
    assert play.now == 1000.0 + play.config.upstream.first_byte_timeout
    assert play.records[0].attempts[0].outcome == "timeout"


@pytest.mark.parametrize("before", [b"", b"\n", b"\xef\xbb\xbf", b": OPENROUTER PROCESSING\n\n"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_whole_reply_that_has_begun_may_take_its_time(before: bytes, stream: bool) -> None:
    """The limit of the first event holds for streams: a reply that is none is under way from its first byte on."""
    limits = UpstreamConfig(first_byte_timeout=2, idle_timeout=10, total_timeout=100)
    play = Play(account("a"), upstream=limits)
    call = asked(play, SIDES["openai-chat"], stream=stream)
    play.head(call, headers=JSON)
    play.expect()
    whole = before + json.dumps(SIDES["openai-chat"].good).encode()
    at = len(before) + 5
    play.body(call, whole[:at])
    play.expect()
    play.feed(TimePassed(), at=play.now + 5)
    play.unclaimed = []
    assert not play.records
    play.body(call, whole[at:])
    play.end(call)
    assert any(b"Well" in command.data for command in play.unclaimed if isinstance(command, SendBody))
    assert [attempt.outcome for attempt in play.records[0].attempts] == ["ok"]
