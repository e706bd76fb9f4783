"""The pieces that whole replies, chunks and requests are written of."""

from typing import Any

from gephyr_core.conversation.parts import Citation, FileId, Image, Inline, Source, ToolCall
from gephyr_core.dialects.openai_chat.reasoning import extra_content
from gephyr_core.dialects.openai_chat.tool_reading import LEGACY
from gephyr_core.dialects.translator import ReplyContext


def reply_id(context: ReplyContext) -> str:
    """The reply's id as the client is told it."""
    return f"chatcmpl-{context.key}"


def reply_model(context: ReplyContext, model: str) -> str:
    """The model as the client is told it."""
    return model or context.model


def is_legacy(context: ReplyContext, call: ToolCall) -> bool:
    """Whether the client asked with ``functions`` and waits for a ``function_call``."""
    return context.client_tools.get(call.name) == LEGACY


def call_object(context: ReplyContext, call: ToolCall, index: int) -> dict[str, Any]:
    """Write a tool call of a reply; *index* is its part's, of which an id is made where there is none."""
    written = tool_call(call, call.id or f"call_{context.key}_{index}", context.name_of(call))
    if call.signature is not None:
        written["extra_content"] = extra_content(call.signature)
    return written


def tool_call(call: ToolCall, call_id: str, name: str) -> dict[str, Any]:
    """Write a tool call under an id and a name."""
    if call.freeform:
        return {"id": call_id, "type": "custom", "custom": {"name": name, "input": call.arguments}}
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": call.arguments}}


def annotation(citation: Citation, start: int, end: int) -> dict[str, Any]:
    """Write a citation of the text that stands from *start* to *end* in the message."""
    known = citation.start is not None and citation.end is not None
    cited = {
        "start_index": start + (citation.start or 0) if known else start,
        "end_index": start + (citation.end or 0) if known else end,
        "title": citation.title,
        "url": citation.url,
    }
    if citation.cited_text:
        cited["content"] = citation.cited_text
    return {"type": "url_citation", "url_citation": cited}


def image_object(image: Image) -> dict[str, Any]:
    """Write an image: in a user's message as OpenAI has it, in an assistant's ``images`` as OpenRouter has it."""
    image_url = {"url": url_of(image.source)}
    if image.detail:
        image_url["detail"] = image.detail
    return {"type": "image_url", "image_url": image_url}


def url_of(source: Source) -> str:
    """An address, or a ``data:`` URL. A provider's file has none: its id stands in."""
    if isinstance(source, Inline):
        return f"data:{source.media_type};base64,{source.data}"
    return source.id if isinstance(source, FileId) else source.url
