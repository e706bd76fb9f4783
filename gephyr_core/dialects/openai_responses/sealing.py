"""Signatures in ``encrypted_content``, the one opaque place of a Responses item.

OpenAI's own stands there as it is. One of another dialect is sealed, and told what it belongs to: a client of Responses
has no place for a signature on a text or a tool call, so such a one comes in a reasoning item of its own.
"""

import enum

import attrs

from gephyr_core.conversation.parts import Origin, Signature
from gephyr_core.conversation.signatures import SEAL, unseal, written

NAME = "openai-responses"

_ORIGIN = Origin(NAME)
# Without a model: OpenAI replies with a dated name for the alias that it was asked for, so it would never match. What
# another model made, OpenAI leaves out by itself (``Response.input_transformations``: ``model_mismatch``).


class Belongs(enum.Enum):
    """What a sealed signature is of."""

    THINKING = "thinking"
    REDACTED = "redacted"
    """Reasoning that is nothing but its signature (Anthropic's ``redacted_thinking``)."""
    CALL = "call"
    TEXT = "text"


@attrs.frozen
class Sealed:
    """An opaque field, read."""

    signature: Signature
    belongs: Belongs = Belongs.THINKING
    call_id: str = ""
    """The tool call that it is of."""


def own(value: str, item_id: str) -> Signature:
    """A signature of this dialect's own. *value* may be empty: the mark of reasoning that its provider can read."""
    return Signature(value, _ORIGIN, item_id)


def write_sealed(signature: Signature, belongs: Belongs = Belongs.THINKING, call_id: str = "") -> str:
    """Write ``encrypted_content``."""
    if signature.origin.dialect == NAME:
        return signature.value
    return written(attrs.evolve(signature, id=f"{belongs.value}|{call_id}|{signature.id}"), NAME)


def read_sealed(content: str, item_id: str) -> Sealed:
    """Read the ``encrypted_content`` of the item *item_id*."""
    if not content.startswith(SEAL):
        return Sealed(own(content, item_id))
    signature = unseal(content, NAME)
    kind, _, rest = signature.id.partition("|")
    call_id, bar, inner = rest.rpartition("|")
    if not bar or kind not in (known.value for known in Belongs):
        return Sealed(signature)
    return Sealed(attrs.evolve(signature, id=inner), Belongs(kind), call_id)
