"""What is decoded of a provider's reply or chunk. What is odd inside of it is the reader's to judge, so it is Any."""

from typing import Any

import msgspec

from gephyr_core.dialects.decoding import decode, decode_event, decode_strictly


class ReplyPart(msgspec.Struct, gc=False, rename="camel"):
    """A part of the reply."""

    text: Any = None
    thought: Any = None
    thought_signature: Any = None
    function_call: Any = None
    inline_data: Any = None
    file_data: Any = None
    executable_code: Any = None
    code_execution_result: Any = None
    tool_call: Any = None
    tool_response: Any = None


class Content(msgspec.Struct, gc=False):
    """What a candidate says."""

    parts: list[ReplyPart] | None = None


class Candidate(msgspec.Struct, gc=False, rename="camel"):
    """One of the replies that were asked for."""

    content: Content | None = None
    finish_reason: Any = None
    finish_message: Any = None
    index: Any = 0
    grounding_metadata: Any = None
    url_context_metadata: Any = None
    citation_metadata: Any = None


class Chunk(msgspec.Struct, gc=False, rename="camel"):
    """A chunk of a stream, or a whole reply."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Any = None
    usage_metadata: msgspec.Raw = msgspec.Raw(b"")
    """Told in each chunk; only the last counts, and is decoded."""
    model_version: Any = None
    response_id: Any = None
    error: Any = None


_DECODER = msgspec.json.Decoder(Chunk)
_ARRAY = msgspec.json.Decoder(list[Chunk])
_ANY = msgspec.json.Decoder()


def decode_chunk(data: bytes | str) -> Chunk | None:
    """Decode a chunk; None when it is none, or may be cut inside a character."""
    return decode_strictly(_DECODER, data)


def decode_cut_chunk(data: bytes | str) -> Chunk | None:
    """Decode a chunk whose texts may be cut, or a reply; None when it is none."""
    return decode_event(_DECODER, data, "usageMetadata")


def decode_array(data: bytes) -> list[Chunk] | None:
    """Decode a stream in its array form; None when it is none."""
    return decode(_ARRAY, data)


def decode_any(data: msgspec.Raw) -> Any:
    """Decode what was left undecoded; None where there was nothing."""
    return decode(_ANY, bytes(data))
