"""What the readers take from events and replies: ids, usage, ends, objects, errors."""

import hashlib
import json
from typing import Any

import pytest
from provider_events import chunk, gemini, reader, sse

from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import EventClass
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage


@pytest.mark.parametrize(
    ("name", "event", "reply_id"),
    [
        ("openai-chat", sse(chunk(role="assistant")), "c1"),
        ("openai-responses", sse({"type": "response.created", "response": {"id": "r1"}}), "r1"),
        ("anthropic", sse({"type": "message_start", "message": {"id": "m1"}}), "m1"),
        ("gemini", sse(gemini({"text": "a"})), "g1"),
    ],
)
def test_the_reply_id_is_the_providers(name: str, event: bytes, reply_id: str) -> None:
    """Taken from the first event that tells it."""
    opened = reader(name)
    opened.classify(event)
    assert opened.reply_id == reply_id


@pytest.mark.parametrize(
    ("name", "payload", "usage"),
    [
        (
            "openai-chat",
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 10,
                    "completion_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            },
            Usage(10, 4, 3, 5, 2),
        ),
        (
            "openai-responses",
            {
                "type": "response.completed",
                "response": {
                    "usage": {
                        "input_tokens": 10,
                        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                        "output_tokens": 5,
                        "output_tokens_details": {"reasoning_tokens": 2},
                    }
                },
            },
            Usage(10, 4, 3, 5, 2),
        ),
        (
            "gemini",
            gemini({"text": "a"})
            | {
                "usageMetadata": {
                    "promptTokenCount": 8,
                    "toolUsePromptTokenCount": 2,
                    "cachedContentTokenCount": 4,
                    "candidatesTokenCount": 3,
                    "thoughtsTokenCount": 2,
                }
            },
            Usage(10, 4, None, 5, 2),
        ),
    ],
)
def test_usage_is_read_while_content_is_relayed(name: str, payload: object, usage: Usage) -> None:
    """Input counts everything that was read, output everything that was written."""
    watched = reader(name)
    watched.cut(sse(payload))
    assert watched.usage == usage


def test_anthropic_usage_is_merged_from_start_and_delta() -> None:
    """The delta is cumulative and replaces only the counts it repeats; input is the sum of the three."""
    watched = reader("anthropic")
    start = {"input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 5, "output_tokens": 1}
    watched.classify(sse({"type": "message_start", "message": {"id": "m", "usage": start}}))
    watched.cut(sse({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 20}}))
    assert watched.usage == Usage(12, 4, 5, 20)
    late = {"cache_read_input_tokens": 6, "output_tokens": 21, "output_tokens_details": {"thinking_tokens": 7}}
    watched.cut(sse({"type": "message_delta", "delta": {}, "usage": late}))
    assert watched.usage == Usage(14, 6, 5, 21, 7)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("openai-chat", chunk(content='say "usage": {"prompt_tokens": 3} and [DONE] and "error": {}')),
        ("openai-chat", chunk(content="usage")),
        ("openai-chat", chunk(content="[DONE]")),
        ("openai-responses", {"type": "response.output_text.delta", "delta": "response"}),
        ("openai-responses", {"type": "response.output_text.delta", "delta": "error"}),
        ("anthropic", {"type": "content_block_delta", "delta": {"text": 'message_stop "type": "error"'}}),
        ("anthropic", {"type": "content_block_delta", "delta": {"text": "error"}}),
        ("gemini", gemini({"text": "finishReason"})),
        ("gemini", gemini({"functionCall": {"name": "f", "args": {"usageMetadata": {"promptTokenCount": 1}}}})),
        ("gemini", gemini({"functionCall": {"name": "f", "args": {"finishReason": "x", "error": {"code": 1}}}})),
    ],
)
def test_markers_inside_content_are_not_believed(name: str, payload: object) -> None:
    """A marker only says where to look; what is there decides."""
    watched = reader(name)
    event = sse(payload)
    assert watched.cut(event) == event
    assert (watched.terminal_seen, watched.error, watched.usage) == (False, None, None)


