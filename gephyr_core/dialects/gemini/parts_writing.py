"""Turns as contents for a provider."""

from collections.abc import Sequence
from typing import Any

import attrs

from gephyr_core.conversation.arguments import BROKEN, as_object, kept_of_broken
from gephyr_core.conversation.parts import (
    Audio,
    Document,
    HostedCall,
    HostedResult,
    Image,
    Media,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.turns import NO_RESULT, answered, merged
from gephyr_core.dialects.gemini.hosted import call_part, result_part
from gephyr_core.dialects.gemini.media import about, write_media
from gephyr_core.dialects.gemini.messages import NAME, SKIP_SIGNATURE
from gephyr_core.dialects.gemini.parts_reading import NATIVE_OF_PART
from gephyr_core.dialects.gemini.result_writing import arguments_object, write_result
from gephyr_core.dialects.gemini.tool_writing import ToolNames
from gephyr_core.dialects.hosted_text import hosted_text
from gephyr_core.dialects.translator import Destination

_NOTHING_SAID = "(The user has not said anything yet.)"


@attrs.define
class ContentWriter:
    """Writes one prompt's contents: user and model in turn, each call answered in the content behind it."""

    prompt: Prompt
    destination: Destination
    report: Report
    names: ToolNames
    contents: list[dict[str, Any]] = attrs.field(factory=list)

    @property
    def own(self) -> bool:
        """The client speaks this dialect too."""
        return self.prompt.dialect == NAME

    def write(self) -> list[dict[str, Any]]:
        """Write them all."""
        turns = answered(merged(self._spoken(turn) for turn in self.prompt.turns), self.report)
        for turn in self._closed(turns):
            parts = self._parts(turn)
            if parts:
                self._add("model" if turn.role is Role.ASSISTANT else "user", parts)
        if not self.contents or (self.contents[0]["role"] == "model" and not self.own):
            path = turns[0].path if turns else ""
            self.report.emulated(path, "Gemini wants the user to speak first: a note stands in")
            self.contents.insert(0, {"role": "user", "parts": [{"text": _NOTHING_SAID}]})
        if turns and turns[-1].role is Role.ASSISTANT and not self.destination.capabilities.prefill:
            self.report.changed(turns[-1].path, f"model {self.destination.model!r} answers it instead of going on")
        return self.contents

    def _add(self, role: str, parts: list[dict[str, Any]]) -> None:
        """Add a content, or to the last: a turn between that said nothing leaves two of one role."""
        last = self.contents[-1] if self.contents else None
        if last is not None and last["role"] == role:
            last["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _spoken(self, turn: Turn) -> Turn:
        """A system turn as the user's: Gemini has no such role."""
        if turn.name:
            self.report.dropped(f"{turn.path}.name", "Gemini has no place for a participant's name")
        if turn.role is not Role.SYSTEM:
            return turn
        self.report.emulated(turn.path, "a system message within the conversation is the user's, marked <system>")
        said = "\n".join(part.text for part in turn.parts if isinstance(part, Text))
        return Turn(Role.USER, (Text(f"<system>\n{said}\n</system>", path=turn.path),), path=turn.path)

    def _closed(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """The turns, with answers to the calls of the last one."""
        last = turns[-1].parts if turns and turns[-1].role is Role.ASSISTANT else ()
        calls = [part for part in last if isinstance(part, ToolCall)]
        for call in calls:
            self.report.emulated(call.path, "the call has no result, and the target wants one: an error stands in")
        results = tuple(ToolResult(call.id, (Text(NO_RESULT),), is_error=True, name=call.name) for call in calls)
        return [*turns, Turn(Role.USER, results)] if results else turns

    def _parts(self, turn: Turn) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        behind: list[dict[str, Any]] = []
        called = False
        for part in turn.parts:
            if isinstance(part, ToolResult):
                name = self.names.of(part.name)
                response, media = write_result(part, name, self.destination, self.report, own=self.own)
                written.append(response)
                behind += media
                continue
            written += behind
            behind = []
            if isinstance(part, ToolCall):
                written.append(self._call(part, first=not called))
                called = True
            else:
                written += self._part(part)
        return written + behind

    def _part(self, part: Part) -> list[dict[str, Any]]:
        match part:
            case Text():
                return self._text(part)
            case Refusal(text=text):
                return [{"text": text}] if text else []
            case Thinking():
                return self._thinking(part)
            case Image() | Document() | Audio() | Video():
                return self._media(part)
            case HostedCall() | HostedResult():
                return self._hosted(part)
        raise self.report.refused(part.path, f"a {type(part).__name__} cannot stand here")

    def _text(self, text: Text) -> list[dict[str, Any]]:
        if text.citations:
            self.report.dropped(text.path, "Gemini takes no citations of what was said")
        if text.phase:
            self.report.dropped(f"{text.path}.phase", "Gemini does not tell commentary from answers")
        written: dict[str, Any] = {"text": text.text}
        self._sign(written, text.signature, text.path, "the text's signature")
        return [written] if text.text or "thoughtSignature" in written else []

    def _thinking(self, part: Thinking) -> list[dict[str, Any]]:
        kept = self.destination.accepts(part.signature) or (self.own and part.signature is None)
        if not kept:
            self.report.dropped(part.path, f"the reasoning is not of provider {self.destination.provider!r}")
            return []
        written: dict[str, Any] = {"text": part.text, "thought": True}
        self._sign(written, part.signature, part.path, "the reasoning's signature")
        return [written]

    def _media(self, part: Media) -> list[dict[str, Any]]:
        written = write_media(part, self.destination, self.report, own=self.own)
        for name in NATIVE_OF_PART if self.own else ():
            if (native := self.prompt.native.get(f"{part.path}.{name}")) is not None:
                written[name] = native.value
        if isinstance(part, Image) and part.detail not in ("", "auto"):
            self.report.dropped(part.path, f"Gemini takes no detail {part.detail!r} of a single image")
        told = about(part, self.report)
        return [{"text": "\n".join(told)}, written] if told else [written]

    def _hosted(self, part: HostedCall | HostedResult) -> list[dict[str, Any]]:
        if not (self.own or self.destination.accepts(part.signature)):
            told = hosted_text(part, self.report)
            return [{"text": told}] if told else []
        written = call_part(part) if isinstance(part, HostedCall) else result_part(part)
        self._sign(written, part.signature, part.path, "the signature")
        return [written]

    def _call(self, call: ToolCall, *, first: bool) -> dict[str, Any]:
        """Write a call. *first*: of its step, the one that Gemini 3 wants signed. It is, wherever it stands, so that
        a turn is written the same when it is no longer the current one."""
        arguments = arguments_object(attrs.evolve(call, arguments=as_object(call.arguments)))
        if arguments is None:
            self.report.changed(call.path, BROKEN)
            arguments = dict(kept_of_broken(call.arguments))
        function: dict[str, Any] = {"name": self.names.of(call.name), "args": arguments}
        if call.id:
            function = {"id": call.id, **function}
        written: dict[str, Any] = {"functionCall": function}
        self._sign(written, call.signature, call.path, "the call's signature")
        if first and "thoughtSignature" not in written and self.destination.capabilities.signatures_required:
            self.report.emulated(call.path, "the model wants a signature: Google's filler for others' calls stands in")
            written["thoughtSignature"] = SKIP_SIGNATURE
        return written

    def _sign(self, written: dict[str, Any], signature: Signature | None, path: str, what: str) -> None:
        """Add a signature that the provider would take for its own."""
        if signature is None or not signature.value:
            return
        if self.destination.accepts(signature):
            written["thoughtSignature"] = signature.value
        else:
            self.report.dropped(path, f"{what} is not of provider {self.destination.provider!r}")
