"""Recorded streams and replies of real providers, relayed and read."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from chunking import pieces_of

from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import EventClass, StreamReader
from gephyr_core.records import Usage
from gephyr_core.sse import parse
from tests.recordings import traffic

FILES = {
    "openai-chat": "openai-chat",
    "openai-completions": "openai-completions",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic-messages",
    "gemini": "gemini-generate",
}

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.parametrize("name", sorted(FILES)),
]


def recordings(name: str) -> Iterator[dict[str, Any]]:
    return (record for record in traffic.records(FILES[name]) if record["status"] == 200)


def streams(name: str) -> Iterator[bytes]:
    return (record["response_sse"].encode() for record in recordings(name) if "response_sse" in record)


def chunks_of(stream: bytes, seed: int) -> list[bytes]:
    """Cut *stream* into chunks of 1 to 400 bytes, the same for each run."""
    chance = random.Random(seed)
    cuts = [0]
    while cuts[-1] < len(stream):
        cuts.append(cuts[-1] + chance.randint(1, 400))
    return pieces_of(stream, cuts)


def payloads(stream: bytes) -> list[Any]:
    """Decode every event of a recorded stream, naively."""
    text = stream.decode().replace("\r\n", "\n")
    return [
        json.loads(line[5:]) for line in text.split("\n") if line.startswith("data:") and line[5:].strip() != "[DONE]"
    ]


def naive_usage(name: str, payload: dict[str, Any]) -> dict[str, Any] | None:
    match name:
        case "gemini":
            return payload.get("usageMetadata")
        case "openai-responses":
            return payload.get("usage") or (payload.get("response") or {}).get("usage")
        case "anthropic":
            return payload.get("usage") or (payload.get("message") or {}).get("usage")
    return payload.get("usage")


def neutral(name: str, usage: dict[str, Any]) -> Usage:
    """Translate a provider's usage the plain way."""

    def inner(member: str, count: str) -> Any:
        return (usage.get(member) or {}).get(count)

    def added(*counts: str) -> Any:
        known = [usage[count] for count in counts if usage.get(count) is not None]
        return sum(known) if known else None

    if name == "gemini":
        return Usage(
            input=added("promptTokenCount", "toolUsePromptTokenCount"),
            cached=usage.get("cachedContentTokenCount"),
            output=added("candidatesTokenCount", "thoughtsTokenCount"),
            reasoning=usage.get("thoughtsTokenCount"),
        )
    if name == "anthropic":
        return Usage(
            input=added("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            cached=usage.get("cache_read_input_tokens"),
            cache_write=usage.get("cache_creation_input_tokens"),
            output=usage.get("output_tokens"),
            reasoning=inner("output_tokens_details", "thinking_tokens"),
            cache_write_long=inner("cache_creation", "ephemeral_1h_input_tokens"),
            web_searches=inner("server_tool_use", "web_search_requests"),
        )
    ins, out = ("input", "output") if name == "openai-responses" else ("prompt", "completion")
    parts = [usage.get(f"{ins}_tokens"), usage.get(f"{out}_tokens"), inner(f"{out}_tokens_details", "reasoning_tokens")]
    beside = parts[2] and None not in parts and sum(parts) == usage.get("total_tokens")  # xAI counts so
    return Usage(
        input=usage.get(f"{ins}_tokens"),
        cached=inner(f"{ins}_tokens_details", "cached_tokens"),
        cache_write=inner(f"{ins}_tokens_details", "cache_write_tokens"),
        output=parts[1] + parts[2] if beside else parts[1],
        reasoning=parts[2],
    )


def expected_usage(name: str, stream: bytes) -> Usage | None:
    told: dict[str, Any] | None = None
    for payload in payloads(stream):
        if usage := naive_usage(name, payload):
            newer = {key: value for key, value in usage.items() if value is not None}
            told = {**(told or {}), **newer} if name == "anthropic" else usage
    return neutral(name, told) if told is not None else None


BEHIND_THE_END = (b"", b"data: [DONE]")
"""What some servers of the Responses API send behind its last event; the reply is over before it."""


def relayed(reader: StreamReader, chunks: Iterable[bytes]) -> bytes:
    """What a client gets of a stream: everything until its terminal event."""
    pieces = []
    for chunk in chunks:
        pieces.append(reader.cut(chunk))
        if reader.terminal_seen:
            return b"".join(pieces)
    return b"".join([*pieces, reader.rest()])


def test_streams_are_relayed_byte_for_byte_and_understood(name: str) -> None:
    """Cut anywhere, a recorded stream leaves as it came; its end and its usage are those that are in it."""
    for number, stream in enumerate(streams(name)):
        reader = DIALECTS[name].stream_reader(max_line=1 << 22)
        assert stream.removeprefix(relayed(reader, chunks_of(stream, number))).strip() in BEHIND_THE_END
        assert reader.error is None
        assert reader.terminal_seen == (b"data: [DONE]" in stream or not name.endswith(("chat", "completions")))
        assert reader.usage == expected_usage(name, stream)


def test_the_prelude_ends_at_the_first_content(name: str) -> None:
    """Each stream has a first content event, an id before or in it, and only preludes stand before."""
    for number, stream in enumerate(streams(name)):
        reader = DIALECTS[name].stream_reader(max_line=1 << 22)
        events = [event for chunk in chunks_of(stream, number) for event in reader.split(chunk)]
        kinds = [reader.classify(event) for event in events]
        assert b"".join(events) + reader.rest() == stream
        first = kinds.index(EventClass.CONTENT)
        assert EventClass.ERROR not in kinds
        assert reader.reply_id is not None or b'"responseId"' not in stream
        assert reader.usage == expected_usage(name, stream)
        before = [event for event in events[:first] if b'"partial_json":""' not in event]  # how Anthropic begins a call
        prelude = b"".join(parse(event).data.encode() for event in before)
        assert not any(word in prelude for word in (b'_delta"', b".delta", b'"finishReason"', b"[DONE]"))


def test_whole_replies_tell_their_usage(name: str) -> None:
    """The usage of every recorded reply is found, and none is found where there is none."""
    for record in recordings(name):
        reply = record.get("response")
        if isinstance(reply, dict):
            usage = naive_usage(name, reply)
            expected = neutral(name, usage) if usage is not None else None
            assert DIALECTS[name].read_whole(json.dumps(reply).encode(), generates=True).usage == expected


def test_gemini_arrays_are_relayed_and_understood(name: str) -> None:
    """The array form, as recorded and re-indented as Google writes it."""
    arrays = [record["response"] for record in recordings(name) if isinstance(record.get("response"), list)]
    assert bool(arrays) == (name == "gemini")
    for number, array in enumerate(arrays):
        stream = ("[" + ",\r\n".join(json.dumps(chunk, indent=2) for chunk in array) + "\n]\n").encode()
        reader = DIALECTS[name].stream_reader(max_line=1 << 22, array=True)
        assert relayed(reader, chunks_of(stream, number)).strip() == stream.strip()
        assert reader.terminal_seen
        assert reader.usage == neutral(name, array[-1]["usageMetadata"])
