"""Content parts of a client's messages."""

import base64
from urllib.parse import unquote_to_bytes

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Document,
    FileId,
    Image,
    Inline,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    Url,
    Video,
)
from gephyr_core.dialects.openai_chat.reasoning import NAME

AUDIO_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}


def read_content(message: Fields) -> list[Part]:
    """Take ``content``: a string, or parts. Empty text says nothing and is no part."""
    content = message.left.get("content")
    if isinstance(content, str):
        del message.left["content"]
        return [Text(content, path=message.at("content"))] if content else []
    parts: list[Part] = []
    for part in message.children("content"):
        parts += read_part(part)
        part.finish()
    return parts


def read_texts(message: Fields) -> list[Text]:
    """Take a ``content`` that may only be text."""
    texts: list[Text] = []
    for part in read_content(message):
        if not isinstance(part, Text):
            raise message.report.refused(part.path, f"a {type(part).__name__.lower()} cannot stand in a system message")
        texts.append(part)
    return texts


def read_part(part: Fields) -> list[Part]:
    """Read one content part.

    Raises ``FieldError``, and ``UntranslatableError`` for a part of a kind that is not known: it has a meaning.
    """
    kind = part.text("type") or "text"
    cache = read_cache(part)
    match kind:
        case "text" | "input_text" | "output_text":
            text = part.required_text("text")
            return [Text(text, cache, path=part.path)] if text or cache else []
        case "image_url" | "input_image":
            return [_image(part, cache)]
        case "input_audio":
            return [_audio(part, cache)]
        case "file":
            return [_file(part, cache)]
        case "document_url":
            return [Document(_address(part, "document_url"), cache=cache, path=part.at("document_url"))]
        case "video_url":
            return [Video(_address(part, "video_url"), cache, path=part.at("video_url"))]
        case "refusal":
            return [Refusal(part.required_text("refusal"), path=part.path)]
        case "thinking":
            part.ignore("closed")
            return [Thinking(mistral_thinking(part.take("thinking")), path=part.path)]
    raise part.report.refused(part.path, f"a content part of type {kind!r} is not known")


def mistral_thinking(value: object) -> str:
    """Read Mistral's ``thinking``: a text, or text parts."""
    if isinstance(value, list):
        return "".join(str(item.get("text") or "") for item in value if isinstance(item, dict))
    return value if isinstance(value, str) else ""


def read_cache(part: Fields) -> CacheMarker | None:
    """Take OpenAI's ``prompt_cache_breakpoint`` or the ``cache_control`` that OpenRouter and others take."""
    marker: CacheMarker | None = None
    for name in ("prompt_cache_breakpoint", "cache_control"):
        fields = part.child(name)
        if fields is not None:
            fields.ignore("mode", "type")
            marker = CacheMarker(fields.text("ttl") or "", path=fields.path)
            fields.finish()
    return marker


def data_url(url: str, path: str) -> Inline:
    """Read a ``data:`` URL (RFC 2397). Raises ``FieldError`` when it is none."""
    head, comma, data = url[len("data:") :].partition(",")
    if not comma:
        raise FieldError(path, "a data URL needs a comma before its data")
    media_type, *options = head.split(";")
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return Inline(media_type or "text/plain", data)


def read_url(url: str, path: str) -> Source:
    """Read an address, which may hold the bytes itself."""
    return data_url(url, path) if url[:5].lower() == "data:" else Url(url)


def _address(part: Fields, name: str) -> Source:
    """Take an address that is a string (Mistral) or ``{"url": ...}``."""
    path = part.at(name)
    if isinstance(part.left.get(name), str):
        return read_url(part.required_text(name), path)
    fields = part.child(name)
    if fields is None:
        raise FieldError(path, "is required")
    source = read_url(fields.required_text("url"), fields.at("url"))
    fields.finish()
    return source


def _image(part: Fields, cache: CacheMarker | None) -> Image:
    path = part.at("image_url")
    value = part.left.get("image_url")
    detail = value.pop("detail", None) if isinstance(value, dict) else None
    if detail is not None and not isinstance(detail, str):
        raise FieldError(f"{path}.detail", "expected a string")
    return Image(_address(part, "image_url"), detail or part.text("detail") or "", cache, path=path)


def _audio(part: Fields, cache: CacheMarker | None) -> Audio:
    fields = part.child("input_audio")
    if fields is None:
        raise FieldError(part.at("input_audio"), "is required")
    data, form = fields.required_text("data"), fields.text("format") or "wav"
    fields.finish()
    source = (
        read_url(data, fields.at("data"))
        if data.startswith(("data:", "http://", "https://"))
        else Inline(AUDIO_TYPES.get(form, f"audio/{form}"), data)
    )
    return Audio(source, cache, path=fields.path)


def _file(part: Fields, cache: CacheMarker | None) -> Document:
    fields = part.child("file")
    if fields is None:
        raise FieldError(part.at("file"), "is required")
    data, file_id, title = fields.text("file_data"), fields.text("file_id"), fields.text("filename") or ""
    fields.finish()
    source: Source
    if data is None:
        if not file_id:
            raise FieldError(fields.path, "expected file_data or file_id")
        source = FileId(file_id, NAME)
    elif data[:5].lower() == "data:" or data.startswith(("http://", "https://")):
        source = read_url(data, fields.at("file_data"))
    else:
        source = Inline("application/pdf", data)
    return Document(source, title, cache=cache, path=fields.path)
