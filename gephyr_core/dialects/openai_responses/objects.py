"""What a Responses reply leaves at the provider: stored responses, conversations, items only its maker can decrypt."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gephyr_core.dialects.decoding import count, decode, digest, mapping, text
from gephyr_core.records import Usage


class Item(msgspec.Struct, gc=False):
    """An output item; only reasoning and compaction items have encrypted content."""

    encrypted_content: Any = None


class Response(msgspec.Struct, gc=False):
    """A response object, or another object of the Responses and Conversations endpoints."""

    object: Any = None
    id: Any = None
    store: Any = None
    background: Any = None
    conversation: Any = None
    usage: Any = None
    error: Any = None
    output: list[Item] | None = None


_RESPONSE = msgspec.json.Decoder(Response)
_KEPT = ("response", "response.compaction", "conversation")


def response_objects(response: Response) -> Iterator[str]:
    """Yield the ids and digests that *response* tells of.

    ``store: false`` leaves no response behind, unless it runs in the background: that one is kept for a while to be
    polled (OpenAI's guide to background mode; recorded: such a response is fetched after it said ``store: false``).
    """
    kept = response.store is not False or response.background is True
    if (response_id := text(response.id)) and kept:
        yield response_id
    if conversation_id := text((mapping(response.conversation) or {}).get("id")):
        yield conversation_id
    for item in response.output or ():
        if content := text(item.encrypted_content):
            yield digest(content)


def reply_objects(reply: bytes) -> list[str]:
    """Return what :func:`response_objects` finds in a whole reply of an endpoint that makes objects."""
    if b'"object"' not in reply:
        return []
    response = decode(_RESPONSE, reply)
    if response is None or response.object not in _KEPT:
        return []
    return list(dict.fromkeys(response_objects(response)))


def responses_usage(usage: dict[str, Any] | None) -> Usage | None:
    """Read ``ResponseUsage``."""
    if usage is None:
        return None
    inputs = mapping(usage.get("input_tokens_details"))
    return Usage(
        input=count(usage, "input_tokens"),
        cached=count(inputs, "cached_tokens"),
        cache_write=count(inputs, "cache_write_tokens"),
        output=count(usage, "output_tokens"),
        reasoning=count(mapping(usage.get("output_tokens_details")), "reasoning_tokens"),
    )