def test_a_call_with_arguments_of_that_name_does_not_hide_geminis_usage() -> None:
    """Usage that was told before is kept although a later event only seems to tell some."""
    watched = reader("gemini")
    watched.cut(sse({"usageMetadata": {"promptTokenCount": 7}}))
    watched.cut(sse(gemini({"functionCall": {"name": "f", "args": {"usageMetadata": {"promptTokenCount": 1}}}})))
    assert watched.usage == Usage(input=7)


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("openai-chat", b"data: [DONE]\n\n"),
        ("openai-chat", b"data:[DONE]\r\n\r\n"),
        ("openai-completions", b"data: [DONE]\n\n"),
        ("openai-responses", sse({"type": "response.completed", "response": {"id": "r"}})),
        ("openai-responses", sse({"type": "response.incomplete", "response": {"id": "r"}})),
        ("anthropic", sse({"type": "message_stop"}, "message_stop")),
        ("gemini", sse({**gemini(finishReason="STOP"), "usageMetadata": {"promptTokenCount": 7}})),
    ],
)
def test_the_terminal_is_seen_however_it_comes(name: str, event: bytes) -> None:
    """In the middle of a block, split from the rest, or without its last empty line."""
    filler = sse({"type": "ping"})
    block, classified, tail = reader(name), reader(name), reader(name)
    block.cut(filler + event + filler)
    classified.classify(event)
    tail.cut(filler + event.rstrip())
    assert not tail.terminal_seen
    assert tail.rest() == event.rstrip()
    assert block.terminal_seen
    assert classified.terminal_seen
    assert tail.terminal_seen


def test_responses_objects_are_told_once() -> None:
    """The response, its conversation, and the digest of each encrypted item; the end repeats the items."""
    watched = reader("openai-responses")
    response = {"id": "resp_1", "store": True, "conversation": {"id": "conv_1"}, "output": []}
    item = {"type": "reasoning", "encrypted_content": "gAAA"}
    digest = hashlib.sha256(b"gAAA").hexdigest()
    watched.classify(sse({"type": "response.created", "response": response}))
    watched.classify(sse({"type": "response.output_item.added", "item": item | {"encrypted_content": "g"}}))
    assert watched.objects == ["resp_1", "conv_1"]
    watched.objects.clear()
    watched.cut(sse({"type": "response.output_item.done", "item": item}))
    watched.cut(sse({"type": "response.completed", "response": response | {"output": [item]}}))
    assert watched.objects == [digest]


@pytest.mark.parametrize(
    ("reply", "objects"),
    [
        ({"object": "response", "id": "resp_1", "store": True}, ["resp_1"]),
        ({"object": "response", "id": "resp_1", "store": False, "background": True}, ["resp_1"]),
        ({"object": "response", "id": "resp_1", "conversation": {"id": "conv_1"}}, ["resp_1", "conv_1"]),
        (
            {"object": "response", "id": "resp_1", "store": False, "output": [{"encrypted_content": "x"}]},
            [hashlib.sha256(b"x").hexdigest()],
        ),
        (
            {"object": "response.compaction", "id": "resp_2", "output": [{"encrypted_content": "x"}]},
            ["resp_2", hashlib.sha256(b"x").hexdigest()],
        ),
        ({"object": "conversation", "id": "conv_1"}, ["conv_1"]),
        ({"object": "response.deleted", "id": "resp_1"}, []),
        ({"object": "response.input_tokens", "input_tokens": 3}, []),
        ([], []),
    ],
)
def test_whole_replies_tell_their_objects(reply: object, objects: list[str]) -> None:
    """What is stored is pinned; what is not stored or is gone is not."""
    whole = DIALECTS["openai-responses"].read_whole(json.dumps(reply).encode(), generates=False)
    assert whole.objects == objects


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.parametrize("reply", [b"", b"<html>", b'{"usage": 1}', b'{"usage": ', b'["usage", "usageMetadata"]'])
def test_a_reply_without_usage_tells_none(name: str, reply: bytes) -> None:
    """And one that is no JSON object does no harm."""
    whole = DIALECTS[name].read_whole(reply, generates=False)
    assert (whole.usage, whole.objects) == (None, [])


