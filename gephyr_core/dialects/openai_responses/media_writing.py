"""Media for a provider of Responses: images and files by address, data or the provider's id; no sound, no film."""

import base64
from typing import Any

from gephyr_core.conversation.parts import Audio, Document, FileId, Image, Inline, Media, Url, Video
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.message_objects import url_of
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.translator import Destination

_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/yaml")
_OWN_FILES = (NAME, "openai-chat")
"""Dialects whose files are OpenAI's."""


def write_media(part: Media, destination: Destination, report: Report, *, own: bool) -> list[dict[str, Any]]:
    """Write a medium as content parts. *own*: the client speaks this dialect too. Raises ``UntranslatableError`` for
    what the provider cannot be given."""
    kind = type(part).__name__.lower()
    if kind not in destination.capabilities.modalities and not _is_plain_text(part):
        raise report.refused(part.path, f"model {destination.model!r} takes no {kind}")
    if isinstance(part.source, FileId) and part.source.dialect not in _OWN_FILES:
        raise report.refused(
            part.path,
            f"the file {part.source.id!r} of {part.source.dialect!r} cannot be referred to at provider "
            f"{destination.provider!r}",
        )
    match part:
        case Image():
            return [_image(part)]
        case Document():
            return _document(part, destination, report, own=own)
        case Audio(source=Inline(media_type=media_type, data=data)) if own:
            form = "mp3" if media_type == "audio/mpeg" else media_type.rpartition("/")[2]
            return [{"type": "input_audio", "input_audio": {"data": data, "format": form}}]
        case Audio() | Video():
            raise report.refused(part.path, f"provider {destination.provider!r} takes no {kind} in Responses")


def _image(part: Image) -> dict[str, Any]:
    written: dict[str, Any] = {"type": "input_image", "detail": part.detail or "auto"}
    if isinstance(part.source, FileId):
        return {**written, "file_id": part.source.id}
    return {**written, "image_url": url_of(part.source)}


def _is_plain_text(part: Media) -> bool:
    source = part.source
    return isinstance(part, Document) and isinstance(source, Inline) and source.media_type.startswith(_TEXT_TYPES)


def _document(part: Document, destination: Destination, report: Report, *, own: bool) -> list[dict[str, Any]]:
    if part.citations:
        report.dropped(part.path, f"provider {destination.provider!r} cites no documents")
    context = [{"type": "input_text", "text": part.context}] if part.context else []
    source = part.source
    named = {"filename": part.title} if part.title else {}
    if isinstance(source, FileId):
        return [*context, {"type": "input_file", "file_id": source.id}]
    if isinstance(source, Url):
        if part.title and not own:
            report.emulated(part.path, "the document's title stands before its address as text")
            context = [{"type": "input_text", "text": part.title}, *context]
        return [*context, {"type": "input_file", "file_url": source.url, **(named if own else {})}]
    if not own and _is_plain_text(part) and (text := _decoded(source.data)) is not None:
        report.changed(part.path, "a text document is carried as text")
        return [*context, {"type": "input_text", "text": f"{part.title}\n\n{text}" if part.title else text}]
    if not own:
        # OpenAI wants a name beside the data, with the extension of what it is.
        extension = source.media_type.rpartition("/")[2].partition("+")[0] or "bin"
        title = part.title or "document"
        named = {"filename": title if "." in title else f"{title}.{extension}"}
    return [*context, {"type": "input_file", **named, "file_data": url_of(source)}]


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        return None
