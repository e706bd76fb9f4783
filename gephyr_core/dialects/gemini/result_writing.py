"""Function calls' arguments, and what the functions gave, for a provider."""

import base64
from typing import Any

from gephyr_core.conversation.arguments import decoded
from gephyr_core.conversation.parts import Document, Image, Inline, Media, Text, ToolCall, ToolResult
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.media import about, blob, write_media
from gephyr_core.dialects.translator import Destination


def arguments_object(call: ToolCall) -> dict[str, Any] | None:
    """The arguments of a call as the object that Gemini wants; None where they are none."""
    return {"input": call.arguments} if call.freeform else decoded(call.arguments)


def write_result(
    result: ToolResult, name: str, destination: Destination, report: Report, *, own: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write a result as a response, and what cannot stand in it as parts for behind the responses.

    Raises ``UntranslatableError`` for a medium that the provider cannot be given.
    """
    texts: list[str] = []
    inside: list[dict[str, Any]] = []
    behind: list[dict[str, Any]] = []
    for part in result.content:
        texts += [] if own or isinstance(part, Text) else about(part, report)
        text = part.text if isinstance(part, Text) else None if own else _document_text(part)
        if text is not None:
            texts.append(text)
            continue
        assert not isinstance(part, Text)
        written = write_media(part, destination, report, own=own)
        (inside if own or _fits(part, destination) else behind).append(written)
    response: dict[str, Any] = {"id": result.call_id} if result.call_id else {}
    response |= {"name": name, "response": {"error" if result.is_error else "output": "\n".join(texts)}}
    if inside:
        response["parts"] = inside
    if behind:
        report.emulated(result.path, "what is no text in a tool's result follows behind the responses")
        behind.insert(0, {"text": f"What the tool {name} gave:"})
    return {"functionResponse": response}, behind


def _fits(part: Media, destination: Destination) -> bool:
    """Whether a response takes a medium: pictures and PDFs, of Gemini 3 on."""
    if not (destination.capabilities.signatures_required and isinstance(part.source, Inline)):
        return False
    return isinstance(part, Image) or blob(part.source)["mimeType"] == "application/pdf"


def _document_text(part: Media) -> str | None:
    """What can be told as text: a document that is one."""
    source = part.source
    if not (isinstance(part, Document) and isinstance(source, Inline) and source.media_type.startswith("text/")):
        return None
    try:
        return base64.b64decode(source.data, validate=True).decode()
    except ValueError:
        return None
