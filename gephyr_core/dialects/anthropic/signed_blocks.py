"""Signed thinking in the body of a Messages request."""

from collections.abc import Iterator, Sequence
from typing import Any

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import HostedCall, HostedResult, Origin
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import SEAL
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.anthropic import hosted
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.decoding import mapping, member, read_object, text
from gephyr_core.dialects.hosted_text import hosted_text
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.signed_blocks import elements, holds, left_out, made, marked
from gephyr_core.envelope import Envelope
from gephyr_core.raw_json import Edits, Path

_SEALED = b'"' + SEAL.encode()
_MARKS = (b'"signature"', b'"redacted_thinking"', _SEALED)
_FIELDS = {"thinking": "signature", "redacted_thinking": "data"}
"""Types of blocks, each with the member that proves it."""
_ANYBODYS = Origin("unknown")
_LACKING = SignedBlock(("thinking",), lacking=True, proven=False)
"""Stands for the thinking that is missing where manual thinking demands it."""


def signed_blocks(envelope: Envelope) -> tuple[SignedBlock, ...]:
    """See :meth:`gephyr_core.dialects.base.Dialect.signed_blocks`."""
    lacking = (_LACKING,) if _thinks_by_hand(envelope) and _lacks_thinking(envelope, {}) else ()
    if not holds(envelope.body, _MARKS):
        return lacking
    found: list[SignedBlock] = []
    for index, data in marked(envelope, "messages", _MARKS):
        blocks = content_blocks(read_object(data) or {})
        holder = ("messages", index)
        for number, block in enumerate(blocks):
            field = _FIELDS.get(str(block.get("type")))
            if field is not None:
                name, origin, proven = made(text(block.get(field)) or "", NAME)
                path = (*holder, "content", number)
                found.append(SignedBlock(path, name, origin, len(blocks), holder, proven=proven))
        if _SEALED in data:
            found += _searched(blocks, (*holder, "content"))
    return (*found, *lacking)


def without(envelope: Envelope, blocks: Sequence[SignedBlock], capabilities: Capabilities) -> LeftOut:
    """See :meth:`gephyr_core.dialects.base.Dialect.without`.

    Manual thinking demands that the assistant's last step of a tool loop begins with thinking. Where another provider
    made that step, the model thinks by itself if it can, or not at all.
    """
    changes = left_out(blocks)
    if _thinks_by_hand(envelope) and _lacks_thinking(envelope, changes.edits):
        wanted = mapping(member(envelope.fields, "thinking")) or {}
        kind = "adaptive" if "adaptive" in capabilities.thinking else "disabled"
        shown = {"display": wanted["display"]} if kind == "adaptive" and "display" in wanted else {}
        changes.edits[("thinking",)] = encode_json({"type": kind, **shown})
        changes.report.changed("thinking", f"{kind}: the reasoning behind the last tool call is not this model's own")
    return changes


def _thinks_by_hand(envelope: Envelope) -> bool:
    raw = envelope.fields.get("thinking")
    return raw is not None and (mapping(member(envelope.fields, "thinking")) or {}).get("type") == "enabled"


def content_blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of a message; none where it is a text."""
    content = message.get("content")
    return [mapping(block) or {} for block in content] if isinstance(content, list) else []


def _lacks_thinking(envelope: Envelope, edits: Edits) -> bool:
    """Whether the assistant's last step of the tool loop under way does not begin with thinking, after *edits*."""
    messages = elements(envelope, "messages")
    for index in reversed(range(len(messages))):
        message = read_object(bytes(messages[index])) or {}
        kinds = [str(block.get("type")) for block in content_blocks(message)]
        if message.get("role") == "user" and "tool_result" not in kinds:
            return False
        if message.get("role") == "assistant" and "tool_use" in kinds:
            kept = [kind for place, kind in enumerate(kinds) if ("messages", index, "content", place) not in edits]
            return kept[0] not in _FIELDS
    return False


def _searched(blocks: list[dict[str, Any]], path: Path) -> Iterator[SignedBlock]:
    """What another provider's search found: its results were sealed for the client, and are told as text. Citations of
    them are left out."""
    results = [text(block.get("tool_use_id")) for block in blocks if _is_sealed_result(block)]
    for number, block in enumerate(blocks):
        part: HostedCall | HostedResult | None = None
        if _is_sealed_result(block):
            part = hosted.read_result(block)
        elif block.get("type") in hosted.CALLS and text(block.get("id")) in results:
            part = hosted.read_call(block)
        if part is not None:
            told = hosted_text(part, Report())  # what is left out has a report of its own
            instead = encode_json({"type": "text", "text": told}) if told else None
            yield SignedBlock((*path, number), "", _ANYBODYS, len(blocks), path[:-1], instead=instead, proven=False)
        cited = block.get("citations")
        citations = cited if isinstance(cited, list) else []
        for place, citation in enumerate(citations):
            index = (mapping(citation) or {}).get("encrypted_index")
            if isinstance(index, str) and index.startswith(SEAL):
                holder = (*path, number, "citations")
                yield SignedBlock((*holder, place), "", _ANYBODYS, len(citations), holder, proven=False)


def _is_sealed_result(block: dict[str, Any]) -> bool:
    content = block.get("content")
    if not hosted.is_result(block.get("type")) or not isinstance(content, list):
        return False
    secrets = [(mapping(item) or {}).get("encrypted_content") for item in content]
    return any(isinstance(secret, str) and secret.startswith(SEAL) for secret in secrets)
