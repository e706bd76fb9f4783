"""Media for Anthropic: images and documents, by data, address or own file id."""

import base64
from typing import Any

from gephyr_core.conversation.parts import Document, FileId, Image, Inline, Media, Part, Url
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.translator import Destination

_IMAGES = {
    **{f"image/{name}": f"image/{name}" for name in ("jpeg", "png", "gif", "webp")},
    "image/jpg": "image/jpeg",
}
PDF = "application/pdf"
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")


def needs_inline(part: Part) -> bool:
    """Whether Anthropic has to be given the bytes of *part*: it takes images and PDFs by their address, and no text."""
    return isinstance(part, Document) and isinstance(part.source, Url) and part.source.media_type not in ("", PDF)


def write_media(part: Media, destination: Destination, report: Report) -> dict[str, Any]:
    """Write a medium as a block. Raises ``UntranslatableError`` for what cannot be given to the provider."""
    kind = type(part).__name__.lower()
    if not isinstance(part, Image | Document):
        raise report.refused(part.path, f"{kind} is not taken by provider {destination.provider!r}")
    source = part.source
    if kind not in destination.capabilities.modalities and not _is_plain_text(part):
        raise report.refused(part.path, f"model {destination.model!r} takes no {kind}")
    if isinstance(source, FileId):
        if source.dialect != NAME:
            reason = f"the file {source.id!r} of {source.dialect!r} cannot be referred to at provider"
            raise report.refused(part.path, f"{reason} {destination.provider!r}")
        written: dict[str, Any] = {"type": "file", "file_id": source.id}
    elif isinstance(source, Url):
        if needs_inline(part):
            raise report.refused(
                part.path, f"provider {destination.provider!r} takes the bytes of such a document, not its address"
            )
        written = {"type": "url", "url": source.url}
    elif isinstance(part, Image):
        written = _image(source, part.path, destination, report)
    else:
        written = _document(source, part.path, destination, report)
    if isinstance(part, Image):
        if part.detail and part.detail != "auto":
            report.dropped(f"{part.path}.detail", "Anthropic decides itself how closely it looks")
        return {"type": "image", "source": written}
    return {"type": "document", "source": written, **_about(part)}


def _about(part: Document) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if part.title:
        about["title"] = part.title
    if part.context:
        about["context"] = part.context
    if part.citations:
        about["citations"] = {"enabled": True}
    return about


def _image(source: Inline, path: str, destination: Destination, report: Report) -> dict[str, Any]:
    media_type = _IMAGES.get(source.media_type.lower())
    if media_type is None:
        taken = "JPEG, PNG, GIF and WebP"
        raise report.refused(
            path, f"{source.media_type} is not taken by provider {destination.provider!r}, only {taken}"
        )
    return {"type": "base64", "media_type": media_type, "data": source.data}


def _is_plain_text(part: Image | Document) -> bool:
    source = part.source
    return isinstance(part, Document) and isinstance(source, Inline) and source.media_type.startswith(_TEXT_TYPES)


def _document(source: Inline, path: str, destination: Destination, report: Report) -> dict[str, Any]:
    media_type = source.media_type.partition(";")[0].strip().lower()
    if media_type == PDF:
        return {"type": "base64", "media_type": PDF, "data": source.data}
    if media_type.startswith(_TEXT_TYPES):
        try:
            text = base64.b64decode(source.data, validate=True).decode()
        except ValueError:
            raise report.refused(path, "the document is said to be text, and is none in UTF-8") from None
        if media_type != "text/plain":
            report.changed(path, f"a document of type {media_type} is carried as plain text")
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise report.refused(
        path, f"a document of type {media_type} is not taken by provider {destination.provider!r}, only PDF and text"
    )
