"""The stable start of a conversation: its system prompt and the first words of its user.

A client without a session id sends the whole conversation each time, so its start tells it from others and holds over
its turns; until the client compacts it, and then the provider's cached prompt is lost as well. Agents put texts of
their own first, alike in all conversations of a directory: those are passed over.

This runs on each request, so only the beginning of a body is read, and what is read depends on nothing behind it:
the values that lie within the first bytes as they are, those behind with their long strings (a prompt, an image) cut.
"""

import json
import re
import zlib
from collections.abc import Iterator

import attrs
import msgspec

from gephyr_core.envelope import Envelope, EnvelopeError, json_type

_WINDOW = 2048
"""Bytes of a field whose values are read as they are."""
_FARTHEST = 8 * 1024 * 1024
"""Bytes of a field behind which nothing is looked for. A first message may hold an image or two."""
_STRINGS = (16, 48, 192)
"""How many strings behind the window are looked at: first a few, then, if the start is not among them, more."""
_ROOM = 32 * 1024
"""Bytes behind the window that are read."""
_LONG, _HEAD, _SUMMED, _TAIL = 2048, 1024, 16 * 1024, 256
"""Bytes: a longer string is cut to its head, its length, the checksum of its beginning, and its tail."""


@attrs.frozen
class _Shape:
    """Where a dialect puts a conversation."""

    turns: str
    system: tuple[str, ...] = ()
    content: str = "content"


_SHAPES = {
    "openai-chat": _Shape("messages"),
    "openai-responses": _Shape("input", ("instructions",)),
    "anthropic": _Shape("messages", ("system",)),
    "gemini": _Shape("contents", ("systemInstruction", "system_instruction"), "parts"),
}
"""The dialects that have turns: not the legacy completions, whose prompt grows from one request to the next."""

_BILLING = "x-anthropic-billing-header:"
"""Begins a line that Claude Code puts before its system prompt; a part of it differs from request to request."""

_OWN_TAGS = ("system-reminder", "environment_context", "environment_details", "user_instructions", "session_context")
_OWN = {
    **{f"<{tag}>": f"</{tag}>" for tag in _OWN_TAGS},
    "# AGENTS.md instructions": "</INSTRUCTIONS>",
}
"""How what agents say in the user's name begins and ends: Claude Code, Codex, Cline and Gemini CLI do."""
_OWN_TURN = "This is the Gemini CLI. We are setting up the context for our chat."
"""How the turn begins that older versions of Gemini CLI lead with."""
_OTHER_BEGINNINGS = ("#", _OWN_TURN)
_OWN_BEGINNING = re.compile("|".join(map(re.escape, _OWN)))


def conversation_start(dialect: str, envelope: Envelope) -> tuple[str, ...] | None:
    """Return the texts of the system prompt and, last, the user's first words; None where the user said nothing yet."""
    shape = _SHAPES.get(dialect)
    turns = envelope.fields.get(shape.turns) if shape else None
    if shape is None or turns is None:
        return None
    system: list[str] = []
    for turn in _values(turns):
        role, texts = _said(turn, shape.content)
        if role == "user":
            words = next(filter(None, map(_words, texts)), None)
            if words is not None:
                return *_system(envelope, shape), *filter(None, map(_prompt, system)), words
        elif role in ("system", "developer"):
            system += texts
    return None


def check_roles(dialect: str, envelope: Envelope) -> None:
    """Raise ``EnvelopeError`` for a turn at a conversation's beginning whose role is no string: no dialect has such.

    Worth its cost where a conversation has no start.
    """
    shape = _SHAPES.get(dialect)
    turns = envelope.fields.get(shape.turns) if shape else None
    if shape is None or turns is None:
        return
    for index, turn in enumerate(_values(turns)):
        role = turn.get("role") if isinstance(turn, dict) else None
        if role is not None and not isinstance(role, str):
            path = f"{shape.turns}[{index}].role"
            raise EnvelopeError(f"{path}: expected a string, got {json_type(role)}", path)


def _system(envelope: Envelope, shape: _Shape) -> Iterator[str]:
    for name in shape.system:
        raw = envelope.fields.get(name)
        if raw is not None:
            for value in _values(raw):
                parts = value.get("parts") if isinstance(value, dict) and shape.content == "parts" else [value]
                yield from filter(None, map(_prompt, _texts(parts)))


def _said(turn: object, content: str) -> tuple[object, list[str]]:
    """Return a turn's role and texts. What names neither role nor type is Gemini's way to say ``user``."""
    if isinstance(turn, str):
        return "user", [turn]
    if not isinstance(turn, dict):
        return None, []
    role = turn.get("role")
    if role is None or role == "":
        role = None if "type" in turn else "user"
    return role, _texts(turn.get(content))


