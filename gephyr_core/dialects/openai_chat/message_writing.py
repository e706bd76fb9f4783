"""Turns as messages for a provider."""

from collections.abc import Sequence
from typing import Any

import attrs

from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Document,
    HostedCall,
    HostedResult,
    Image,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.turns import NO_RESULT, as_users, paired
from gephyr_core.dialects.hosted_text import hosted_text
from gephyr_core.dialects.openai_chat.media_writing import write_media
from gephyr_core.dialects.openai_chat.message_objects import tool_call
from gephyr_core.dialects.openai_chat.reasoning import NAME, PLAIN, THINKING_PART, detail_objects, extra_content
from gephyr_core.dialects.openai_chat.targets import (
    MOST_MARKERS,
    call_id,
    marker_field,
    marker_object,
    takes_reasoning,
)
from gephyr_core.dialects.openai_chat.tool_writing import ToolNames
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import Destination

_FAILED = "Error: "
_SEEN_BELOW = "(what the tool gave is in the next message)"


@attrs.define
class MessageWriter:
    """Writes one prompt's messages. What only a user's message can hold follows behind the tool messages, which answer
    a call directly."""

    prompt: Prompt
    destination: Destination
    report: Report
    names: ToolNames
    messages: list[dict[str, Any]] = attrs.field(factory=list)
    _deferred: list[dict[str, Any]] = attrs.field(factory=list)
    """Parts of a user's message that has to wait until all calls are answered."""
    _marker: str = ""
    _unmarked: int = 0
    """Markers to be left out: of too many, the first."""

    def write(self, system: Sequence[Text]) -> list[dict[str, Any]]:
        """Write them all."""
        self._marker = marker_field(self.destination)
        self._unmarked = max(0, _markers(system, self.prompt) - MOST_MARKERS)
        if system:
            self.messages.append({"role": "system", "content": self._texts(system)})
        given: Sequence[Turn] = self.prompt.turns
        if not self.destination.capabilities.system_turns:
            given = as_users(given, self.report)
        turns = paired(given, self.report)
        for turn in turns:
            self._turn(turn)
        self._unanswered(turns)
        self._flush()
        if turns and turns[-1].role is Role.ASSISTANT and not self.destination.capabilities.prefill:
            self.report.changed(
                turns[-1].path, f"model {self.destination.model!r} answers it instead of going on with it"
            )
        return self.messages

    def _turn(self, turn: Turn) -> None:
        if turn.role is Role.USER:
            results = [part for part in turn.parts if isinstance(part, ToolResult)]
            for result in results:
                self._result(result)
            others = [part for part in turn.parts if not isinstance(part, ToolResult)]
            if others or not results:
                self._flush()
                self._message("user", self._content(others), turn)
            return
        self._flush()
        if turn.role is Role.ASSISTANT:
            self._assistant(turn)
        else:
            self._message("system", self._texts([part for part in turn.parts if isinstance(part, Text)]), turn)

    def _unanswered(self, turns: Sequence[Turn]) -> None:
        """Answer the calls of the last message: OpenAI refuses a conversation that ends in calls."""
        for part in turns[-1].parts if turns and turns[-1].role is Role.ASSISTANT else ():
            if isinstance(part, ToolCall):
                self.report.emulated(part.path, "the call has no result, and the target wants one: an error stands in")
                self._result(ToolResult(part.id, (Text(NO_RESULT),)))

    def _message(self, role: str, content: Any, turn: Turn) -> None:
        message: dict[str, Any] = {"role": role, "content": content}
        if turn.name:
            message["name"] = turn.name
        self.messages.append(message)

    def _flush(self) -> None:
        if self._deferred:
            self.messages.append({"role": "user", "content": self._deferred})
            self._deferred = []

    # -- content ----------------------------------------------------------------------------------------------------

    def _texts(self, texts: Sequence[Text]) -> str | list[dict[str, Any]]:
        return _shortened([self._text(text) for text in texts])

    def _text(self, text: Text) -> dict[str, Any]:
        return self._marked({"type": "text", "text": text.text}, text.cache, text.path)

    def _content(self, parts: Sequence[Part]) -> str | list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for part in parts:
            written += self._part(part)
        return _shortened(written)

    def _part(self, part: Part) -> list[dict[str, Any]]:
        if isinstance(part, Text):
            return [self._text(part)]
        if isinstance(part, Image | Document | Audio | Video):
            return self._media(part)
        raise self.report.refused(part.path, f"a {type(part).__name__} cannot stand in a user's message")

    def _media(self, part: Media) -> list[dict[str, Any]]:
        written = write_media(part, self.destination, self.report)
        self._marked(written[-1], part.cache, part.path)
        return written

    def _marked(self, written: dict[str, Any], cache: CacheMarker | None, path: str) -> dict[str, Any]:
        """Put a part's cache marker on it, where the provider has a place for one."""
        if cache is None:
            return written
        path = cache.path or path
        if not self._marker:
            self.report.dropped(path, f"provider {self.destination.provider!r} takes no cache marker here")
        elif self._unmarked > 0:
            self._unmarked -= 1
            self.report.dropped(path, f"only the last {MOST_MARKERS} cache markers are taken")
        else:
            marker = marker_object(self._marker, cache)
            if cache.ttl and marker.get("ttl", "") != cache.ttl:
                self.report.changed(path, f"cached for {marker.get('ttl') or 'the usual time'} instead of {cache.ttl}")
            written[self._marker] = marker
        return written

    # -- tools ------------------------------------------------------------------------------------------------------

    def _result(self, result: ToolResult) -> None:
        written: list[dict[str, Any]] = []
        media: list[dict[str, Any]] = []
        for part in result.content:
            for one in self._part(part):
                (written if one["type"] == "text" else media).append(one)
        if media and not written:
            written.append({"type": "text", "text": _SEEN_BELOW})
        if result.is_error:
            self.report.emulated(result.path, "that the tool failed is told in its result's text")
            if written:
                written[0]["text"] = _FAILED + written[0]["text"]
            else:
                written.append({"type": "text", "text": _FAILED.rstrip()})
        if written:
            self._marked(written[-1], result.cache, result.path)
        answered = call_id(result.call_id, self.destination.provider)
        self.messages.append({"role": "tool", "tool_call_id": answered, "content": _shortened(written)})
        if media:
            self.report.emulated(result.path, "what is no text in a tool's result follows in a user's message")
            self._deferred += [{"type": "text", "text": f"Result of the tool call {answered}:"}, *media]

    def _call(self, call: ToolCall) -> dict[str, Any]:
        name = self.names.of(call.name)
        if call.freeform and not self.names.takes_freeform:
            wrapped = encode_json({"input": call.arguments}).decode()
            call = attrs.evolve(call, arguments=wrapped, freeform=False)
        written = tool_call(call, call_id(call.id, self.destination.provider), name)
        if call.signature is not None:
            if self.destination.accepts(call.signature) and takes_reasoning(self.destination):
                written["extra_content"] = extra_content(call.signature)
            else:
                self.report.dropped(call.path, _signed_elsewhere(self.destination, "the call's signature"))
        return written

    # -- the assistant ----------------------------------------------------------------------------------------------

    def _assistant(self, turn: Turn) -> None:
        message: dict[str, Any] = {"role": "assistant"}
        texts: list[dict[str, Any]] = []
        refusals: list[str] = []
        calls: list[dict[str, Any]] = []
        thoughts: list[Thinking] = []
        for part in turn.parts:
            match part:
                case Text():
                    texts += self._said(part, message)
                case Refusal(text=told):
                    refusals.append(told)
                case Thinking():
                    thoughts.append(part)
                case ToolCall():
                    calls.append(self._call(part))
                case HostedCall() | HostedResult():
                    if told := hosted_text(part, self.report):
                        texts.append({"type": "text", "text": told})
                case Image() | Document() | Audio() | Video():
                    self.report.emulated(part.path, "media of the assistant's follow in a user's message")
                    self._deferred += [{"type": "text", "text": "The assistant's reply had:"}, *self._media(part)]
                case _:
                    raise self.report.refused(part.path, "a tool's result cannot stand in an assistant's message")
        reasoning = self._reasoning(thoughts)
        texts = [*reasoning.pop(THINKING_PART, ()), *texts]
        message["content"] = _shortened(texts) if texts or not (calls or refusals) else None
        if refusals:
            message["refusal"] = "".join(refusals)
        if turn.name:
            message["name"] = turn.name
        message.update(reasoning)
        if calls:
            message["tool_calls"] = calls
        self.messages.append(message)

    def _said(self, text: Text, message: dict[str, Any]) -> list[dict[str, Any]]:
        if text.phase:
            self.report.dropped(f"{text.path}.phase", "Chat has no place for the phase of a message")
        signature = text.signature
        if signature is not None:
            if self.destination.accepts(signature) and takes_reasoning(self.destination):
                message["extra_content"] = extra_content(signature)
            else:
                self.report.dropped(text.path, _signed_elsewhere(self.destination, "the text's signature"))
        return [self._text(text)] if text.text or text.cache else []

    def _reasoning(self, thoughts: list[Thinking]) -> dict[str, Any]:
        """Write what the provider takes for its own reasoning; a client of this dialect knows what it sends."""
        written: dict[str, Any] = {}
        details: list[dict[str, Any]] = []
        for part in thoughts:
            signature = part.signature
            own = signature is None and self.prompt.dialect == NAME
            if not takes_reasoning(self.destination) or not (own or self.destination.accepts(signature)):
                self.report.dropped(part.path, _signed_elsewhere(self.destination, "the reasoning"))
            elif (signature is not None and signature.value) or part.summary:
                details += detail_objects(part, len(details))
            elif signature is not None and signature.id == THINKING_PART:
                thought = {"type": THINKING_PART, "thinking": [{"type": "text", "text": part.text}]}
                written.setdefault(THINKING_PART, []).append(thought)
            else:
                field = signature.id if signature is not None and signature.id in PLAIN else PLAIN[0]
                written[field] = written.get(field, "") + part.text
        return {**written, "reasoning_details": details} if details else written


def _signed_elsewhere(destination: Destination, what: str) -> str:
    return f"{what} is not for provider {destination.provider!r}, or Chat there has no place for it"


def _shortened(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One plain text is written as a string."""
    if not parts:
        return ""
    if len(parts) == 1 and len(parts[0]) == len(("type", "text")) and "text" in parts[0]:
        text: str = parts[0]["text"]
        return text
    return parts


def _markers(system: Sequence[Text], prompt: Prompt) -> int:
    marked: list[Part] = [text for text in system if text.cache is not None]
    for turn in prompt.turns:
        for part in turn.parts:
            inner = part.content if isinstance(part, ToolResult) else ()
            marked += [one for one in (part, *inner) if getattr(one, "cache", None) is not None]
    return len(marked)
