"""Errors as clients get them: whole replies, and the one event that ends a stream."""

import json
from typing import Any

import pytest

from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import EventClass, RenderedError
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.sse import parse

OPENAI = ("openai-chat", "openai-completions", "openai-responses")
PROBLEM = Problem(ErrorKind.RATE_LIMIT, "all accounts are limited", retry_after=2.2)


def rendered(name: str, kind: ErrorKind, **more: Any) -> RenderedError:
    return DIALECTS[name].render_error(Problem(kind, "why", **more), "req_1")


def failure(name: str, *before: bytes, array: bool = False, now: float = 0.0) -> bytes:
    reader = DIALECTS[name].stream_reader(max_line=1 << 20, array=array)
    for event in before:
        reader.classify(event)
    return reader.failure(PROBLEM, now)


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_kind_renders_in_every_dialect(name: str, kind: ErrorKind) -> None:
    """With the kind's status, but for the two that a dialect tells otherwise."""
    reply = rendered(name, kind)
    expected = kind.http_status
    if kind is ErrorKind.OVERLOADED and name == "anthropic":
        expected = 529
    if kind is ErrorKind.MONEY and name in OPENAI:
        expected = 429
    assert reply.status == expected
    assert (b"content-type", b"application/json") in reply.headers
    told_by_words = name == "anthropic" and kind is ErrorKind.CONTEXT_TOO_LONG
    assert json.loads(reply.body)["error"]["message"] == ("prompt is too long: why" if told_by_words else "why")


@pytest.mark.parametrize("name", OPENAI)
def test_openai_errors_have_all_four_members(name: str) -> None:
    """The shape that OpenAI documents, null where there is nothing to say."""
    reply = rendered(name, ErrorKind.BAD_REQUEST, param="model")
    assert json.loads(reply.body) == {
        "error": {"message": "why", "type": "invalid_request_error", "param": "model", "code": None}
    }


def test_anthropic_errors_carry_the_request_id() -> None:
    """In the body and in the header where its SDK looks."""
    reply = rendered("anthropic", ErrorKind.OVERLOADED)
    assert json.loads(reply.body) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "why"},
        "request_id": "req_1",
    }
    assert (b"request-id", b"req_1") in reply.headers


def test_gemini_errors_tell_the_wait_in_their_details() -> None:
    """Google's clients read RetryInfo and no header."""
    reply = rendered("gemini", ErrorKind.RATE_LIMIT, retry_after=1.5)
    assert json.loads(reply.body)["error"] == {
        "code": 429,
        "message": "why",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}],
    }


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.parametrize(
    ("retry_after", "headers"),
    [
        (None, {}),
        (0.2, {b"retry-after": b"1"}),
        (60.0, {b"retry-after": b"60"}),
        (60.5, {b"retry-after": b"61", b"x-should-retry": b"false"}),
    ],
)
def test_long_waits_are_not_to_be_retried(name: str, retry_after: float | None, headers: dict[bytes, bytes]) -> None:
    """Whole seconds, rounded up; above a minute an SDK must not sleep it."""
    found = dict(rendered(name, ErrorKind.RATE_LIMIT, retry_after=retry_after).headers)
    assert {key: found[key] for key in found if key in (b"retry-after", b"x-should-retry")} == headers


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_what_no_repeating_mends_is_not_to_be_retried(name: str, kind: ErrorKind) -> None:
    """As Anthropic tells it: without it, Claude Code repeats a 401 for three minutes before it shows it."""
    reply = rendered(name, kind)
    told = dict(reply.headers).get(b"x-should-retry")
    assert told == (b"false" if reply.status < 500 and reply.status not in (408, 409, 429) else None)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_problems_own_headers_are_sent(name: str) -> None:
    """A 405 names the methods that are allowed."""
    assert (b"allow", b"GET") in rendered(name, ErrorKind.METHOD, headers=((b"allow", b"GET"),)).headers


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_failure_reads_as_an_error_event_of_the_dialect(name: str) -> None:
    """What ends our streams is what we would take for a provider's error event."""
    reader = DIALECTS[name].stream_reader(max_line=1 << 20)
    assert next(reader.classify(event) for event in reader.split(failure(name) + b"\n")) is EventClass.ERROR
    assert reader.error is not None
    assert (reader.error.kind, reader.error.message) == (PROBLEM.kind, PROBLEM.message)
    assert reader.terminal_seen


