"""Reasoning in Chat messages: OpenRouter's ``reasoning_details``, and the ``reasoning_content`` of many others.

OpenAI's own Chat has no place for it. A detail is ``reasoning.text`` (with a ``signature``), ``reasoning.encrypted``
(opaque ``data``) or ``reasoning.summary``; a summary and the encrypted detail behind it are one piece of reasoning.
Signatures of other dialects stand in the same fields, sealed (:mod:`gephyr_core.conversation.signatures`); Gemini's on
texts and calls stand where Google's own Chat endpoint puts them, in ``extra_content.google.thought_signature``.
"""

from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.parts import Origin, Signature, Thinking
from gephyr_core.conversation.signatures import SEAL, unseal, written
from gephyr_core.dialects.decoding import mapping, text

NAME = "openai-chat"
PLAIN = ("reasoning_content", "reasoning")
"""Fields of reasoning as plain text. DeepSeek, Qwen, Kimi and Z.ai use the first, OpenRouter and Groq the second."""

INCLUDE = "include_reasoning"
"""OpenRouter's older field for whether reasoning is shown; vLLM has it too."""

THINKING_PART = "thinking"
"""Mistral's place for reasoning: a part of the content."""

_TEXT, _ENCRYPTED, _SUMMARY = "reasoning.text", "reasoning.encrypted", "reasoning.summary"
PROOFS = {_TEXT: "signature", _ENCRYPTED: "data"}
"""Types of details, each with the member that proves it."""
PROVEN = (b'signature"', b'"reasoning.encrypted"')
"""One of them stands in whatever holds what only its maker takes."""
_ORIGIN = Origin(NAME)
# Without a model: providers reply with other names for it than they are asked by, so it would never match.


def plain_mark(field: str) -> Signature:
    """The mark of unsigned reasoning: which field it stood in. It lets it find the way back to its provider, which
    may demand it in a tool loop (DeepSeek), through clients of dialects that know only signed reasoning."""
    return Signature("", _ORIGIN, field)


def read_signature(value: str, item: str = "") -> Signature:
    """Read an opaque field: a provider's own signature, or one of another dialect that was sealed here. *item*: what
    :func:`item_of` says of the detail."""
    signature = unseal(value, NAME)
    return signature if value.startswith(SEAL) else attrs.evolve(signature, id=item)


def item_of(detail: dict[str, Any]) -> str:
    """The format and the id of a detail, both of which OpenRouter wants back."""
    kind, name = text(detail.get("format")), text(detail.get("id"))
    return f"{kind or 'unknown'} {name or ''}".rstrip() if kind or name else ""


def read_details(details: list[Any]) -> list[Thinking]:
    """Read ``reasoning_details``. Fragments of a stream that the client did not join are joined."""
    parts: list[Thinking] = []
    previous: tuple[Any, Any] = (None, None)
    for detail in details:
        read = read_detail(detail)
        if read is None:
            continue
        key = (detail.get("type"), detail.get("index"))
        last = parts[-1] if parts else None
        if last is not None and last.signature is None and _continues(last, read, same=key == previous):
            parts[-1] = attrs.evolve(last, text=last.text + read.text, signature=read.signature)
        else:
            parts.append(read)
        previous = key
    return parts


def _continues(last: Thinking, read: Thinking, *, same: bool) -> bool:
    """Whether *read* belongs to *last*, which is not signed: a fragment of the same detail, or a summary's proof."""
    return (last.summary and read.redacted) or (same and not read.redacted)


def read_detail(detail: object) -> Thinking | None:
    """Read one detail; None for what is none."""
    fields = mapping(detail)
    if fields is None:
        return None
    kind, item = fields.get("type"), item_of(fields)
    if kind == _ENCRYPTED:
        data = text(fields.get("data"))
        return Thinking("", read_signature(data, item), redacted=True) if data else None
    if kind == _SUMMARY:
        return Thinking(text(fields.get("summary")) or "", summary=True)
    if kind != _TEXT:
        return None
    signature = text(fields.get("signature"))
    return Thinking(text(fields.get("text")) or "", read_signature(signature, item) if signature else None)


def detail_objects(part: Thinking, index: int) -> list[dict[str, Any]]:
    """Write reasoning as ``reasoning_details``, numbered from *index* on: OpenAI's SDK joins what has one number."""
    signature = part.signature if part.signature is not None and part.signature.value else None
    details: list[dict[str, Any]] = []
    if part.summary:
        details.append({"type": _SUMMARY, "summary": part.text})
    elif not part.redacted:
        details.append({"type": _TEXT, "text": part.text})
    if signature is not None and (part.summary or part.redacted):
        details.append({"type": _ENCRYPTED, "data": written(signature, NAME)})
    elif signature is not None:
        details[-1]["signature"] = written(signature, NAME)
    item = signature.id if signature is not None and signature.origin.dialect == NAME else ""
    kind, _, name = item.partition(" ")
    for number, detail in enumerate(details, index):
        if kind:
            detail["format"] = kind
        detail["index"] = number
    if name:
        details[-1]["id"] = name
    return details


def proof_of(detail: dict[str, Any]) -> str | None:
    """What proves a detail, and only its maker takes; None where nothing does."""
    return text(detail.get(PROOFS.get(str(detail.get("type")), "")))


def proofs_of(choices: list[Any]) -> Iterator[str]:
    """Yield what only its maker takes in the choices of a reply, or of a chunk of one."""
    for choice in choices:
        fields = mapping(choice) or {}
        said = mapping(fields.get("delta")) or mapping(fields.get("message")) or {}
        details, calls = said.get("reasoning_details"), said.get("tool_calls")
        for detail in details if isinstance(details, list) else ():
            if proof := proof_of(mapping(detail) or {}):
                yield proof
        for bearer in (said, *(calls if isinstance(calls, list) else ())):
            if value := google_signature(mapping(bearer) or {}):
                yield value


def google_signature(bearer: dict[str, Any]) -> str | None:
    """The signature of a message or a call, where Google's own Chat endpoint puts it."""
    google = mapping((mapping(bearer.get("extra_content")) or {}).get("google")) or {}
    return text(google.get("thought_signature"))


def signature_of(extra: object) -> Signature | None:
    """Read Google's ``extra_content`` of a message or a tool call; None where it holds no signature."""
    google = mapping((mapping(extra) or {}).get("google")) or {}
    value = text(google.get("thought_signature"))
    return read_signature(value) if value else None


def extra_content(signature: Signature) -> dict[str, Any]:
    """Write a signature of a text or a tool call."""
    return {"google": {"thought_signature": written(signature, NAME)}}
