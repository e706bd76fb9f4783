"""Items that the model wrote: of a client's history, and of a provider's reply."""

from typing import Any

import attrs

from gephyr_core.conversation.arguments import as_object
from gephyr_core.conversation.fields import Fields
from gephyr_core.conversation.parts import HostedCall, HostedResult, Part, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import TOOL_SEARCH
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.openai_responses.client_tools import CALL_TYPES, TYPED, known_name, read_call
from gephyr_core.dialects.openai_responses.hosted import KINDS, read_hosted
from gephyr_core.dialects.openai_responses.media_reading import read_content
from gephyr_core.dialects.openai_responses.sealing import Belongs, Sealed, own, read_sealed
from gephyr_core.dialects.rendering import encode_json

_UNFINISHED = ("in_progress", "incomplete")
"""Statuses of items that a limit cut off."""
PARAGRAPH = "\n\n"
"""Between the texts of a reasoning item's summary."""


@attrs.frozen
class Loose:
    """A signature that came in a reasoning item of its own, to be put back on the text or the call that it is of."""

    sealed: Sealed


def read_item(item: Fields, keys: ToolKeys | None = None) -> list[Part | Loose]:
    """Read one item that the model wrote. Whatever it holds is taken. *keys*: of a request's tools.

    Raises ``FieldError``, and ``UntranslatableError`` for an item of a type that is not known.
    """
    kind = item.text("type") or "message"
    match kind:
        case "message":
            item.ignore("id", "status", "role")
            return list(read_content(item, phase=item.text("phase") or ""))
        case "reasoning":
            return _reasoning(item)
        case "function_call":
            return [_call(item, keys, freeform=False)]
        case "custom_tool_call":
            return [_call(item, keys, freeform=True)]
    whole = {"type": kind, **item.left}
    item.left.clear()
    if kind in CALL_TYPES and is_client_call(kind, whole):
        name, arguments = read_call(kind, whole)
        name = (keys.of(TYPED, name) if keys is not None else None) or name
        return [ToolCall(text(whole.get("call_id")) or text(whole.get("id")) or "", name, arguments, path=item.path)]
    if kind in KINDS:
        return list(read_hosted(whole, item.path))
    raise item.report.refused(item.path, f"an item of type {kind!r} is not known")


def is_client_call(kind: str, item: dict[str, Any]) -> bool:
    """Whether the client, and not OpenAI, runs what an item of a typed call asks for."""
    if kind == "tool_search_call":
        return item.get("execution") == "client"
    if kind == "shell_call":
        environment = mapping(item.get("environment"))
        return environment is None or environment.get("type") == "local"
    return True


def _call(item: Fields, keys: ToolKeys | None, *, freeform: bool) -> ToolCall:
    arguments, status = item.take("input" if freeform else "arguments"), item.take("status")
    if isinstance(arguments, dict) or (isinstance(arguments, list) and not freeform):
        arguments = encode_json(arguments).decode()
    told = arguments if isinstance(arguments, str) else ""
    item.ignore("id", "caller", "async")
    name = known_name(keys, item.text("namespace") or "", item.required_text("name"))
    # In a reply, one that was cut off before its arguments has none: nobody knows what they would have been.
    if not freeform and (told.strip() or keys is not None or status not in _UNFINISHED):
        told = as_object(told)
    return ToolCall(item.required_text("call_id"), name, told, freeform, path=item.path)


def _reasoning(item: Fields) -> list[Part | Loose]:
    item_id, content = item.text("id") or "", item.text("encrypted_content") or ""
    item.ignore("status")
    summary = PARAGRAPH.join(_texts(item, "summary"))
    told = "".join(_texts(item, "content"))
    sealed = read_sealed(content, item_id) if content else None
    if sealed is not None and sealed.belongs in (Belongs.CALL, Belongs.TEXT):
        return [Loose(sealed)]
    signature = sealed.signature if sealed is not None else own("", item_id) if item_id else None
    abroad = signature is not None and signature.origin.dialect != own("", "").origin.dialect
    parts: list[Thinking] = []
    if summary:
        # Another dialect's reasoning stands there for want of another place.
        parts.append(Thinking(summary, summary=not abroad, path=item.path))
    if told:
        parts.append(Thinking(told, path=item.path))
    if not parts and content:
        redacted = sealed is not None and sealed.belongs is Belongs.REDACTED
        parts.append(Thinking("", redacted=redacted, summary=not abroad, path=item.path))
    if parts:
        parts[-1] = attrs.evolve(parts[-1], signature=signature)
    return list(parts)


def _texts(item: Fields, name: str) -> list[str]:
    return [part.text for part in read_content(item, name) if isinstance(part, Text)]


def attached(parts: list[Part | Loose]) -> list[Part]:
    """Put signatures back on what they are of: a call by its id, a text that stands right before; and give what a
    search of tools found to the search before it, which has no id of the call either."""
    kept: list[Part] = []
    searched = ""
    for part in parts:
        if not isinstance(part, Loose):
            if isinstance(part, HostedCall) and part.kind == TOOL_SEARCH:
                searched = part.id
            elif isinstance(part, HostedResult) and part.kind == TOOL_SEARCH and searched:
                part = attrs.evolve(part, call_id=searched)  # noqa: PLW2901
            kept.append(part)
        elif part.sealed.belongs is Belongs.TEXT:
            last = kept[-1] if kept else None
            if isinstance(last, Text):
                kept[-1] = attrs.evolve(last, signature=part.sealed.signature)
            else:
                kept.append(Text("", signature=part.sealed.signature))
    loose = {part.sealed.call_id: part.sealed for part in parts if isinstance(part, Loose)}
    for index, part in enumerate(kept):
        if isinstance(part, ToolCall) and part.id in loose:
            kept[index] = attrs.evolve(part, signature=loose[part.id].signature)
    return kept
