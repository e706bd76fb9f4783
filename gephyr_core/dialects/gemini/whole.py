"""Whole replies of Google's APIs, read as far as the gateway looks at them."""

from typing import Any

import msgspec

from gephyr_core.dialects.base import WholeReply
from gephyr_core.dialects.decoding import decode_reply, mapping
from gephyr_core.dialects.gemini.errors import stream_error
from gephyr_core.dialects.gemini.stream import Chunk, is_reply, signature_digests
from gephyr_core.dialects.gemini.usage import gemini_usage


class _Beside(msgspec.Struct, gc=False):
    """A reply that is no generated content: a count, embeddings."""

    usageMetadata: Any = None  # noqa: N815
    error: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)
_BESIDE = msgspec.json.Decoder(_Beside)


def read_whole(body: bytes, *, generates: bool) -> WholeReply:
    """See :meth:`gephyr_core.dialects.base.Dialect.read_whole`. A candidate has parts or a finish reason; without
    candidates, a block reason says why."""
    if body.lstrip()[:1] == b"[":
        body = body.strip()[1:-1]  # an error may stand in a list of its own
    reply = decode_reply(_CHUNK, body) if generates else decode_reply(_BESIDE, body)
    if reply is None:
        return WholeReply(lack="the reply is no JSON object as the dialect has it")
    usage = gemini_usage(mapping(reply.usageMetadata))
    if reply.error:
        return WholeReply(usage, error=stream_error(reply.error), is_error_body=True)
    if isinstance(reply, Chunk) and not is_reply(reply):
        return WholeReply(usage, lack="the reply has neither content nor a finish or block reason")
    return WholeReply(usage, signature_digests(reply) if isinstance(reply, Chunk) else [])
