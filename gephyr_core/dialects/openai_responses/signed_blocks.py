"""Encrypted items in the body of a request for a response, and reasoning that only its maker finds."""

import re
from collections.abc import Sequence

import attrs

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Origin
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.decoding import digest, read_object, text
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.signed_blocks import elements, holds, left_out, made, marked
from gephyr_core.envelope import Envelope

_MARKS = (b'"encrypted_content"', b'"rs_')
_OURS = re.compile(r"rs_[0-9a-f]{24}_\d+")
"""Ids of reasoning items that Gephyr wrote for another provider's reasoning."""


def signed_blocks(envelope: Envelope) -> tuple[SignedBlock, ...]:
    """See :meth:`gephyr_core.dialects.base.Dialect.signed_blocks`. Reasoning can be left out, unless there is nothing
    else. What else is encrypted stands for the conversation before it (``compaction``), and cannot."""
    if not holds(envelope.body, _MARKS):
        return ()
    found = []
    for index, data in marked(envelope, "input", _MARKS):
        item = read_object(data) or {}
        path, is_reasoning = ("input", index), item.get("type") == "reasoning"
        if (secret := text(item.get("encrypted_content"))) is not None:
            name, origin, proven = made(secret, NAME)
            essential = origin is None and not is_reasoning
            found.append(SignedBlock(path, name, origin, essential=essential, proven=proven))
        elif is_reasoning and (item_id := text(item.get("id"))) is not None:
            origin = Origin("unknown") if _OURS.fullmatch(item_id) else None
            found.append(SignedBlock(path, digest(item_id), origin, proven=False))
    if found and len(found) == len(elements(envelope, "input")):
        return tuple(attrs.evolve(block, essential=block.origin is None) for block in found)
    return tuple(found)


def without(
    envelope: Envelope,  # noqa: ARG001
    blocks: Sequence[SignedBlock],
    capabilities: Capabilities,  # noqa: ARG001
) -> LeftOut:
    """See :meth:`gephyr_core.dialects.base.Dialect.without`."""
    return left_out(blocks)
