"""A client's contents as turns."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    Document,
    HostedCall,
    HostedResult,
    Media,
    Part,
    Signature,
    Text,
    ToolCall,
    ToolResult,
)
from gephyr_core.conversation.prompt import Native, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini import hosted
from gephyr_core.dialects.gemini.media import read_blob, read_file
from gephyr_core.dialects.gemini.messages import SKIP_SIGNATURE, Message, read_signature, read_thought
from gephyr_core.dialects.rendering import encode_json

_ROLES = {"user": Role.USER, "model": Role.ASSISTANT, "function": Role.USER}
NATIVE_OF_PART = ("videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata", "audioMetadata")
"""Fields of a part that tell how it is to be looked at; only Gemini has them."""
_OUTPUTS = ("output", "result")
"""Keys under which SDKs put what a function returned, if it is no object."""
_HOSTED: Mapping[str, Callable[[dict[str, Any], str, Signature | None, str], HostedCall | HostedResult]] = {
    "executableCode": hosted.read_code,
    "codeExecutionResult": hosted.read_code_result,
    "toolCall": hosted.read_call,
    "toolResponse": hosted.read_response,
}


@attrs.define
class _OpenCalls:
    """The calls that are not answered yet, each found by its id and by its tool's name."""

    _by_id: dict[str, deque[int]] = attrs.field(factory=dict)
    _by_name: dict[str, deque[int]] = attrs.field(factory=dict)
    _ids: dict[int, str] = attrs.field(factory=dict)
    """By the call's number: what was answered is gone from here, and from the others when it is met there."""
    _count: int = 0

    def add(self, call_id: str, name: str) -> None:
        """Add a call."""
        self._ids[self._count] = call_id
        self._by_id.setdefault(call_id, deque()).append(self._count)
        self._by_name.setdefault(name, deque()).append(self._count)
        self._count += 1

    def answered(self, told: str | None, name: str) -> str | None:
        """The id of the call that a response answers: the one it names, else the first open one of its name."""
        for calls in (self._by_id.get(told or ""), self._by_name.get(name)):
            while calls:
                call_id = self._ids.pop(calls.popleft(), None)
                if call_id is not None:
                    return call_id
        return told


