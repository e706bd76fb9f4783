"""Media: bytes in the request, or a URI of Google's or of the web."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gephyr_core.conversation.parts import Audio, Document, FileId, Image, Inline, Media, Source, Url, Video
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.messages import NAME, standard_base64
from gephyr_core.dialects.translator import Destination

_KINDS: Mapping[str, type[Image | Audio | Video]] = {"image": Image, "audio": Audio, "video": Video}
_OWN_HOST = "generativelanguage.googleapis.com"
_YOUTUBE = ("youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be")
_ANY_TYPE = "application/octet-stream"
_WORN_TYPES = {
    "audio/mpeg": "audio/mp3",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "image/jpg": "image/jpeg",
}
"""Names that are not on Google's list, to those that are."""


def read_blob(media_type: str, data: str, path: str) -> Media:
    """Read ``inlineData``. A file's kind is its media type's."""
    return medium(Inline(media_type or _ANY_TYPE, standard_base64(data)), media_type, path)


def read_file(media_type: str, uri: str, path: str) -> Media:
    """Read ``fileData``: a file kept by Google, or an address."""
    source: Source = FileId(uri, NAME, media_type) if _is_kept(uri) else Url(uri, media_type)
    return medium(source, "video/*" if not media_type and _is_youtube(uri) else media_type, path)


def medium(source: Source, media_type: str, path: str) -> Media:
    """The part that a medium of this type is."""
    kind = _KINDS.get(media_type.partition("/")[0].lower())
    return Document(source, path=path) if kind is None else kind(source, path=path)


def needs_inline(part: object) -> bool:
    """Whether Gemini has to be given the bytes of *part*: of the web it takes videos of YouTube only."""
    source = getattr(part, "source", None)
    return isinstance(source, Url) and not _is_youtube(source.url)


def write_media(part: Media, destination: Destination, report: Report, *, own: bool) -> dict[str, Any]:
    """Write a medium as a part; *own*: the client speaks Gemini too.

    Raises ``UntranslatableError`` for what the provider cannot be given.
    """
    kind = type(part).__name__.lower()
    source = part.source
    text_document = isinstance(part, Document) and isinstance(source, Inline) and source.media_type.startswith("text/")
    if kind not in destination.capabilities.modalities and not text_document:
        raise report.refused(part.path, f"model {destination.model!r} takes no {kind}")
    if isinstance(source, Inline):
        return {"inlineData": {"mimeType": source.media_type, "data": source.data} if own else blob(source)}
    if isinstance(source, FileId):
        if source.dialect != NAME:
            raise report.refused(part.path, f"file {source.id!r} is not known to provider {destination.provider!r}")
        return {"fileData": _file(source.id, source.media_type)}
    if not own and not _is_youtube(source.url):
        raise report.refused(part.path, f"provider {destination.provider!r} takes bytes, and no address of the web")
    return {"fileData": _file(source.url, source.media_type)}


def about(part: Media, report: Report) -> list[str]:
    """What a document says of itself, as texts to stand before it: Gemini has no places for it."""
    if not isinstance(part, Document):
        return []
    if part.citations:
        report.dropped(part.path, "Gemini does not cite the documents of a request")
    told = [text for text in (part.title, part.context) if text]
    if told:
        report.emulated(part.path, "the document's title and context stand before it as text")
    return told


def blob(source: Inline) -> dict[str, str]:
    """Write bytes."""
    media_type = source.media_type.partition(";")[0].strip() or _ANY_TYPE
    return {"mimeType": _WORN_TYPES.get(media_type, media_type), "data": source.data}


def _file(uri: str, media_type: str) -> dict[str, str]:
    return {"mimeType": media_type, "fileUri": uri} if media_type else {"fileUri": uri}


def _is_kept(uri: str) -> bool:
    address = urlsplit_or_none(uri)
    return address is None or address[0] not in ("http", "https") or address[1] == _OWN_HOST


def _is_youtube(uri: str) -> bool:
    address = urlsplit_or_none(uri)
    return address is not None and address[1] in _YOUTUBE


def urlsplit_or_none(uri: str) -> tuple[str, str] | None:
    """Scheme and host of an address; None where it is none."""
    try:
        address = urlsplit(uri)
        return address.scheme.lower(), (address.hostname or "").lower()
    except ValueError:
        return None
