"""Signed parts in the body of a request to generate content, and calls that nobody signed."""

from collections.abc import Iterator, Sequence
from typing import Any

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.decoding import mapping, read_object, text
from gephyr_core.dialects.gemini.messages import NAME, SKIP_SIGNATURE, standard_base64
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.signed_blocks import holds, left_out, made, marked
from gephyr_core.envelope import Envelope
from gephyr_core.raw_json import Path

_SIGNATURES = ("thoughtSignature", "thought_signature")
_CALLS = ("functionCall", "function_call")
_SIGNED = (b'ignature"',)
_MARKS = (*_SIGNED, b'unctionCall"', b'unction_call"')
_FILLER = encode_json(SKIP_SIGNATURE)


def signed_blocks(envelope: Envelope) -> tuple[SignedBlock, ...]:
    """See :meth:`gephyr_core.dialects.base.Dialect.signed_blocks`."""
    if not holds(envelope.body, _MARKS if "tools" in envelope.fields else _SIGNED):
        return ()
    found: list[SignedBlock] = []
    for index, data in marked(envelope, "contents", _MARKS):
        content = read_object(data) or {}
        parts = content.get("parts")
        if isinstance(parts, list):
            found += _signed(parts, ("contents", index), is_reply=content.get("role") == "model")
    return tuple(found)


def _signed(parts: list[Any], holder: Path, *, is_reply: bool) -> Iterator[SignedBlock]:
    called = False
    for number, value in enumerate(parts):
        part = mapping(value) or {}
        path = (*holder, "parts", number)
        field = next((name for name in _SIGNATURES if text(part.get(name))), "")
        is_first = not called and any(name in part for name in _CALLS)
        called = called or is_first
        filler = _FILLER if is_first else None
        if field and part[field] != SKIP_SIGNATURE:
            name, origin, proven = made(standard_base64(part[field]), NAME)
            if _is_nothing_else(part):
                yield SignedBlock(path, name, origin, len(parts), holder, proven=proven)
            else:
                yield SignedBlock((*path, field), name, origin, filler=filler, proven=proven)
        elif filler is not None and not field and is_reply:
            yield SignedBlock((*path, _SIGNATURES[0]), filler=filler, lacking=True, proven=False)


def without(
    envelope: Envelope,  # noqa: ARG001
    blocks: Sequence[SignedBlock],
    capabilities: Capabilities,
) -> LeftOut:
    """See :meth:`gephyr_core.dialects.base.Dialect.without`. Gemini 3 wants the first call of a step signed, and takes
    a documented filler where another model made it. It gets that in earlier turns too: a turn must not change when it
    is no longer the current one."""
    return left_out(blocks, fills=capabilities.signatures_required)


def _is_nothing_else(part: dict[str, Any]) -> bool:
    """Whether a part is a thought, or only the bearer of a signature."""
    return part.get("thought") is True or not any(
        value for name, value in part.items() if name not in (*_SIGNATURES, "thought")
    )