@attrs.define
class ContentReader:
    """Reads one conversation.

    Most calls have no id: one is made of where the call stands, and the responses that follow answer the calls of their
    name in order.
    """

    report: Report
    native: dict[str, Native]
    turns: list[Turn] = attrs.field(factory=list)
    _open: _OpenCalls = attrs.field(factory=_OpenCalls)
    _hosted: str = ""
    """Id of the latest call of a tool of Google's own."""

    def read(self, body: Message) -> None:
        """Take ``contents``."""
        for index, content in enumerate(body.children("contents")):
            name = (content.text("role") or "user").lower()
            if name not in _ROLES:
                raise FieldError(content.at("role"), f"expected user or model, got {name!r}")
            role = _ROLES[name]
            if role is Role.ASSISTANT and not (self.turns and self.turns[-1].role is role):
                self._open = _OpenCalls()
            parts = tuple(self._parts(content, index))
            self.turns.append(Turn(role, parts, path=content.path))
            content.finish()

    def _parts(self, content: Message, index: int) -> Iterator[Part]:
        for place, part in enumerate(content.children("parts")):
            read = self._part(part, f"{index}_{place}")
            if read is not None:
                yield read
            part.finish()

    def _part(self, part: Message, position: str) -> Part | None:
        """Read one part; None for one that says nothing. *position*: unique in the conversation.

        Raises ``FieldError``, and ``UntranslatableError`` for a part of a kind that is not known: it has a meaning.
        """
        signed = part.text("thoughtSignature")
        signature = read_signature(signed) if signed and signed != SKIP_SIGNATURE else None
        thought = part.flag("thought") or False
        for name in NATIVE_OF_PART:
            if (value := part.take(name)) is not None:
                self.native[f"{part.path}.{name}"] = Native(value)
        text = part.text("text")
        if text is not None:
            if thought:
                return read_thought(text, signature, part.path)
            return Text(text, signature=signature, path=part.path) if text or signature else None
        if (media := read_media(part)) is not None:
            return media
        if (call := part.child("functionCall")) is not None:
            return self._call(call, position, signature)
        if (response := part.child("functionResponse")) is not None:
            return self._response(response, position)
        for name, read in _HOSTED.items():
            if (fields := part.mapping(name)) is not None:
                is_call = name in ("executableCode", "toolCall")
                found = read(fields, f"hosted_{position}" if is_call else self._hosted, signature, part.path)
                self._hosted = found.id if isinstance(found, HostedCall) else self._hosted
                return found
        if any(value is not None for value in part.left.values()):
            raise self.report.refused(part.path, f"a part with {', '.join(part.left)} is not known")
        return read_thought("", signature, part.path) if signature and thought else _bare(signature, part.path)

    def _call(self, call: Message, position: str, signature: Signature | None) -> ToolCall:
        name = call.required_text("name")
        call_id = call.text("id") or f"call_{position}"
        if call.left.get("args") in ([], ""):  # How some languages write an empty object.
            call.ignore("args")
        arguments = encode_json(call.mapping("args") or {}).decode()
        call.finish()
        self._open.add(call_id, name)
        return ToolCall(call_id, name, arguments, signature=signature, path=call.path)

    def _response(self, response: Message, position: str) -> ToolResult:
        name = response.required_text("name")
        call_id = self._open.answered(response.text("id"), name) or f"call_{position}"
        told = response.mapping("response") or {}
        text, is_error = _told(told)
        content: list[Any] = [Text(text, path=response.at("response"))] if text else []
        for part in response.children("parts"):
            media = read_media(part)
            if media is None:
                raise FieldError(part.path, "expected inlineData or fileData")
            content.append(media)
            part.finish()
        response.finish()
        return ToolResult(call_id, tuple(content), is_error, name, path=response.path)


def read_media(part: Message) -> Media | None:
    """Take ``inlineData`` or ``fileData``; None when there is neither."""
    if (blob := part.child("inlineData")) is not None:
        media = read_blob(blob.text("mimeType") or "", blob.required_text("data"), part.path)
        return _titled(media, blob)
    if (file := part.child("fileData")) is not None:
        media = read_file(file.text("mimeType") or "", file.required_text("fileUri"), part.path)
        return _titled(media, file)
    return None


def _titled(media: Media, fields: Message) -> Media:
    title = fields.text("displayName")
    fields.finish()
    return attrs.evolve(media, title=title) if title and isinstance(media, Document) else media


def read_system(body: Message) -> tuple[Text, ...]:
    """Take ``systemInstruction``, which is text only."""
    value = body.left.get("systemInstruction")
    path = body.at("systemInstruction")
    if isinstance(value, str):
        del body.left["systemInstruction"]
        return (Text(value, path=path),) if value else ()
    content = body.child("systemInstruction")
    if content is None:
        return ()
    content.ignore("role")
    texts = []
    for part in content.children("parts"):
        text = part.text("text")
        if text is None:
            raise body.report.refused(part.path, "a system instruction is text and nothing else")
        part.ignore("thoughtSignature", "thought")
        part.finish()
        if text:
            texts.append(Text(text, path=part.path))
    content.finish()
    return tuple(texts)


def _told(response: dict[str, Any]) -> tuple[str, bool]:
    """The text that a function's response is, and whether it tells of an error."""
    if len(response) == 1:
        ((key, value),) = response.items()
        if key == "error" or key in _OUTPUTS:
            return (value if isinstance(value, str) else encode_json(value).decode()), key == "error"
    return (encode_json(response).decode() if response else ""), False


def _bare(signature: Signature | None, path: str) -> Text | None:
    """A part that has nothing but a signature is an empty text's."""
    return None if signature is None else Text("", signature=signature, path=path)
