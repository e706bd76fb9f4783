"""The call that a reply's text is, where a schema stood in for a forced call (:mod:`.forced_calls`), or the value.

The arguments, or the value, go on as they come. What the model says that is no JSON object (a refusal, say) stays text.
"""

import re

import attrs
import msgspec

from gephyr_core.conversation.parts import Text, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    Ended,
    PartEnded,
    PartStarted,
    Signed,
    Stop,
    StopReason,
    TextAdded,
)
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import StandIn
from gephyr_core.translation.restoring import Restores

_HEAD = re.compile(r'\s*\{\s*(?:"call"\s*:\s*\{\s*)?"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\S)')
"""What stands before the arguments of a call of one of several tools."""
_HEAD_OF_VALUE = re.compile(r'\s*\{\s*"value"\s*:\s*(?=\S)')
_LONGEST_HEAD = 4096
"""Characters that are searched for it; the longest name of a tool is shorter by far."""
_MARK = re.compile(r'["{}\[\],]')
_MARK_IN_STRING = re.compile(r'["\\]')
_ANY = msgspec.json.Decoder()


@attrs.define
class CallingRestorer:
    """Makes the call of the text, and hands everything on to *restorer*."""

    restorer: Restores
    calls: "CallOfText"

    def feed(self, delta: Delta) -> list[Delta]:
        """Return what the client's writer is told in place of *delta*."""
        return [restored for made in self.calls.feed(delta) for restored in self.restorer.feed(made)]


@attrs.define
class CallOfText:
    """Reads one attempt's deltas. Only the beginning of the text is held, or all of it where it begins otherwise than
    the schema says."""

    stand_in: StandIn
    found: bool = attrs.field(default=False, init=False)
    """The text was what the schema says. Later texts stay what they are: there is one call."""
    _open: "dict[int, _Opening | _Arguments]" = attrs.field(factory=dict, init=False)

    def feed(self, delta: Delta) -> list[Delta]:
        """Return what *delta* is, with the call in place of the text."""
        match delta:
            case PartStarted(index, part) if isinstance(part, Text) and not self.found and not self._open:
                self._open[index] = _Opening(index, part)
                return [] if not part.text else self._text(index, part.text)
            case PartStarted():
                return [*self._settled(), delta]
            case TextAdded(index, text) if index in self._open:
                return self._text(index, text)
            case PartEnded(index) if index in self._open:
                return [*self._closed(index), delta]
            case Signed(index) | Cited(index) if isinstance(opening := self._open.get(index), _Opening):
                opening.later.append(delta)
                return []
            case Cited(index) if index in self._open:
                return []  # A call has no place for it.
            case Ended(stop, usage):
                is_call = self.found and not self.stand_in.of_value and stop.reason is StopReason.END
                ended = Ended(Stop(StopReason.TOOL_CALL, detail=stop.detail), usage)
                return [*self._settled(), ended if is_call else delta]
        return [delta]

    def _text(self, index: int, text: str) -> list[Delta]:
        opened = self._open[index]
        if isinstance(opened, _Arguments):
            taken = opened.take(text)
            return [self._more(index, taken)] if taken else []
        opened.add(text)
        if not opened.begins:
            return []
        if opened.begins != "{":
            return self._as_text(index)
        if self.stand_in.name:
            return self._as_call(index, self.stand_in.name, opened.text.lstrip())
        head = opened.head(_HEAD_OF_VALUE if self.stand_in.of_value else _HEAD)
        name = _name(head[1]) if head is not None and not self.stand_in.of_value else ""
        if head is None or not (name or self.stand_in.of_value):
            return []
        return self._as_call(index, name, opened.text[head.end() :])

    def _closed(self, index: int) -> list[Delta]:
        """The text is complete: what is still held is a call that begins otherwise, or none."""
        opened = self._open.pop(index)
        if isinstance(opened, _Arguments):
            return [] if opened.begun or self.stand_in.of_value else [ArgumentsAdded(index, "{}")]
        self._open[index] = opened
        found = _found(opened.text, of_value=self.stand_in.of_value)
        told = self._as_text(index) if found is None else self._as_call(index, *found)
        self._open.pop(index, None)
        return told

    def _settled(self) -> list[Delta]:
        """Another part begins, or the reply ends: what nothing was said of yet begins as a text."""
        waiting = [index for index, opened in self._open.items() if isinstance(opened, _Opening)]
        return [told for index in waiting for told in self._as_text(index)]

    def _as_text(self, index: int) -> list[Delta]:
        opening = self._open.pop(index)
        assert isinstance(opening, _Opening)
        text = opening.text
        said: list[Delta] = [TextAdded(index, text)] if text else []
        return [PartStarted(index, attrs.evolve(opening.part, text="")), *said, *opening.later]

    def _as_call(self, index: int, name: str, text: str) -> list[Delta]:
        opening = self._open[index]
        assert isinstance(opening, _Opening)
        self.found = True
        self._open[index] = arguments = _Arguments()
        signed = [delta for delta in opening.later if isinstance(delta, Signed)]
        call = ToolCall("", name, "", signature=opening.part.signature)
        part = attrs.evolve(opening.part, text="") if self.stand_in.of_value else call
        taken = arguments.take(text)
        return [PartStarted(index, part), *signed, *([self._more(index, taken)] if taken else [])]

    def _more(self, index: int, text: str) -> Delta:
        return TextAdded(index, text) if self.stand_in.of_value else ArgumentsAdded(index, text)


