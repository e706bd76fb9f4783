"""Media for a provider of Chat: user messages only, images by address or data, files and audio by data."""

import base64
from typing import Any

from gephyr_core.conversation.parts import Audio, Document, FileId, Image, Inline, Media, Url, Video
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.message_objects import image_object, url_of
from gephyr_core.dialects.openai_chat.reasoning import NAME
from gephyr_core.dialects.openai_chat.targets import is_openai
from gephyr_core.dialects.translator import Destination

_FORMATS = {
    **{f"audio/{name}": "wav" for name in ("wav", "x-wav", "wave", "vnd.wave")},
    **{f"audio/{name}": "mp3" for name in ("mpeg", "mp3", "mpeg3", "x-mp3")},
}
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/yaml")
_OWN_FILES = (NAME, "openai-responses")


def write_media(part: Media, destination: Destination, report: Report) -> list[dict[str, Any]]:
    """Write a medium as content parts. Raises ``UntranslatableError`` for what the provider cannot be given."""
    kind = type(part).__name__.lower()
    if kind not in destination.capabilities.modalities and not _is_plain_text(part):
        raise report.refused(part.path, f"model {destination.model!r} takes no {kind}")
    match part:
        case Image():
            return [_image(part, destination, report)]
        case Document():
            return _document(part, destination, report)
        case Audio():
            return [_audio(part, destination, report)]
        case Video():
            return [_video(part, destination, report)]


def _image(image: Image, destination: Destination, report: Report) -> dict[str, Any]:
    if isinstance(image.source, FileId):
        raise _foreign(image, image.source, destination, report)
    return image_object(image)


def _is_plain_text(part: Media) -> bool:
    source = part.source
    return isinstance(part, Document) and isinstance(source, Inline) and source.media_type.startswith(_TEXT_TYPES)


def _document(part: Document, destination: Destination, report: Report) -> list[dict[str, Any]]:
    if part.citations:
        report.dropped(part.path, f"provider {destination.provider!r} cites no documents")
    context = [{"type": "text", "text": part.context}] if part.context else []
    source = part.source
    if isinstance(source, Url):
        raise report.refused(part.path, f"provider {destination.provider!r} takes a document's bytes, not its address")
    if isinstance(source, FileId):
        if source.dialect not in _OWN_FILES:
            raise _foreign(part, source, destination, report)
        return [*context, {"type": "file", "file": {"file_id": source.id}}]
    if _is_plain_text(part) and (text := _decoded(source.data)) is not None:
        report.changed(part.path, "a text document is carried as text")
        return [*context, {"type": "text", "text": f"{part.title}\n\n{text}" if part.title else text}]
    extension = source.media_type.rpartition("/")[2].partition("+")[0] or "bin"
    # OpenAI wants a name beside the data.
    title = part.title or (f"document.{extension}" if is_openai(destination) else "")
    named = {"filename": title} if title else {}
    return [*context, {"type": "file", "file": {**named, "file_data": url_of(source)}}]


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        return None


def _audio(part: Audio, destination: Destination, report: Report) -> dict[str, Any]:
    source = part.source
    if isinstance(source, FileId):
        raise _foreign(part, source, destination, report)
    if isinstance(source, Url):
        raise report.refused(part.path, f"provider {destination.provider!r} takes a sound's bytes, not its address")
    form = _FORMATS.get(source.media_type)
    if form is None:
        if is_openai(destination):
            raise report.refused(
                part.path, f"{source.media_type} is not taken by provider {destination.provider!r}, only wav and mp3"
            )
        form = source.media_type.rpartition("/")[2]
    return {"type": "input_audio", "input_audio": {"data": source.data, "format": form}}


def _video(part: Video, destination: Destination, report: Report) -> dict[str, Any]:
    if isinstance(part.source, FileId):
        raise _foreign(part, part.source, destination, report)
    if is_openai(destination):
        raise report.refused(part.path, f"a video is not taken by provider {destination.provider!r}")
    return {"type": "video_url", "video_url": {"url": url_of(part.source)}}


def _foreign(part: Media, source: FileId, destination: Destination, report: Report) -> Exception:
    reason = f"the file {source.id!r} of {source.dialect!r} cannot be referred to at provider {destination.provider!r}"
    return report.refused(part.path, reason)
