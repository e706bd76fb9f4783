"""A client's messages as turns."""

from typing import Any

import attrs

from gephyr_core.conversation.arguments import as_object
from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Citation,
    Document,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gephyr_core.conversation.prompt import Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import count, mapping, text
from gephyr_core.dialects.openai_chat.part_reading import read_cache, read_content, read_part, read_texts
from gephyr_core.dialects.openai_chat.reasoning import PLAIN, read_details, signature_of
from gephyr_core.dialects.rendering import encode_json

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
LEGACY_CALL = "call_function_{}"
"""Id of the n-th legacy ``function_call`` of a conversation; those have none of their own."""


@attrs.define
class MessageReader:
    """Reads one conversation."""

    report: Report
    system: list[Text] = attrs.field(factory=list)
    """The leading instructions."""
    turns: list[Turn] = attrs.field(factory=list)
    _results: list[ToolResult] = attrs.field(factory=list)
    """Of consecutive tool messages."""
    _legacy_calls: int = 0
    _names: dict[str, str] = attrs.field(factory=dict)
    """The tools' names by the calls' ids."""

    def read(self, messages: list[Any]) -> None:
        """Read them all."""
        for index, value in enumerate(messages):
            message = Fields(value, f"messages[{index}]", self.report)
            role = message.required_text("role")
            if role not in _ROLES:
                raise FieldError(message.at("role"), f"expected one of {', '.join(_ROLES)}, got {role!r}")
            if role in ("tool", "function"):
                self._results.append(self._result(message, role))
            else:
                self._flush()
                self._message(message, role)
            message.finish()
        self._flush()

    def _flush(self) -> None:
        if self._results:
            path = self._results[0].path
            self.turns.append(Turn(Role.USER, tuple(self._results), path=path))
            self._results = []

    def _message(self, message: Fields, role: str) -> None:
        cache = read_cache(message)
        if role in ("system", "developer"):
            texts = read_texts(message)
            if self.turns:
                parts = marked(list(texts), cache)
                self.turns.append(Turn(Role.SYSTEM, tuple(parts), message.text("name") or "", path=message.path))
            else:
                if cache is not None and texts:
                    texts[-1] = attrs.evolve(texts[-1], cache=cache)
                self.system += texts
            return
        parts = read_content(message) if role == "user" else self._assistant(message)
        name = message.text("name") or ""
        turn = Role.USER if role == "user" else Role.ASSISTANT
        self.turns.append(Turn(turn, tuple(marked(parts, cache)), name, path=message.path))

    def _assistant(self, message: Fields) -> list[Part]:
        parts: list[Part] = list(_reasoning(message))
        signature = signature_of(message.take("extra_content"))
        content = read_content(message)
        texts = [index for index, part in enumerate(content) if isinstance(part, Text)]
        citations = read_annotations(message.array("annotations"))
        if signature is not None and not texts:
            texts = [len(content)]
            content.append(Text("", path=message.at("content")))
        if texts:
            last = content[texts[-1]]
            assert isinstance(last, Text)
            content[texts[-1]] = attrs.evolve(last, citations=citations, signature=signature)
        parts += content
        refusal = message.text("refusal")
        if refusal:
            parts.append(Refusal(refusal, path=message.at("refusal")))
        for image in message.children("images"):
            image.ignore("index")
            parts += read_part(image)
            image.finish()
        parts += [_call(call) for call in message.children("tool_calls")]
        legacy = message.child("function_call")
        if legacy is not None:
            parts.append(self._legacy_call(legacy))
        if message.take("audio") is not None:
            raise self.report.refused(message.at("audio"), "a spoken reply cannot be referred to at another provider")
        message.ignore("prefix", "thought_signature")
        self._names.update({part.id: part.name for part in parts if isinstance(part, ToolCall)})
        return parts

    def _legacy_call(self, fields: Fields) -> ToolCall:
        call_id = LEGACY_CALL.format(self._legacy_calls)
        self._legacy_calls += 1
        name, arguments = fields.required_text("name"), _arguments(fields)
        fields.finish()
        return ToolCall(call_id, name, arguments, path=fields.path)

    def _result(self, message: Fields, role: str) -> ToolResult:
        cache, name = read_cache(message), message.text("name") or ""
        if role == "function":
            call_id = LEGACY_CALL.format(max(0, self._legacy_calls - 1))
        else:
            call_id = message.required_text("tool_call_id")
        content: list[Any] = []
        for part in read_content(message):
            if isinstance(part, Refusal | Thinking):
                raise FieldError(part.path, "cannot stand in a tool's result")
            content.append(part)
        name = self._names.get(call_id, name)
        return ToolResult(call_id, tuple(content), name=name, cache=cache, path=message.path)


def marked(parts: list[Part], cache: CacheMarker | None) -> list[Part]:
    """Put a whole message's cache marker on the last part that can carry one."""
    if cache is not None:
        for index in reversed(range(len(parts))):
            part = parts[index]
            if isinstance(part, Text | Image | Document | Audio | Video | ToolCall):
                parts[index] = attrs.evolve(part, cache=cache)
                break
    return parts


def read_annotations(annotations: list[Any]) -> tuple[Citation, ...]:
    """Read ``annotations``; what is no ``url_citation`` is none that could be told."""
    citations = []
    for annotation in annotations:
        cited = mapping((mapping(annotation) or {}).get("url_citation"))
        if cited is not None:
            start, end = count(cited, "start_index"), count(cited, "end_index")
            known = start is not None and end is not None and end > start
            citations.append(
                Citation(
                    text(cited.get("url")) or "",
                    text(cited.get("title")) or "",
                    text(cited.get("content")) or "",
                    start if known else None,
                    end if known else None,
                )
            )
    return tuple(citations)


def _reasoning(message: Fields) -> list[Thinking]:
    """Take the reasoning. The details are the whole of it; the plain text repeats them."""
    details = [attrs.evolve(part, path=message.at("reasoning_details")) for part in _details(message)]
    plain = [(message.at(field), message.text(field)) for field in PLAIN]
    if any(part.text for part in details):
        return details
    for path, value in plain:
        if value:
            return [Thinking(value, path=path), *details]
    return details


def _details(message: Fields) -> list[Thinking]:
    return read_details(message.array("reasoning_details"))


def _arguments(fields: Fields) -> str:
    """Take ``arguments``: a text; some clients write the object itself."""
    value = fields.take("arguments")
    if isinstance(value, dict | list):
        value = encode_json(value).decode()
    if value is not None and not isinstance(value, str):
        raise fields.wrong("arguments", "a string", value)
    return as_object(value or "")


def _call(call: Fields) -> ToolCall:
    call_id = call.text("id") or ""
    signature = signature_of(call.take("extra_content"))
    cache = read_cache(call)
    call.ignore("type", "index")
    custom = call.child("custom")
    function = custom or call.child("function")
    if function is None:
        raise FieldError(call.at("function"), "is required")
    name = function.required_text("name")
    arguments = (function.text("input") or "") if custom is not None else _arguments(function)
    function.finish()
    call.finish()
    return ToolCall(
        call_id, name, arguments, freeform=custom is not None, signature=signature, cache=cache, path=call.path
    )