@attrs.define
class _Opening:
    """A text of which it is not known yet what it is."""

    index: int
    part: Text
    begins: str = ""
    """The first character that is no white space."""
    later: list[Delta] = attrs.field(factory=list)
    """Signature and citations that came already."""
    _pieces: list[str] = attrs.field(factory=list)
    _length: int = 0

    @property
    def text(self) -> str:
        """What came."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def add(self, text: str) -> None:
        """Take in more of it."""
        self._pieces.append(text)
        self._length += len(text)
        self.begins = self.begins or text.lstrip()[:1]

    def head(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What stands before the arguments; it is not searched for in a long text over and over."""
        return pattern.match(self.text) if self._length < _LONGEST_HEAD else None


@attrs.define
class _Arguments:
    """A JSON value that comes in pieces: tells where it ends."""

    begun: bool = False
    _depth: int = 0
    _in_string: bool = False
    _escaped: bool = False
    _over: bool = False

    def take(self, text: str) -> str:
        """Return how much of *text* belongs to the value."""
        if self._over:
            return ""
        place, end = 0, len(text)
        if self._escaped and text:
            place, self._escaped = 1, False
        while place < end:
            mark = (_MARK_IN_STRING if self._in_string else _MARK).search(text, place)
            if mark is None:
                break
            place = mark.end()
            if self._met(mark[0]):
                return self._last(text[: place if mark[0] in "}]" and self._depth == 0 else mark.start()])
            if mark[0] == "\\":
                self._escaped = place == end
                place += 1
        self.begun = self.begun or bool(text.strip())
        return text

    def _met(self, mark: str) -> bool:
        """Take in a quote, a backslash, a bracket or a comma. Returns whether the value ends with it, or before it."""
        if mark == '"':
            self._in_string = not self._in_string
        elif mark in "{[":
            self._depth += 1
        elif mark in "}]":
            self._depth -= 1
            return self._depth <= 0
        return mark == "," and self._depth == 0

    def _last(self, text: str) -> str:
        self._over = True
        taken = text.rstrip()
        self.begun = self.begun or bool(taken.strip())
        return taken


def _name(written: str) -> str:
    try:
        return str(_ANY.decode(written))
    except (msgspec.MsgspecError, ValueError):
        return ""


def _found(text: str, *, of_value: bool) -> tuple[str, str] | None:
    """The name and the arguments of the call that a whole text is, or nothing and the value; None where it is none."""
    try:
        value = _ANY.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if of_value:
        within = isinstance(value, dict) and "value" in value
        return ("", encode_json(value["value"]).decode()) if within else None
    call = value.get("call", value) if isinstance(value, dict) else None
    if not isinstance(call, dict) or not isinstance(name := call.get("name"), str) or "arguments" not in call:
        return None
    return name, encode_json(call["arguments"]).decode()
