"""Signed reasoning on its way through a client that speaks another dialect.

A provider's signature means something to that provider only. Where the client's dialect has an opaque place of its own
for one, it goes there sealed: with its origin, so that it comes back to its maker and never goes to anyone else. The
seal is base64, since Gemini's SDK decodes what stands there.
"""

import base64
import hashlib

import msgspec

from gephyr_core.conversation.parts import Origin, Signature

SEAL = "Z2VwaHlyLzE6"
"""How every sealed signature begins: the base64 of ``gephyr/1:``."""

_MARK = b"gephyr/1:"
_DECODER = msgspec.json.Decoder(tuple[str, str, str, str, str])


def seal(signature: Signature) -> str:
    """Write a signature with its origin, as a text for an opaque field of another dialect."""
    origin = signature.origin
    payload = (origin.dialect, origin.model, origin.organization, signature.id, signature.value)
    return base64.b64encode(_MARK + msgspec.json.encode(payload)).decode()


def unseal(text: str, dialect: str) -> Signature:
    """Read an opaque field that a client of *dialect* sent back: sealed here, or a signature of that dialect's own."""
    if text.startswith(SEAL):
        try:
            raw = base64.b64decode(text, validate=True).removeprefix(_MARK)
            maker, model, organization, item, value = _DECODER.decode(raw)
        except (msgspec.MsgspecError, ValueError):
            return Signature(text, Origin("unknown"))
        return Signature(value, Origin(maker, model, organization), item)
    return Signature(text, Origin(dialect))


def written(signature: Signature, dialect: str) -> str:
    """How *signature* stands in an opaque field of *dialect*: as it is at home, sealed abroad."""
    return signature.value if signature.origin.dialect == dialect else seal(signature)


def organization_digest(organization: str) -> str:
    """A name for an organisation that tells a client nothing."""
    return hashlib.sha256(organization.encode()).hexdigest()[:12]
