"""Recorded Chat traffic, read and written again."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import attrs
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Part, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import Effort, Prompt
from gephyr_core.conversation.reply import Delta, Reply
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.dialects.translator import Destination, ReplyContext
from gephyr_core.sse import SseFramer
from tests.recordings import traffic

CHAT = ChatTranslator()
DESTINATION = Destination("openai-chat", "openrouter", "m", Capabilities(efforts=tuple(Effort)))
CONTEXT = ReplyContext("key", 1, "m")
WHOLE, CHUNK = TypeAdapter(ChatCompletion), TypeAdapter(ChatCompletionChunk)

pytestmark = pytest.mark.recordings


@cache
def recordings() -> tuple[dict[str, Any], ...]:
    return tuple(traffic.records("openai-chat"))


def answered() -> Iterator[dict[str, Any]]:
    return (record for record in recordings() if record["status"] == 200)


def read(request: dict[str, Any], report: Report | None = None) -> Prompt:
    """Read a copy of *request*."""
    body = json.loads(json.dumps(request))
    return CHAT.read_request(body, report or Report(), model="m", stream=bool(request.get("stream")))


def deltas_of(stream: bytes) -> list[Delta]:
    reader, framer = CHAT.delta_reader(Report()), SseFramer(1 << 22)
    deltas = [delta for event in framer.split(stream) for delta in reader.read(event)]
    tail = framer.rest()
    return [*deltas, *(reader.read(tail) if tail.strip() else []), *reader.finish()]


def collected(deltas: list[Delta]) -> Reply:
    assembler = Assembler()
    for delta in deltas:
        assembler.add(delta)
    assert assembler.failure is None
    assert assembler.ended
    return assembler.reply()


def meaning(parts: tuple[Part, ...]) -> list[Any]:
    """What parts say: text and calls; how it is cut into parts does not count, nor the mark of unsigned reasoning."""
    said: dict[str, str] = {}
    rest: list[Any] = []
    for part in parts:
        if isinstance(part, Text | Thinking) and not (isinstance(part, Thinking) and part.redacted):
            name = type(part).__name__
            said[name] = said.get(name, "") + part.text
            if part.signature is not None and part.signature.value:
                rest.append(part.signature)
        elif isinstance(part, ToolCall):
            rest.append((part.name, part.arguments))
        else:
            rest.append(part)
    return [{name: text for name, text in said.items() if text}, *rest]


def test_every_recorded_request_is_the_same_when_written_and_read_again() -> None:
    """Nothing that was read is lost on the way back to the same dialect, unless the report says so."""
    compared = 0
    for record in recordings():
        if not isinstance(record["request"], dict):
            continue
        prompt, report = read(record["request"]), Report()
        try:
            written = CHAT.write_request(prompt, DESTINATION, report)
        except UntranslatableError:
            assert report.paths(Fate.REFUSED)
            continue
        if report.entries:
            continue
        again = read(written.body)
        same = attrs.evolve(again, include_usage=prompt.include_usage)  # a stream's usage is always asked for
        assert same == prompt, record["id"]
        compared += 1
    assert compared > traffic.counted(whole=950, selected=295)


def test_every_field_of_a_recorded_request_is_read_kept_or_reported() -> None:
    """What is not known is kept for the own dialect (top level) or reported as dropped."""
    for record in recordings():
        if isinstance(record["request"], dict):
            report = Report()
            read(record["request"], report)
            assert all(entry.fate is Fate.DROPPED for entry in report.entries)
            assert {path.split(".")[-1] for path in report.paths(Fate.DROPPED)} <= {"name", "eager_input_streaming"}


def test_every_recorded_reply_is_written_as_the_sdk_wants_it_and_keeps_its_meaning() -> None:
    """Also those that the SDK would not take as they came."""
    number = 0
    for record in answered():
        if isinstance(record.get("response"), dict):
            reply = CHAT.read_reply(json.dumps(record["response"]).encode(), Report())
            written = CHAT.write_reply(reply, CONTEXT)
            WHOLE.validate_python(json.loads(written))
            again = CHAT.read_reply(written, Report())
            assert meaning(again.parts) == meaning(reply.parts), record["id"]
            assert again.stop == reply.stop
            number += 1
    assert number > traffic.counted(whole=700, selected=215)


def test_every_recorded_stream_is_written_as_the_sdk_wants_it_and_keeps_its_meaning() -> None:
    """Each chunk is valid by itself; the stream ends with usage and ``[DONE]``."""
    number = 0
    for record in answered():
        if "response_sse" in record:
            deltas = deltas_of(record["response_sse"].encode())
            writer = CHAT.delta_writer(CONTEXT)
            stream = b"".join(writer.write(delta) for delta in deltas)
            events = [line[6:] for line in stream.decode().split("\n") if line]
            assert events.pop() == "[DONE]"
            chunks = [json.loads(event) for event in events]
            for chunk in chunks:
                CHUNK.validate_python(chunk)
            assert [bool(chunk["usage"]) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
            assert meaning(collected(deltas_of(stream)).parts) == meaning(collected(deltas).parts), record["id"]
            number += 1
    assert number > traffic.counted(whole=200, selected=43)


def test_a_streamed_reply_and_its_collected_form_are_equal_in_meaning() -> None:
    """Written whole or as a stream, a recorded reply reads the same."""
    for record in answered():
        if "response_sse" in record:
            deltas = deltas_of(record["response_sse"].encode())
            reply = collected(deltas)
            whole = CHAT.read_reply(CHAT.write_reply(reply, CONTEXT), Report())
            writer = CHAT.delta_writer(CONTEXT)
            streamed = collected(deltas_of(b"".join(writer.write(delta) for delta in deltas)))
            assert meaning(whole.parts) == meaning(streamed.parts), record["id"]
            assert (whole.stop, whole.usage) == (streamed.stop, streamed.usage)


def test_recorded_reasoning_proofs_go_back_as_they_came() -> None:
    """OpenRouter's details: format, id, data and signature."""
    found = 0
    for record in answered():
        if not isinstance(record.get("response"), dict):
            continue
        for choice in record["response"]["choices"]:
            details = (choice.get("message") or {}).get("reasoning_details")
            if details:
                reply = CHAT.read_reply(json.dumps(record["response"]).encode(), Report())
                message = json.loads(CHAT.write_reply(reply, CONTEXT))["choices"][0]["message"]
                assert proofs(message["reasoning_details"]) == proofs(details)
                found += len(proofs(details))
    assert found >= 5


def proofs(details: list[dict[str, Any]]) -> list[Any]:
    proven = [detail for detail in details if detail.get("signature") or detail.get("data")]
    return [(d["type"], d["format"], d.get("id"), d.get("signature") or d.get("data")) for d in proven]


def test_every_recorded_signature_is_taken_back_by_its_maker() -> None:
    """What a reply signs, a request to the same provider carries."""
    for record in answered():
        if isinstance(record.get("response"), dict):
            reply = CHAT.read_reply(json.dumps(record["response"]).encode(), Report())
            for part in reply.parts:
                signature: Signature | None = getattr(part, "signature", None)
                assert signature is None or DESTINATION.accepts(signature)
