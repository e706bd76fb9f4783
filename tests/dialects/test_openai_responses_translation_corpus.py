"""Recorded Responses traffic, read and written again."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import attrs
import msgspec
import pytest
from responses_support import ABLE, CONTEXT, ENDS, RESPONSES, WHOLE, collected, meaning, read_stream, write_stream

from gephyr_core.conversation.parts import Part, Signature, Text
from gephyr_core.conversation.prompt import Prompt, Role
from gephyr_core.conversation.reply import Delta
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.translator import Destination, ReplyContext
from tests.recordings import traffic

DESTINATION = Destination("openai-responses", "openai", "m", ABLE)
KEPT = ("system", "tools", "tool_choice", "parallel_tools", "sampling", "reasoning", "output", "user", "metadata")
NO_SDK_TYPE = re.compile('"type": ?"api"')
"""OpenAI tells sources of a web search that its SDK has no type for; they go back as they came."""

pytestmark = pytest.mark.recordings


@cache
def recordings() -> tuple[dict[str, Any], ...]:
    records = traffic.records("openai-responses")
    return tuple(record for record in records if record["status"] == 200 and isinstance(record["request"], dict))


def whole() -> Iterator[dict[str, Any]]:
    """Those that were answered by a response that is a reply: one runs in the background still."""
    for record in recordings():
        if isinstance(record.get("response"), dict) and record["response"]["status"] != "queued":
            yield record


def streamed() -> Iterator[tuple[dict[str, Any], list[Delta]]]:
    for record in recordings():
        if "response_sse" in record:
            yield record, read_stream(record["response_sse"].encode())


def read(request: dict[str, Any], report: Report | None = None) -> Prompt:
    """Read a copy of *request*."""
    body = json.loads(json.dumps(request))
    return RESPONSES.read_request(body, report or Report(), model="m", stream=bool(request.get("stream")))


def context_of(record: dict[str, Any]) -> ReplyContext:
    """What the gateway knows of the request when it writes the reply."""
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in record["request"].items()}
    return ReplyContext("key", 7, "asked", raw)


def said(prompt: Prompt) -> list[tuple[Role, list[Part]]]:
    """The turns without empty texts, which say nothing and are not sent."""
    return [(turn.role, [part for part in turn.parts if part != Text("")]) for turn in prompt.turns]


def test_every_recorded_request_is_the_same_when_written_and_read_again() -> None:
    """Nothing that was read is lost on the way back to the same dialect, unless the report says so."""
    compared = 0
    for record in recordings():
        prompt, report = read(record["request"]), Report()
        destination = attrs.evolve(DESTINATION, provider=record["provider"])
        try:
            body = RESPONSES.write_request(prompt, destination, report).body
        except UntranslatableError:
            assert report.paths(Fate.REFUSED)
            continue
        if report.entries:
            continue
        again = read(json.loads(msgspec.json.encode(body)))
        assert said(again) == said(prompt), record["id"]
        assert [getattr(again, name) for name in KEPT] == [getattr(prompt, name) for name in KEPT], record["id"]
        compared += 1
    assert compared > traffic.counted(whole=500, selected=190)


def test_writing_what_was_read_again_gives_the_same_bytes() -> None:
    """Providers cache by prefix: the second writing is the first, byte for byte."""
    for record in recordings():
        written = []
        request = record["request"]
        for _ in range(2):
            try:
                body = RESPONSES.write_request(read(request), DESTINATION, Report()).body
            except UntranslatableError:
                break
            written.append(msgspec.json.encode(body))
        assert written[:1] == written[1:], record["id"]


def test_every_field_of_a_recorded_request_is_read_kept_or_reported() -> None:
    """Reading refuses nothing that was answered, and changes nothing but where tools are offered."""
    for record in recordings():
        report = Report()
        read(record["request"], report)
        for entry in report.entries:
            moved = entry.fate is Fate.EMULATED and entry.path.endswith(".tools")
            assert moved or entry.fate is Fate.DROPPED, record["id"]


def test_every_recorded_reply_is_written_as_the_sdk_wants_it_and_keeps_its_meaning() -> None:
    """Also those that the SDK would not take as they came; the request's settings are repeated."""
    number = 0
    for record in whole():
        reply = RESPONSES.read_reply(json.dumps(record["response"]).encode(), Report())
        written = RESPONSES.write_reply(reply, context_of(record))
        if not NO_SDK_TYPE.search(json.dumps(record["response"])):
            WHOLE.validate_json(written, strict=True)
        again = RESPONSES.read_reply(written, Report())
        assert meaning(again.parts) == meaning(reply.parts), record["id"]
        assert again.stop == reply.stop
        number += 1
    assert number > traffic.counted(whole=350, selected=150)


def test_every_recorded_stream_is_written_as_the_sdk_wants_it_and_keeps_its_meaning() -> None:
    """Each event is valid by itself, and one terminal ends the stream with the whole response."""
    number = 0
    for record, found in streamed():
        if NO_SDK_TYPE.search(record["response_sse"]):
            continue
        events = write_stream(found, context_of(record))
        assert [one["type"] for one in events if one["type"] in ENDS] == [events[-1]["type"]]
        again = RESPONSES.read_reply(json.dumps(events[-1]["response"]).encode(), Report())
        assert meaning(again.parts) == meaning(collected(found).parts), record["id"]
        number += 1
    assert number > traffic.counted(whole=150, selected=45)


def test_a_streamed_reply_and_its_collected_form_are_equal_in_meaning() -> None:
    """Written whole or as a stream, a recorded reply reads the same."""
    for record, found in streamed():
        reply = collected(found)
        once = RESPONSES.read_reply(RESPONSES.write_reply(reply, CONTEXT), Report())
        writer = RESPONSES.delta_writer(CONTEXT)
        twice = collected(read_stream(b"".join(writer.write(delta) for delta in found)))
        assert meaning(once.parts) == meaning(twice.parts), record["id"]
        assert (once.stop, once.usage) == (twice.stop, twice.usage)


def test_every_recorded_signature_is_taken_back_by_its_maker() -> None:
    """What a reply signs, a request to the same provider carries."""
    signed = 0
    for record in whole():
        for part in RESPONSES.read_reply(json.dumps(record["response"]).encode(), Report()).parts:
            signature: Signature | None = getattr(part, "signature", None)
            assert signature is None or DESTINATION.accepts(signature)
            signed += bool(signature and signature.value)
    assert signed > traffic.counted(whole=50, selected=40)
