"""The pieces that whole replies and chunks are written of."""

from typing import Any

import attrs

from gephyr_core.conversation.parts import (
    Audio,
    Citation,
    Document,
    FileId,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Part,
    Signature,
    Thinking,
    ToolCall,
    Video,
)
from gephyr_core.conversation.reply import Stop, StopReason
from gephyr_core.conversation.signatures import written
from gephyr_core.dialects.gemini.counts import usage_object
from gephyr_core.dialects.gemini.grounding import grounding_object
from gephyr_core.dialects.gemini.hosted import arguments_of, call_part, has_part, is_beside, result_part
from gephyr_core.dialects.gemini.media import blob
from gephyr_core.dialects.gemini.messages import NAME, write_thought_signature
from gephyr_core.dialects.gemini.result_writing import arguments_object
from gephyr_core.dialects.gemini.stops import block_reason, finish_reason
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.records import Usage

_FETCHED = {True: "URL_RETRIEVAL_STATUS_ERROR", False: "URL_RETRIEVAL_STATUS_SUCCESS"}


def text_part(text: str, signature: Signature | None) -> dict[str, Any]:
    """Write a text."""
    return {"text": text} if signature is None else {"text": text, "thoughtSignature": written(signature, NAME)}


def thought_part(text: str, thought: Thinking, signature: Signature | None) -> dict[str, Any]:
    """Write a thought, or a piece of one."""
    part: dict[str, Any] = {"text": text, "thought": True}
    if signature is not None:
        part["thoughtSignature"] = write_thought_signature(signature, thought)
    return part


def whole_part(part: Part, index: int, context: ReplyContext) -> dict[str, Any] | None:
    """Write a part that comes whole; *index* is its own, of which a call's id is made where there is none.

    None for what has no place in a reply's content.
    """
    match part:
        case ToolCall():
            arguments = arguments_object(part)
            if arguments is None:
                context.leave_out_broken(part)
                return None
            call_id = part.id or f"call_{context.key}_{index}"
            function = {"id": call_id, "name": context.name_of(part), "args": arguments}
            object_: dict[str, Any] = {"functionCall": function}
        case HostedCall() | HostedResult() if is_beside(part):
            return None
        case HostedCall() | HostedResult() if not has_part(part):
            context.leave_out(part)
            return None
        case HostedCall():
            object_ = call_part(part)
        case HostedResult():
            object_ = result_part(part)
        case Image() | Document() | Audio() | Video():
            return _media(part)
        case _:
            return None
    if part.signature is not None:
        object_["thoughtSignature"] = written(part.signature, NAME)
    return object_


def _media(part: Image | Document | Audio | Video) -> dict[str, Any]:
    source = part.source
    if isinstance(source, Inline):
        return {"inlineData": blob(source)}
    uri = source.id if isinstance(source, FileId) else source.url
    return {"fileData": {"fileUri": uri, "mimeType": source.media_type or "application/octet-stream"}}


@attrs.define
class Beside:
    """What is told beside a reply's content, at its end."""

    cited: list[tuple[int, str, Citation]] = attrs.field(factory=list)
    """Each citation with where its text begins, in bytes, and that text."""
    _hosted: list[HostedCall | HostedResult] = attrs.field(factory=list)
    _length: int = 0
    """Bytes of the text so far."""

    def text(self, said: str, citations: list[Citation]) -> None:
        """A text is complete."""
        self.cited += [(self._length, said, citation) for citation in citations]
        self._length += len(said.encode("utf-8", "surrogatepass"))

    def hosted(self, part: Part) -> None:
        """A tool of the provider's was called, or gave something."""
        if isinstance(part, HostedCall | HostedResult) and is_beside(part):
            self._hosted.append(part)

    def fields(self) -> dict[str, Any]:
        """The candidate's fields."""
        searches = [part for part in self._hosted if part.kind == "web_search"]
        written_: dict[str, Any] = {}
        if anywhere := [_citation_object(one) for _, _, one in self.cited if _is_anywhere(one)]:
            written_["citationMetadata"] = {"citations": anywhere}
        placed = [one for one in self.cited if not _is_anywhere(one[2])]
        if grounding := grounding_object(placed, searches):
            written_["groundingMetadata"] = grounding
        if read := self._urls():
            written_["urlContextMetadata"] = {"urlMetadata": read}
        return written_

    def _urls(self) -> list[dict[str, Any]]:
        failed = {part.call_id: part.is_error for part in self._hosted if isinstance(part, HostedResult)}
        calls = [part for part in self._hosted if isinstance(part, HostedCall) and part.kind == "web_fetch"]
        return [
            {"retrievedUrl": url, "urlRetrievalStatus": _FETCHED[failed.get(call.id, False)]}
            for call in calls
            if isinstance(url := arguments_of(call).get("url"), str)
        ]


def _is_anywhere(citation: Citation) -> bool:
    """Whether a page is cited by nothing in particular."""
    return citation.start is None and bool(citation.url)


def _citation_object(citation: Citation) -> dict[str, Any]:
    return {"uri": citation.url, "title": citation.title} if citation.title else {"uri": citation.url}


def reply_object(
    parts: list[dict[str, Any]], stop: Stop, usage: Usage, beside: Beside, identity: dict[str, Any]
) -> dict[str, Any]:
    """Write the whole reply, or the chunk that ends it."""
    end = {"usageMetadata": usage_object(usage), **identity}
    if stop.reason is StopReason.PROMPT_BLOCKED and not parts:
        return {"promptFeedback": {"blockReason": block_reason(stop)}, **end}
    candidate: dict[str, Any] = {
        "content": {"parts": parts or [{"text": ""}], "role": "model"},
        "finishReason": finish_reason(stop),
        "index": 0,
    }
    if stop.reason is StopReason.REFUSAL and stop.detail:
        candidate["finishMessage"] = stop.detail
    return {"candidates": [{**candidate, **beside.fields()}], **end}


def identity(context: ReplyContext, model: str) -> dict[str, Any]:
    """What tells a reply from others; each chunk has it."""
    return {"modelVersion": model or context.model, "responseId": context.key}
