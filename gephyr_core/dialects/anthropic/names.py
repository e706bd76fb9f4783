"""Names, ids and cache markers as Anthropic takes them."""

import hashlib
import re
from typing import Any

from gephyr_core.conversation.fields import Fields
from gephyr_core.conversation.parts import CacheMarker, Signature
from gephyr_core.dialects.translator import Destination

NAME = "anthropic"

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT_OF_NAME = 119
_SNAPSHOT = re.compile(r"(-latest|-\d{8}|@\d{8})$")
_TTL = {"": "", "5m": "5m", "30m": "1h", "1h": "1h", "12h": "1h"}


def short_digest(text: str, length: int) -> str:
    """The first *length* hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def tool_name(wanted: str) -> str:
    """The name of a tool as Anthropic takes it: letters, digits, ``_`` and ``-``, at most 128."""
    if _TOOL_NAME.fullmatch(wanted):
        return wanted
    return other_name(wanted)


def other_name(wanted: str) -> str:
    """A name that is made of *wanted* and is not it."""
    return f"{_NOT_IN_NAME.sub('_', wanted)[:_KEPT_OF_NAME]}_{short_digest(wanted, 8)}"


def call_id(wanted: str) -> str:
    """The id of a tool call as Anthropic takes it; the same for the call and its result."""
    return wanted if _ID.fullmatch(wanted) else f"toolu_{short_digest(wanted, 24)}"


def read_cache(fields: Fields) -> CacheMarker | None:
    """Take ``cache_control``."""
    marker = fields.child("cache_control")
    if marker is None:
        return None
    marker.ignore("type")
    read = CacheMarker(marker.text("ttl") or "", path=marker.path)
    marker.finish()
    return read


def cache_object(marker: CacheMarker) -> dict[str, Any]:
    """Write a cache marker: at least as long as it was meant to last."""
    ttl = _TTL.get(marker.ttl, "")
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}


def accepts(destination: Destination, signature: Signature | None) -> bool:
    """Whether the destination would take *signature* for its own. A model's alias and its dated name are one model."""
    return signature is not None and bool(signature.value) and destination.accepts(_undated(signature, destination))


def _undated(signature: Signature, destination: Destination) -> Signature:
    """The signature as made by the destination's model, where it was made by the same under another name."""
    model = signature.origin.model
    if model == destination.model or _SNAPSHOT.sub("", model) != _SNAPSHOT.sub("", destination.model):
        return signature
    origin = signature.origin
    return Signature(
        signature.value, type(origin)(origin.dialect, destination.model, origin.organization), signature.id
    )