def _texts(content: object) -> list[str]:
    """Return the texts of a content: a string, or a list of parts, those of Gemini maybe without the list."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return [text for text in texts if isinstance(text, str)]


def _prompt(text: str) -> str:
    """Return a system prompt without what changes with each request."""
    if text.startswith(_BILLING):
        text = text.partition("\n")[2]
    return text.strip()


def _words(text: str) -> str:
    """Return what the user said, without what an agent put before or behind it; empty where nothing is left."""
    text = text.strip()
    if "<" not in text and not text.startswith(_OTHER_BEGINNINGS):
        return text
    while own := _OWN_BEGINNING.match(text):
        text = text.partition(_OWN[own[0]])[2].lstrip()  # one that does not end is all there is
    if text.startswith(_OWN_TURN):
        return ""
    behind = _OWN_BEGINNING.search(text)
    return text[: behind.start()].rstrip() if behind else text


# -- reading the beginning of a JSON value ------------------------------------------------------------------------

_scan = json.JSONDecoder(parse_int=float).raw_decode  # int() refuses what has over 4,300 digits
_BETWEEN = re.compile(r"[ \t\r\n,]*+(?!\]|\Z)")
_QUOTE = re.compile(rb'"(?<![^\\]\\")(?<![^\\]\\{3}")')
"""A quotation mark that is not escaped, as far as one can say quickly: behind one or three backslashes, it is."""
_BACKSLASH = ord("\\")


def _values(raw: msgspec.Raw) -> Iterator[object]:
    """Yield the first values of an array, or what is no array, as long as they can be read."""
    view = memoryview(raw)[:_FARTHEST]
    text = str(view[:_WINDOW], "utf-8", "replace")
    if len(view) > _WINDOW and text[0] == '"':
        yield _scan(f'"{_shortened(bytes(view), 1, len(view) - 1).decode("utf-8", "replace")}"')[0]
        return
    end = int(text[0] == "[")
    for value, end in _whole(text, end):  # noqa: B007, B020
        yield value
    if len(view) > _WINDOW:
        body, start, end = bytes(view), len(text[:end].encode()), 0
        for text in _cut(body, start):
            for value, end in _whole(text, end):  # noqa: B007, B020
                yield value


def _whole(text: str, at: int) -> Iterator[tuple[object, int]]:
    """Yield the values of *text* from *at* on, each with its end, up to the first that is not there as a whole."""
    while between := _BETWEEN.match(text, at):
        try:
            value, at = _scan(text, between.end())
        except (ValueError, RecursionError):
            return
        yield value, at


def _cut(body: bytes, start: int) -> Iterator[str]:
    """Yield the JSON from *start* on, with the long strings cut: more of it each time, up to a limit."""
    text, more, room = b"", True, _ROOM
    for strings in _STRINGS:
        if not more:
            return
        pieces = [text]
        for _ in range(strings):
            opening = body.find(b'"', start) + 1
            closing = _string_end(body, opening) if opening else -1
            room -= min(closing - opening, _LONG) + opening - start
            more = closing >= 0 and room > 0
            if not more:
                break
            if closing - opening <= _LONG:
                pieces.append(body[start : closing + 1])
            else:
                pieces += body[start:opening], _shortened(body, opening, closing), b'"'
            start = closing + 1
        text = b"".join(pieces)
        between = body[start : start + _WINDOW].partition(b'"')[0]  # may end a value
        yield (text + between).decode("utf-8", "replace")


def _string_end(body: bytes, start: int) -> int:
    """Return where a string ends whose text begins at *start*, or -1."""
    end = body.find(b'"', start)  # far faster than the pattern
    if end <= start or body[end - 1] != _BACKSLASH:
        return end
    while match := _QUOTE.search(body, end):
        end = before = match.start()
        while body[before - 1] == _BACKSLASH:
            before -= 1
        if (end - before) % 2 == 0:
            return end
        end += 1
    return -1


def _shortened(body: bytes, opening: int, closing: int) -> bytes:
    """Return a text as its beginning, its length, a checksum and its end: cut where no escape is torn apart."""
    head = opening + _HEAD
    escape = body.rfind(b"\\", head - 5, head)
    if escape >= 0:
        head = escape
        while body[head - 1] == _BACKSLASH:
            head -= 1
    tail = body.find(b" ", closing - _TAIL, closing)
    checksum = zlib.crc32(body[opening : min(closing, opening + _SUMMED)])
    end = body[tail:closing] if tail >= 0 else b""
    return b"%b [%d %08x]%b" % (body[opening:head], closing - opening, checksum, end)
