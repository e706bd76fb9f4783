"""Signed reasoning in the body of a Chat request: OpenRouter's details, and Google's signatures."""

from collections.abc import Iterator, Sequence
from typing import Any

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.decoding import mapping, read_object
from gephyr_core.dialects.openai_chat.reasoning import NAME, PROVEN, google_signature, proof_of
from gephyr_core.dialects.signed_blocks import holds, left_out, made, marked
from gephyr_core.envelope import Envelope
from gephyr_core.raw_json import Path

_FILLER = b'"skip_thought_signature_validator"'
"""Google's documented filler for a function call that another model made."""


def signed_blocks(envelope: Envelope) -> tuple[SignedBlock, ...]:
    """See :meth:`gephyr_core.dialects.base.Dialect.signed_blocks`."""
    if not holds(envelope.body, PROVEN):
        return ()
    found: list[SignedBlock] = []
    for index, data in marked(envelope, "messages", PROVEN):
        message = read_object(data) or {}
        path = ("messages", index)
        details = message.get("reasoning_details")
        if isinstance(details, list):
            found += _details(details, (*path, "reasoning_details"))
        found += _google(message, path, None)
        calls = message.get("tool_calls")
        for number, call in enumerate(calls if isinstance(calls, list) else ()):
            found += _google(mapping(call) or {}, (*path, "tool_calls", number), None if number else _FILLER)
    return tuple(found)


def without(
    envelope: Envelope,  # noqa: ARG001
    blocks: Sequence[SignedBlock],
    capabilities: Capabilities,
) -> LeftOut:
    """See :meth:`gephyr_core.dialects.base.Dialect.without`."""
    return left_out(blocks, fills=capabilities.signatures_required)


def _details(details: list[Any], holder: Path) -> Iterator[SignedBlock]:
    """Find the details that prove something, each with what it proves: the unsigned fragments of a text right before
    it, and the summary of encrypted reasoning."""
    waiting: list[Path] = []
    before: tuple[Any, Any] = (None, None)
    for number, value in enumerate(details):
        detail = mapping(value) or {}
        kind = str(detail.get("type"))
        proof = proof_of(detail)
        this = (kind, detail.get("index"))
        belongs = this == before or (kind == "reasoning.encrypted" and before[0] == "reasoning.summary")
        if not belongs:
            waiting = []
        before = this
        path = (*holder, number)
        if proof is None:
            waiting.append(path)
            continue
        name, origin, proven = made(proof, NAME)
        yield SignedBlock(path, name, origin, len(details), holder, tuple(waiting), proven=proven)
        waiting, before = [], (None, None)


def _google(fields: dict[str, Any], path: Path, filler: bytes | None) -> Iterator[SignedBlock]:
    """Find the signature of a message or a call."""
    extra = mapping(fields.get("extra_content")) or {}
    google = mapping(extra.get("google")) or {}
    value = google_signature(fields)
    if value is None or value.encode() == _FILLER.strip(b'"'):
        return
    name, origin, proven = made(value, NAME)
    holder = (*path, "extra_content")
    path = (*holder, "google", "thought_signature")
    alone = len(extra) == len(google) == 1
    yield SignedBlock(path, name, origin, holder=holder if alone else (), filler=filler, proven=proven)