def test_chat_fails_without_done() -> None:
    """``[DONE]`` after the error would make the reply look whole."""
    assert failure("openai-chat") == (
        b'data: {"error":{"message":"all accounts are limited","type":"rate_limit_error",'
        b'"param":null,"code":"rate_limit_exceeded"}}\n\n'
    )


def test_anthropic_fails_with_a_named_event() -> None:
    """Its SDK skips events without a name."""
    assert failure("anthropic").startswith(b"event: error\ndata: ")


def test_gemini_fails_with_the_bare_object() -> None:
    """One line, no ``data:``: the form on which both of Google's SDKs raise."""
    error = failure("gemini")
    assert json.loads(error)["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert error.count(b"\n") == 1
    assert error.endswith(b"}\n")


@pytest.mark.parametrize(
    "relayed",
    [
        [],
        [b'[{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}'],
        [
            b'[{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}',
            b'\n,{"candidates": [{"content": {"parts": [{"text": "b"}]}}]}',
        ],
    ],
)
def test_a_failing_array_is_still_json(relayed: list[bytes]) -> None:
    """The error is its last element, or its only one."""
    *_, last = json.loads(b"".join(relayed) + failure("gemini", *relayed, array=True))
    assert last["error"]["code"] == 429


def test_an_array_whose_opening_was_held_back_begins_with_the_error() -> None:
    """Nothing of the first element was sent, so nothing can be continued."""
    held = b'[{"usageMetadata": {"promptTokenCount": 2}}'
    assert json.loads(failure("gemini", held, array=True))[0]["error"]["code"] == 429


def test_a_failed_response_is_the_one_that_was_opened() -> None:
    """Id, model, time and every other member of the opening, and the number after the last one relayed."""
    opened = {
        "id": "resp_1",
        "model": "m",
        "created_at": 5,
        "status": "in_progress",
        "output": [],
        "metadata": {"a": "b"},
    }
    created = {"type": "response.created", "sequence_number": 0, "response": opened}
    reader = DIALECTS["openai-responses"].stream_reader(max_line=1 << 20)
    reader.classify(b"event: response.created\ndata: " + json.dumps(created).encode() + b"\n\n")
    reader.cut(b'data: {"type":"response.output_text.delta","sequence_number":7}\n\n' * 2 + b": comment\n\n")
    reader.cut(b": comment\n\n")
    event = parse(reader.failure(PROBLEM, now=99.0))
    failed = json.loads(event.data)
    assert event.event == failed["type"] == "response.failed"
    assert failed["sequence_number"] == 8
    error = {"code": "rate_limit_exceeded", "message": "all accounts are limited"}
    assert failed["response"].items() >= (opened | {"status": "failed", "error": error}).items()


def test_a_response_that_was_never_opened_fails_whole() -> None:
    """With every member that is required, at the time it was told."""
    failed = json.loads(parse(failure("openai-responses", now=99.5)).data)
    assert failed["sequence_number"] == 0
    assert failed["response"]["created_at"] == 99
    required = {"id", "created_at", "model", "object", "output", "parallel_tool_calls", "tool_choice", "tools"}
    assert failed["response"].keys() >= required


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_keepalives_are_whole_pieces_and_no_content(name: str) -> None:
    """They may stand at any boundary, and a provider's own are never the commit point."""
    reader = DIALECTS[name].stream_reader(max_line=1 << 20)
    pieces = reader.split(DIALECTS[name].keepalive)
    assert b"".join(pieces) == DIALECTS[name].keepalive
    assert {reader.classify(piece) for piece in pieces} == {EventClass.HELD}
