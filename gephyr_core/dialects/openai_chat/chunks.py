"""What is decoded of a provider's reply or chunk. What is odd inside of it is the reader's to judge, so it is Any."""

from typing import Any

import msgspec

from gephyr_core.dialects.decoding import decode_event, decode_strictly


class Message(msgspec.Struct, gc=False):
    """A message, or what is added to one."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    annotations: Any = None
    images: Any = None
    audio: Any = None
    extra_content: Any = None


class ReplyChoice(msgspec.Struct, gc=False):
    """One of the replies that were asked for."""

    index: Any = 0
    delta: Message | None = None
    message: Message | None = None
    finish_reason: Any = None
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk of a stream, or a whole reply."""

    id: Any = None
    model: Any = None
    choices: list[ReplyChoice] | None = None
    usage: Any = None
    x_groq: Any = None
    """Groq's usage stands in here."""
    service_tier: Any = None
    error: Any = None
    search_results: Any = None
    """Perplexity's and others' sources, beside the message."""


_DECODER = msgspec.json.Decoder(Chunk)


def decode_chunk(data: bytes | str) -> Chunk | None:
    """Decode a chunk; None when it is none, or may be cut inside a character."""
    return decode_strictly(_DECODER, data)


def decode_cut_chunk(data: bytes | str) -> Chunk | None:
    """Decode a chunk whose texts may be cut, or a reply; None when it is none."""
    return decode_event(_DECODER, data)