@pytest.mark.parametrize(
    ("name", "payload", "kind", "code"),
    [
        ("anthropic", {"type": "overloaded_error"}, ErrorKind.OVERLOADED, "overloaded_error"),
        ("anthropic", {"type": "rate_limit_error"}, ErrorKind.RATE_LIMIT, "rate_limit_error"),
        ("anthropic", {"type": "invalid_request_error"}, ErrorKind.BAD_REQUEST, "invalid_request_error"),
        (
            "anthropic",
            {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}},
            ErrorKind.MONEY,
            "rate_limit_error",
        ),
        (
            "anthropic",
            {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"},
            ErrorKind.CONTEXT_TOO_LONG,
            "invalid_request_error",
        ),
        ("openai-chat", {"code": "rate_limit_exceeded"}, ErrorKind.RATE_LIMIT, "rate_limit_exceeded"),
        ("openai-chat", {"type": "insufficient_quota", "code": None}, ErrorKind.MONEY, "insufficient_quota"),
        ("openai-chat", {"code": 429, "message": "slow"}, ErrorKind.RATE_LIMIT, "429"),
        ("openai-chat", {"code": "502"}, ErrorKind.BAD_GATEWAY, "502"),
        ("openai-chat", "Input is too long", ErrorKind.SERVER, None),
        ("openai-responses", {"code": "server_is_overloaded"}, ErrorKind.OVERLOADED, "server_is_overloaded"),
        ("openai-responses", {"code": "slow_down"}, ErrorKind.OVERLOADED, "slow_down"),
        (
            "openai-responses",
            {"code": "context_length_exceeded"},
            ErrorKind.CONTEXT_TOO_LONG,
            "context_length_exceeded",
        ),
        ("gemini", {"code": 429, "status": "RESOURCE_EXHAUSTED"}, ErrorKind.RATE_LIMIT, "RESOURCE_EXHAUSTED"),
        ("gemini", {"code": 503, "status": "UNAVAILABLE"}, ErrorKind.OVERLOADED, "UNAVAILABLE"),
        ("gemini", {"code": 500}, ErrorKind.SERVER, "500"),
        (
            "gemini",
            {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]},
            ErrorKind.CREDENTIAL,
            "INVALID_ARGUMENT",
        ),
    ],
)
def test_a_providers_error_event_is_understood(name: str, payload: Any, kind: ErrorKind, code: str | None) -> None:
    """Before the commit point and after it, whether or not the event has a name."""
    event = sse({"type": "error", "error": payload})
    classified, watched = reader(name), reader(name)
    assert classified.classify(event) is EventClass.ERROR
    assert watched.cut(sse({"type": "ping"}) + b"event: error\n" + event + event) == sse({"type": "ping"})
    assert json.loads(watched.parting.removeprefix(b"event: error\n").removeprefix(b"data: ")) == json.loads(event[6:])
    assert classified.error == watched.error
    assert watched.error is not None
    assert (watched.error.kind, watched.error.code) == (kind, code)
    assert watched.terminal_seen


def test_a_failed_response_tells_its_error() -> None:
    """The event is the terminal and the error in one."""
    watched = reader("openai-responses")
    error = {"code": "rate_limit_exceeded", "message": "wait"}
    watched.cut(sse({"type": "response.failed", "response": {"id": "r", "error": error}}))
    assert watched.error is not None
    assert (watched.error.kind, watched.error.message) == (ErrorKind.RATE_LIMIT, "wait")


@pytest.mark.parametrize("end", [b"\n\n", b"\n", b""])
def test_geminis_bare_error_object_is_understood(end: bytes) -> None:
    """Google's servers send it without ``data:``, over several lines, and not always with an empty line after it."""
    bare = b'{\n  "error": {\n    "code": 503,\n    "message": "m",\n    "status": "UNAVAILABLE"\n  }\n}' + end
    watched = reader("gemini")
    before = sse(gemini({"text": "a"}))
    assert watched.cut(before + bare) == before
    assert watched.rest() == b""
    assert watched.parting == bare.rstrip().replace(b"\n", b" ") + b"\n"
    assert watched.error is not None
    assert watched.error.kind is ErrorKind.OVERLOADED


def test_comments_never_reach_a_gemini_client() -> None:
    """Before the commit point and after it alike; Google's Python SDK raises on them."""
    stream = b": hello\n\n" + sse(gemini({"text": "a: b"})) + b":\r\n" + sse(gemini({"text": "c"})) + b": cut"
    relayed = b"\n" + sse(gemini({"text": "a: b"})) + sse(gemini({"text": "c"}))
    cutter, splitter = reader("gemini"), reader("gemini")
    assert cutter.cut(stream) + cutter.rest() == relayed
    assert b"".join(splitter.split(stream)) + splitter.rest() == relayed


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - {"gemini"}))
def test_comments_reach_every_other_client(name: str) -> None:
    """Nothing is taken out of what is relayed."""
    stream = b": OPENROUTER PROCESSING\n\n" + sse({"type": "ping"})
    assert reader(name).cut(stream) == stream


def test_an_error_in_an_array_is_understood() -> None:
    """The array form's own way to fail inside a 200."""
    array = DIALECTS["gemini"].stream_reader(max_line=1 << 20, array=True)
    assert array.classify(b'[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}') is EventClass.ERROR
    assert array.error is not None
    assert array.error.kind is ErrorKind.RATE_LIMIT
