"""Content blocks of a client's messages."""

import base64
from collections.abc import Callable
from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import (
    Citation,
    Document,
    FileId,
    Image,
    Inline,
    Media,
    Part,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from gephyr_core.conversation.prompt import Native
from gephyr_core.conversation.signatures import unseal
from gephyr_core.dialects.anthropic import hosted
from gephyr_core.dialects.anthropic.names import NAME, read_cache
from gephyr_core.dialects.rendering import encode_json

CALL_EXTRAS = ("caller", "toolset_name")
"""Fields of a call that only Anthropic knows."""
_PDF = "application/pdf"


@attrs.define
class BlockReader:
    """Reads the blocks of one request's messages."""

    native: dict[str, Native]

    def content(self, message: Fields) -> list[Part]:
        """Take ``content``: a string, or blocks. Empty text says nothing and is no part."""
        content = message.left.get("content")
        if isinstance(content, str):
            del message.left["content"]
            return [Text(content, path=message.at("content"))] if content else []
        if isinstance(content, dict):  # the API takes a single block too
            message.left["content"] = [content]
        parts: list[Part] = []
        for block in message.children("content"):
            parts += self.block(block)
            block.finish()
        return parts

    def block(self, block: Fields) -> list[Part]:
        """Read one block. Raises ``UntranslatableError`` for one of a type that is not known: it has a meaning."""
        kind = block.required_text("type")
        if kind in hosted.CALLS or hosted.is_result(kind):
            return [self._hosted(block, kind)]
        read = _READERS.get(kind)
        if read is None:
            raise block.report.refused(block.path, f"a content block of type {kind!r} is not known")
        return read(self, block)

    # -- text and media ---------------------------------------------------------------------------------------------

    def _text(self, block: Fields) -> list[Part]:
        cache, citations = read_cache(block), _citations(block)
        text = block.required_text("text")
        return [Text(text, cache, citations, path=block.path)] if text or cache else []

    def _image(self, block: Fields) -> list[Part]:
        cache = read_cache(block)
        source = _required(block, "source")
        kind = source.required_text("type")
        read = _source(source, kind, "")
        source.finish()
        return [Image(read, cache=cache, path=block.path)]

    def _document(self, block: Fields) -> list[Part]:
        cache = read_cache(block)
        title, context = block.text("title") or "", block.text("context") or ""
        cited = _cited(block)
        source = _required(block, "source")
        kind = source.required_text("type")
        pictures: list[Part] = []
        if kind == "text":
            source.ignore("media_type")
            read: Source = _plain(source.required_text("data"))
        elif kind == "content":
            parts = self.content(source)
            source.report.changed(source.path, "a document of blocks is carried as one text")
            read = _plain("\n".join(part.text for part in parts if isinstance(part, Text)))
            pictures = [part for part in parts if isinstance(part, Image)]
        else:
            read = _source(source, kind, _PDF)
        source.finish()
        return [Document(read, title, context, cited, cache, path=block.path), *pictures]

    def _search_result(self, block: Fields) -> list[Part]:
        """A search result of the client's own."""
        cache, title = read_cache(block), block.text("title") or ""
        source, cited = block.required_text("source"), _cited(block)
        texts = [part.text for part in self.content(block) if isinstance(part, Text)]
        block.report.changed(block.path, "a search result is carried as a text document")
        return [Document(_plain("\n".join(texts)), title, source, cited, cache, path=block.path)]

    def _upload(self, block: Fields) -> list[Part]:
        """A file for the container in which the provider runs code."""
        file_id = block.required_text("file_id")
        cache = read_cache(block)
        self.native[block.path] = Native({"type": "container_upload", "file_id": file_id}, essential=True)
        return [Document(FileId(file_id, NAME), cache=cache, path=block.path)]

    # -- what is told as text ---------------------------------------------------------------------------------------

    def _reference(self, block: Fields) -> list[Part]:
        name = block.required_text("tool_name")
        read_cache(block)
        block.report.changed(block.path, "that a tool was found is told as text")
        return [Text(f"Tool {name!r} was found.", path=block.path)]

    def _tool_added(self, block: Fields) -> list[Part]:
        return self._tool_change(block, "now")

    def _tool_removed(self, block: Fields) -> list[Part]:
        return self._tool_change(block, "no longer")

    def _tool_change(self, block: Fields, since: str) -> list[Part]:
        read_cache(block)
        tool = _required(block, "tool")
        name = tool.text("name") or tool.text("tool_name") or ""
        tool.ignore("type")
        tool.finish()
        block.report.changed(block.path, "which tools there are from here on is told as text")
        return [Text(f"Tool {name!r} is {since} available.", path=block.path)]

    def _compaction(self, block: Fields) -> list[Part]:
        summary, cache = block.text("content"), read_cache(block)
        block.report.changed(block.path, "the summary of what came before is carried as text")
        return [Text(summary, cache, path=block.path)] if summary else []

    # -- thinking and tools -----------------------------------------------------------------------------------------

    def _thinking(self, block: Fields) -> list[Part]:
        text, signature = block.text("thinking") or "", block.text("signature")
        return [Thinking(text, unseal(signature, NAME) if signature else None, path=block.path)]

    def _redacted(self, block: Fields) -> list[Part]:
        return [Thinking("", unseal(block.required_text("data"), NAME), redacted=True, path=block.path)]

    def _call(self, block: Fields) -> list[Part]:
        call_id, name, cache = block.required_text("id"), block.required_text("name"), read_cache(block)
        if block.left.get("input") in ([], ""):  # How some languages write an empty object.
            block.ignore("input")
        arguments = encode_json(block.mapping("input") or {}).decode()
        if block.left.get("caller") == {"type": "direct"}:
            block.ignore("caller")
        for field in CALL_EXTRAS:
            if (value := block.take(field)) is not None:
                self.native[block.at(field)] = Native(value)
        return [ToolCall(call_id, name, arguments, cache=cache, path=block.path)]

    def _result(self, block: Fields) -> list[Part]:
        call_id, cache = block.required_text("tool_use_id"), read_cache(block)
        failed = block.flag("is_error") or False
        content: list[Text | Media] = []
        for part in self.content(block):
            if not isinstance(part, Text | Image | Document):
                raise block.report.refused(part.path, f"a {type(part).__name__} cannot stand in a tool's result")
            content.append(part)
        return [ToolResult(call_id, tuple(content), failed, cache=cache, path=block.path)]

    def _hosted(self, block: Fields, kind: str) -> Part:
        read_cache(block)
        whole: dict[str, Any] = {"type": kind, **block.left}
        if (server := block.take("server_name")) is not None:
            self.native[block.at("server_name")] = Native(server)
        block.left.clear()
        if kind in hosted.CALLS:
            return hosted.read_call(whole, block.path)
        return hosted.read_result(whole, block.path)


_READERS: dict[str, Callable[[BlockReader, Fields], list[Part]]] = {
    "text": BlockReader._text,
    "image": BlockReader._image,
    "document": BlockReader._document,
    "search_result": BlockReader._search_result,
    "container_upload": BlockReader._upload,
    "tool_reference": BlockReader._reference,
    "tool_addition": BlockReader._tool_added,
    "tool_removal": BlockReader._tool_removed,
    "compaction": BlockReader._compaction,
    "thinking": BlockReader._thinking,
    "redacted_thinking": BlockReader._redacted,
    "tool_use": BlockReader._call,
    "tool_result": BlockReader._result,
}


def _required(fields: Fields, name: str) -> Fields:
    child = fields.child(name)
    if child is None:
        raise FieldError(fields.at(name), "is required")
    return child


def _source(source: Fields, kind: str, media_type: str) -> Source:
    """Take where a medium comes from. *media_type*: what an address of this kind of medium leads to."""
    if kind == "base64":
        return Inline(source.required_text("media_type"), source.required_text("data"))
    if kind == "url":
        return Url(source.required_text("url"), media_type)
    if kind == "file":
        return FileId(source.required_text("file_id"), NAME)
    raise FieldError(source.at("type"), f"a source of type {kind!r} is not known")


def _plain(text: str) -> Inline:
    return Inline("text/plain", base64.b64encode(text.encode("utf-8", "surrogatepass")).decode())


def _cited(block: Fields) -> bool:
    """Take whether a document is to be cited."""
    citations = block.child("citations")
    if citations is None:
        return False
    enabled = citations.flag("enabled") or False
    citations.finish()
    return enabled


def _citations(block: Fields) -> tuple[Citation, ...]:
    read = [hosted.read_citation(value) for value in block.array("citations")]
    return tuple(citation for citation in read if citation is not None)
