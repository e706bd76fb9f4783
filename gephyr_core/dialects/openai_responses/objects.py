"""What a Responses reply leaves at the provider: stored responses, conversations, items only its maker can decrypt."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gephyr_core.dialects.decoding import count, digest, mapping, text, whole_output
from gephyr_core.records import Usage


class Item(msgspec.Struct, gc=False):
    """An output item; only reasoning and compaction items have encrypted content."""

    encrypted_content: Any = None
    type: Any = None
    id: Any = None

    @property
    def name(self) -> str:
        """The name by which its maker is known: a digest of what is encrypted, or of the id of reasoning that is not,
        which only its maker finds. Empty for any other item."""
        secret = text(self.encrypted_content) or (text(self.id) if self.type == "reasoning" else None)
        return digest(secret) if secret else ""


class Response(msgspec.Struct, gc=False):
    """A response object, or another object of the Responses and Conversations endpoints."""

    object: Any = None
    id: Any = None
    status: Any = None
    store: Any = None
    background: Any = None
    conversation: Any = None
    usage: Any = None
    error: Any = None
    output: list[Item] | None = None


def is_failed(response: Response) -> bool:
    """Whether *response* tells of a failure in place of an answer."""
    return bool(response.error) or response.status == "failed"


KEPT = ("response", "response.compaction", "conversation")
"""What an object is called that the endpoint which made it keeps."""


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
        if item.name:
            yield item.name


def responses_usage(usage: dict[str, Any] | None) -> Usage | None:
    """Read ``ResponseUsage``."""
    if usage is None:
        return None
    inputs = mapping(usage.get("input_tokens_details"))
    given = count(usage, "input_tokens")
    reasoning = count(mapping(usage.get("output_tokens_details")), "reasoning_tokens")
    said, all_in_all = count(usage, "output_tokens"), count(usage, "total_tokens")
    return Usage(
        input=given,
        cached=count(inputs, "cached_tokens"),
        cache_write=count(inputs, "cache_write_tokens"),
        output=whole_output(said, reasoning, given=given, all_in_all=all_in_all),
        reasoning=reasoning,
    )
