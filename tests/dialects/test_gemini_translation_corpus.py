"""Recorded Gemini traffic, read and written again."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from gemini_cases import CONTEXT, GEMINI, UNKNOWN, collected, deltas_of, read_stream, said, valid

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import Signature
from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.report import Fate, Report
from tests.recordings import traffic

pytestmark = pytest.mark.recordings


@cache
def recordings() -> tuple[dict[str, Any], ...]:
    return tuple(traffic.records("gemini-generate"))


def whole() -> Iterator[dict[str, Any]]:
    """Whole replies, and streams as an array."""
    found = (record for record in recordings() if record["status"] == 200 and record.get("response"))
    return (record for record in found if "_TOOL_CALL" not in json.dumps(record["response"]))


def streamed() -> Iterator[dict[str, Any]]:
    return (record for record in recordings() if record["status"] == 200 and "response_sse" in record)


def read(request: dict[str, Any], report: Report) -> Prompt | None:
    """Read a copy of *request*; None for one that Google refused too."""
    try:
        return GEMINI.read_request(json.loads(json.dumps(request)), report, model="m", stream=False)
    except FieldError:
        assert "invalid_role" in json.dumps(request)
        return None


def test_every_recorded_request_is_the_same_when_written_and_read_again() -> None:
    """Writing brings turns into the order that Google wants; from then on nothing changes any more."""
    same = compared = 0
    for record in recordings():
        prompt = read(record["request"], Report())
        if prompt is None:
            continue
        written = GEMINI.write_request(prompt, UNKNOWN, Report()).body
        again = read(written, Report())
        assert again is not None
        assert GEMINI.write_request(again, UNKNOWN, Report()).body == written, record["id"]
        assert sorted(map(repr, again.tools)) == sorted(map(repr, prompt.tools))
        assert (again.sampling, again.reasoning, again.output) == (prompt.sampling, prompt.reasoning, prompt.output)
        assert said(again) == said(prompt), record["id"]
        same += again == prompt
        compared += 1
    assert compared > traffic.counted(whole=410, selected=185)
    assert same > traffic.counted(whole=340, selected=145)


def test_every_field_of_a_recorded_request_is_read_kept_or_reported() -> None:
    """All of them are known."""
    for record in recordings():
        report = Report()
        read(record["request"], report)
        assert not report.paths(Fate.DROPPED), record["id"]


def test_every_recorded_reply_is_written_as_the_sdk_wants_it_and_keeps_its_meaning() -> None:
    number = 0
    for record in whole():
        reply = GEMINI.read_reply(json.dumps(record["response"]).encode(), Report())
        written = GEMINI.write_reply(reply, CONTEXT)
        valid(json.loads(written))
        again = GEMINI.read_reply(written, Report())
        assert told(again.parts) == told(reply.parts), record["id"]
        assert (again.stop, again.usage) == (reply.stop, reply.usage), record["id"]
        number += 1
    assert number > traffic.counted(whole=290, selected=130)


def test_every_recorded_stream_is_written_as_the_sdk_wants_it_and_keeps_its_meaning() -> None:
    """Each chunk is valid by itself, and the last tells the usage."""
    number = 0
    for record in streamed():
        deltas = read_stream(record["response_sse"].encode())
        reply = collected(deltas)
        writer = GEMINI.delta_writer(CONTEXT)
        stream = b"".join(writer.write(delta) for delta in deltas)
        chunks = [json.loads(line[6:]) for line in stream.decode().split("\n\n") if line]
        for chunk in chunks:
            valid(chunk)
        assert ["usageMetadata" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        again = collected(read_stream(stream))
        assert told(again.parts) == told(reply.parts), record["id"]
        assert (again.stop, again.usage) == (reply.stop, reply.usage)
        number += 1
    assert number > traffic.counted(whole=80, selected=40)


def test_a_streamed_reply_and_its_collected_form_are_equal() -> None:
    """Written whole or as a stream, a recorded reply reads the same."""
    for record in [*whole(), *streamed()]:
        if "response_sse" in record:
            reply = collected(read_stream(record["response_sse"].encode()))
        else:
            reply = GEMINI.read_reply(json.dumps(record["response"]).encode(), Report())
        read_whole = GEMINI.read_reply(GEMINI.write_reply(reply, CONTEXT), Report())
        writer = GEMINI.delta_writer(CONTEXT)
        read_streamed = collected(read_stream(b"".join(writer.write(delta) for delta in deltas_of(reply))))
        assert read_whole.parts == read_streamed.parts, record["id"]
        assert (read_whole.stop, read_whole.usage) == (read_streamed.stop, read_streamed.usage)


def test_every_recorded_signature_is_taken_back_by_its_maker() -> None:
    """What a reply signs, a request to the same provider carries."""
    found = 0
    for record in whole():
        for part in GEMINI.read_reply(json.dumps(record["response"]).encode(), Report()).parts:
            signature: Signature | None = getattr(part, "signature", None)
            assert signature is None or UNKNOWN.accepts(signature)
            found += signature is not None
    assert found > traffic.counted(whole=100, selected=65)


def told(parts: tuple[Any, ...]) -> list[Any]:
    """What parts say: ids are made anew, and what a search's result looked like is told in fewer words."""
    return [
        {
            name: value
            for name in ("text", "name", "arguments", "signature", "source", "kind", "sources", "is_error", "citations")
            if (value := getattr(part, name, None))
        }
        for part in parts
    ]
