"""Gemini's JSON: protobuf's, with its two spellings of a name, its two alphabets of base64 and its enums.

What Google's own SDKs write differs by language: Python writes bytes in the alphabet for URLs, some clients write names
in snake case, and a list of one thing may be the thing itself (all recorded).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import Origin, Signature, Thinking
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import unseal, written

NAME = "gemini"
SKIP_SIGNATURE = "skip_thought_signature_validator"
"""Google's documented filler for a function call that another model made."""

_MARKS = {"redacted": (True, False), "summary": (False, True)}
"""What kind of reasoning a sealed signature is of: Gemini's thoughts know none, their makers do."""
_SNAKE = re.compile(r"_([a-z0-9])")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
_STANDARD = str.maketrans("-_", "+/")


class Message(Fields):
    """A protobuf message being read. Its fields are asked for in camel case, whichever way the client spelled them;
    paths are the client's."""

    __slots__ = ("_spelled",)

    def __init__(self, value: object, path: str, report: Report) -> None:
        super().__init__(value, path, report)
        self._spelled: dict[str, str] = {}
        for name in [name for name in self.left if "_" in name]:
            camel = camel_case(name)
            if self.left.get(camel) is None:
                self.left[camel] = self.left.pop(name)
                self._spelled[camel] = name

    def at(self, name: str) -> str:
        """The path of the field *name*, as the client spelled it."""
        return super().at(self._spelled.get(name, name))

    def integer(self, name: str) -> int | None:
        """Take a whole number; protobuf's JSON writes large ones as strings."""
        value = self.left.get(name)
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            self.left[name] = int(value)
        return super().integer(name)

    def array(self, name: str) -> list[Any]:
        """Take an array; a single object stands for an array of one."""
        value = self.left.get(name)
        if isinstance(value, dict):
            self.left[name] = [value]
        return super().array(name)

    def child(self, name: str) -> "Message | None":
        """Take a message to be read field by field; the caller finishes it."""
        value = self.left.pop(name, None)
        return None if value is None else Message(value, self.at(name), self.report)

    def children(self, name: str) -> "Iterator[Message]":
        """Take messages to be read field by field; the caller finishes each."""
        path = self.at(name)
        for index, value in enumerate(self.array(name)):
            yield Message(value, f"{path}[{index}]", self.report)

    def word(self, name: str, words: Sequence[str]) -> str | None:
        """Take an enum's value: its name in any case, or its number. None when absent or unspecified (the first).

        Raises ``FieldError`` for one that is not among *words*.
        """
        value = self.left.pop(name, None)
        word = enum_word(value, words)
        if value is not None and word is None:
            raise FieldError(self.at(name), f"expected one of {', '.join(words[1:])}, got {value!r}")
        return None if word == words[0] else word


def enum_word(value: object, words: Sequence[str]) -> str | None:
    """Read an enum's value, by name or number; None for what is none of *words*."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return words[value] if 0 <= value < len(words) else None
    word = value.upper() if isinstance(value, str) else None
    return word if word in words else None


def camel_case(name: str) -> str:
    """A field's name as protobuf's JSON prefers it."""
    return _SNAKE.sub(lambda found: found[1].upper(), name)


def standard_base64(text: str) -> str:
    """Base64 in the usual alphabet, and padded."""
    text = text.translate(_STANDARD)
    return text + "=" * (-len(text) % 4)


def read_signature(value: str) -> Signature:
    """Read a ``thoughtSignature``: a provider's own, or one of another dialect that was sealed here.

    Its origin has no model: a Gemini reply may name another one than it was asked by, and Google takes its
    signatures from one model to the next.
    """
    if value == SKIP_SIGNATURE:
        return Signature(value, Origin(NAME))
    return unseal(standard_base64(value), NAME)


def read_thought(text: str, signature: Signature | None, path: str = "") -> Thinking:
    """Read a thought. Another dialect's is again what it was there."""
    mark, colon, item = signature.id.partition(":") if signature is not None else ("", "", "")
    if signature is None or not colon or mark not in _MARKS:
        return Thinking(text, signature, path=path)
    redacted, summary = _MARKS[mark]
    return Thinking(text, attrs.evolve(signature, id=item), redacted, summary, path=path)


def write_thought_signature(signature: Signature, thought: Thinking) -> str:
    """Write the signature of a thought; see :func:`read_thought`."""
    mark = "redacted" if thought.redacted else "summary" if thought.summary else ""
    if mark and signature.origin.dialect != NAME:
        signature = attrs.evolve(signature, id=f"{mark}:{signature.id}")
    return written(signature, NAME)
