"""Encrypted items in the body of a request for a response."""

from collections.abc import Sequence

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import SignedBlock
from gephyr_core.dialects.decoding import read_object, text
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.signed_blocks import edits_of, holds, made, marked
from gephyr_core.envelope import Envelope
from gephyr_core.raw_json import Edits

_MARKS = (b'"encrypted_content"',)


def signed_blocks(envelope: Envelope) -> tuple[SignedBlock, ...]:
    """See :meth:`gephyr_core.dialects.base.Dialect.signed_blocks`. Reasoning can be left out. What else is encrypted
    stands for the conversation before it (``compaction``), and cannot."""
    if not holds(envelope.body, _MARKS):
        return ()
    found = []
    for index, data in marked(envelope, "input", _MARKS):
        item = read_object(data) or {}
        secret = text(item.get("encrypted_content"))
        if secret is not None:
            name, origin, proven = made(secret, NAME)
            essential = origin is None and item.get("type") != "reasoning"
            found.append(SignedBlock(("input", index), name, origin, essential=essential, proven=proven))
    return tuple(found)


def without(
    envelope: Envelope,  # noqa: ARG001
    left_out: Sequence[SignedBlock],
    capabilities: Capabilities,  # noqa: ARG001
) -> Edits:
    """See :meth:`gephyr_core.dialects.base.Dialect.without`."""
    return edits_of(left_out)
