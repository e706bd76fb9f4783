"""Content parts of a client's items, and of a provider's."""

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Citation,
    Document,
    FileId,
    Image,
    Inline,
    Media,
    Part,
    Refusal,
    Source,
    Text,
)
from gephyr_core.dialects.decoding import count, mapping, text
from gephyr_core.dialects.openai_chat.part_reading import AUDIO_TYPES, read_url
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.rendering import encode_json


def read_content(item: Fields, name: str = "content", *, phase: str = "") -> list[Part]:
    """Take the content of a message or a tool's output: a string, or parts."""
    content = item.left.get(name)
    if isinstance(content, str):
        del item.left[name]
        return [Text(content, phase=phase, path=item.at(name))] if content else []
    parts = []
    for part in item.children(name):
        parts.append(read_part(part, phase))
        part.finish()
    return parts


def read_part(part: Fields, phase: str = "") -> Part:
    """Read one content part. Raises ``FieldError``, and ``UntranslatableError`` for a kind that is not known."""
    kind = part.text("type") or "input_text"
    cache = _cache(part)
    match kind:
        case "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text":
            part.ignore("logprobs")
            citations = read_annotations(part.array("annotations"))
            return Text(part.text("text") or "", cache, citations, phase=phase, path=part.path)
        case "refusal":
            return Refusal(part.text("refusal") or "", path=part.path)
        case "input_image" | "computer_screenshot":
            return Image(_image(part), part.text("detail") or "auto", cache, path=part.path)
        case "input_file":
            return _file(part, cache)
        case "input_audio":
            return _audio(part, cache)
    raise part.report.refused(part.path, f"a content part of type {kind!r} is not known")


def read_annotations(annotations: list[object]) -> tuple[Citation, ...]:
    """Read the ``annotations`` of a text; each is kept as it was written too."""
    return tuple(
        citation for annotation in annotations if (citation := read_annotation(mapping(annotation))) is not None
    )


def read_annotation(fields: dict[str, object] | None) -> Citation | None:
    """Read one annotation; None for what is none."""
    if not fields:
        return None
    start, end = count(fields, "start_index"), count(fields, "end_index")
    known = start is not None and end is not None and end > start
    return Citation(
        text(fields.get("url")) or "",
        text(fields.get("title")) or text(fields.get("filename")) or "",
        start=start if known else None,
        end=end if known else None,
        raw=encode_json(fields).decode(),
        dialect=NAME,
    )


def _cache(part: Fields) -> CacheMarker | None:
    fields = part.child("prompt_cache_breakpoint")
    if fields is None:
        return None
    fields.ignore("mode")
    marker = CacheMarker(fields.text("ttl") or "", path=fields.path)
    fields.finish()
    return marker


def _image(part: Fields) -> Source:
    url, file_id = part.take("image_url"), part.text("file_id")
    if isinstance(url, dict):  # as in Chat, which some clients write here too
        url = url.get("url")
    if isinstance(url, str):
        return read_url(url, part.at("image_url"))
    if file_id:
        return FileId(file_id, NAME)
    raise FieldError(part.at("image_url"), "an image needs image_url or file_id")


def _file(part: Fields, cache: CacheMarker | None) -> Media:
    data, url, file_id = part.text("file_data"), part.text("file_url"), part.text("file_id")
    title = part.text("filename") or ""
    part.ignore("detail")
    source: Source
    if data is not None:
        own_url = data[:5].lower() == "data:"
        source = read_url(data, part.at("file_data")) if own_url else Inline(_type_of(title), data)
    elif url is not None:
        source = read_url(url, part.at("file_url"))
    elif file_id:
        source = FileId(file_id, NAME)
    else:
        raise FieldError(part.path, "a file needs file_data, file_url or file_id")
    return Document(source, title, cache=cache, path=part.path)


def _type_of(title: str) -> str:
    return "text/plain" if title.endswith((".txt", ".md")) else "application/pdf"


def _audio(part: Fields, cache: CacheMarker | None) -> Audio:
    fields = part.child("input_audio")
    if fields is None:
        raise FieldError(part.at("input_audio"), "is required")
    data, form = fields.required_text("data"), fields.text("format") or "wav"
    fields.finish()
    return Audio(Inline(AUDIO_TYPES.get(form, f"audio/{form}"), data), cache, path=part.path)
