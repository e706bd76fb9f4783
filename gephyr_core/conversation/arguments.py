"""The arguments of tool calls, which are a JSON object's text: what stands for none, what a limit cut off, and what is
taken out of one."""

import re
from typing import Any

import attrs
import msgspec

from gephyr_core.surrogates import readable

NONE = "{}"
_NONE_SAID = ("", "null", "[]", '""')
"""How models, and languages whose empty object is an empty list, write that there are no arguments."""
_LONGEST_NONE = 64
"""Characters, white space included, that may still turn out to be one of them."""
BROKEN = "the arguments are no JSON object: they stand in one as the text that they are"
"""What is reported of :func:`kept_of_broken`."""
_UNREAD = object()
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")
_HALF_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}$")


def as_object(text: str) -> str:
    """Return a call's arguments: ``{}`` for what says that there are none, anything else as it is."""
    said_none = len(text) <= _LONGEST_NONE or not text.strip()
    return NONE if said_none and "".join(text.split()) in _NONE_SAID else text


def decoded(text: str) -> dict[str, Any] | None:
    """Decode a call's arguments; None for what is no JSON object: a limit cut it off, or the model wrote it badly."""
    value = _read(text)
    if value is _UNREAD and (whole := readable(text)) is not None:
        value = _read(whole)
    return value if isinstance(value, dict) else None


def _read(text: str | bytes) -> Any:
    try:
        return _ANY.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _UNREAD


def kept_of_broken(text: str) -> dict[str, str]:
    """What stands for arguments of the history that are no object, where one is wanted.

    The key is the one that Anthropic's documentation of fine-grained tool streaming proposes; no tool has a parameter
    of that name.
    """
    return {"INVALID_JSON": text}


def member(text: str, name: str) -> str:
    """Take a member out of an object's text: an ``input`` as the string that it is, another as its JSON; of an object
    that was cut off, as far as it came. What is no such object stays."""
    value = decoded(text)
    if value is not None:
        if name not in value:
            return text
        found = value[name]
        return found if isinstance(found, str) and name == "input" else msgspec.json.encode(found).decode()
    begun = re.match(rf'\s*\{{\s*"{name}"\s*:\s*', text)
    if begun is None:
        return "" if text.lstrip().startswith("{") else text
    rest = text[begun.end() :]
    return _begun_string(rest) if name == "input" and rest.startswith('"') else rest


def _begun_string(text: str) -> str:
    """What a JSON string says that has no end."""
    for without in (None, _HALF_ESCAPE, _HALF_PAIR):
        text = text if without is None else without.sub(r"\1", text)
        try:
            return str(_ANY.decode(f'{text}"'))
        except (msgspec.MsgspecError, ValueError):
            continue
    return ""


@attrs.define
class Incoming:
    """Arguments that come in pieces. The first are held until they are known to say something."""

    told: bool = False
    """Some of them was handed on."""
    _held: str = ""

    def add(self, piece: str) -> str:
        """Add a piece; return what is to be handed on."""
        if self.told:
            return piece
        held = self._held + piece if self._held else piece.lstrip()
        said = "".join(held[: _LONGEST_NONE + 1].split())
        if len(held) <= _LONGEST_NONE and any(none.startswith(said) for none in _NONE_SAID):
            self._held = held
            return ""
        self.told, self._held = True, ""
        return held

    def end(self, *, cut: bool = False) -> str:
        """They are complete, or *cut* off by the reply's end. Return what is left to hand on: ``{}`` where they say
        nothing, and nothing where nobody knows what they would have said."""
        if self.told or (cut and not self._held):
            return ""
        held, self._held, self.told = self._held, "", True
        return held if cut else as_object(held)
