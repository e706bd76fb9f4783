"""Replies checked against the official SDKs' types, as their clients do with strict response validation."""

import json
from collections.abc import Sequence
from typing import Any

import pydantic
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from tests.translation.answers import payloads

_WHOLE: dict[str, pydantic.TypeAdapter[Any]] = {
    "openai-chat": pydantic.TypeAdapter(ChatCompletion),
    "openai-responses": pydantic.TypeAdapter(Response),
    "anthropic": pydantic.TypeAdapter(Message),
    "gemini": pydantic.TypeAdapter(GenerateContentResponse),
    "openai-completions": pydantic.TypeAdapter(Completion),
}
_EVENT: dict[str, pydantic.TypeAdapter[Any]] = {
    **_WHOLE,
    "openai-chat": pydantic.TypeAdapter(ChatCompletionChunk),
    "openai-responses": pydantic.TypeAdapter(ResponseStreamEvent),
    "anthropic": pydantic.TypeAdapter(RawMessageStreamEvent),
}


def whole_problem(dialect: str, reply: bytes) -> str:
    """What the SDK would not accept in a whole reply; empty when it is fine."""
    return _problem(_WHOLE[dialect], reply)


def stream_problem(dialect: str, stream: bytes) -> str:
    """What the SDK would not accept in a stream."""
    text = stream.decode()
    if dialect in {"openai-chat", "openai-completions"} and not text.endswith("data: [DONE]\n\n"):
        return "the stream does not end with [DONE]"
    if not text.endswith(("\n\n", "\r\n\r\n")):
        return "the last event is not finished"
    for number, payload in enumerate(payloads(stream)):
        if payload.get("type") == "ping":
            continue  # the SDK passes over them
        if wrong := _problem(_EVENT[dialect], json.dumps(payload)):
            return f"event {number}: {wrong}"
    return _ORDERS[dialect](list(payloads(stream))) if dialect in _ORDERS else ""


def _problem(adapter: pydantic.TypeAdapter[Any], data: bytes | str) -> str:
    try:
        adapter.validate_json(data)
    except pydantic.ValidationError as error:
        return _meant(error.errors())
    except (AttributeError, ValueError, UserWarning) as error:
        return str(error)
    return ""


def _meant(errors: Sequence[Any]) -> str:
    """The first error of the member of a union that was meant: not of those that have another type."""
    others = [
        error["loc"][:-1] for error in errors if error["loc"][-1:] == ("type",) and error["type"] == "literal_error"
    ]
    near = [error for error in errors if not any(error["loc"][: len(other)] == other for other in others)]
    first = (near or errors)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


# -- the order of events ----------------------------------------------------------------------------------------------


def _anthropic_order(events: list[Any]) -> str:
    """One message; its blocks one after the other, numbered from 0, none of them left open."""
    events = [event for event in events if event["type"] != "ping"]
    types = [event["type"] for event in events]
    if types[0] != "message_start" or types[-2:] != ["message_delta", "message_stop"]:
        return f"begins or ends wrong: {types[:2]} ... {types[-2:]}"
    index, is_open = -1, False
    for event in events[1:-2]:
        match event["type"]:
            case "content_block_start":
                index += 1
                if is_open or event["index"] != index:
                    return f"block {event['index']} begins where {index} was to begin"
                is_open = True
            case "content_block_delta" | "content_block_stop":
                if not is_open or event["index"] != index:
                    return f"{event['type']} of {event['index']} while block {index} is the open one"
                is_open = event["type"] == "content_block_delta"
            case other:
                return f"{other} between the blocks"
    return "a block is left open" if is_open else ""


def _responses_order(events: list[Any]) -> str:
    """Sequence numbers without a gap; each item added once, done once, and the same in the last event."""
    if [event["sequence_number"] for event in events] != list(range(len(events))):
        return "sequence numbers have gaps"
    types = [event["type"] for event in events]
    if types[:2] != ["response.created", "response.in_progress"] or types[-1] not in _TERMINALS:
        return f"begins or ends wrong: {types[:2]} ... {types[-1]}"
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    if added != list(range(len(added))) or sorted(done) != added:
        return f"items added {added}, done {sorted(done)}"
    if [done[index] for index in added] != events[-1]["response"]["output"]:
        return "the last event's output is not what the items were"
    return _deltas_belong(events)


def _deltas_belong(events: list[Any]) -> str:
    """What is added to an item comes while it is open, and adds up to what is said to be done."""
    texts: dict[tuple[Any, ...], str] = {}
    opened: set[int] = set()
    for event in events:
        kind, index = event["type"].removeprefix("response."), event.get("output_index")
        if kind == "output_item.added":
            opened.add(index)
        elif kind == "output_item.done":
            opened.discard(index)
        elif index is not None and index not in opened:
            return f"{kind} of item {index}, which is not open"
        name, _, verb = kind.rpartition(".")
        key = (name, index, event.get("content_index"), event.get("summary_index"))
        if verb == "delta":
            texts[key] = texts.get(key, "") + event["delta"]
        elif verb == "done" and (field := _DONE_FIELDS.get(name)) and texts.pop(key, "") != event[field]:
            return f"{kind}: the deltas do not add up to {event[field]!r:.60}"
    return f"never done: {list(texts)}" if texts else ""


_TERMINALS = {"response.completed", "response.incomplete", "response.failed"}
_DONE_FIELDS = {
    "output_text": "text",
    "refusal": "refusal",
    "function_call_arguments": "arguments",
    "custom_tool_call_input": "input",
    "reasoning_summary_text": "text",
    "reasoning_text": "text",
    "code_interpreter_call_code": "code",
}


def _chat_order(chunks: list[Any]) -> str:
    """One id; the role first; the finish reason once, in the last chunk with a choice."""
    if len({chunk["id"] for chunk in chunks}) != 1:
        return "the id changes"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if choices[0]["delta"].get("role") != "assistant":
        return "the first delta has no role"
    if any(choice.get("finish_reason") for choice in choices[:-1]) or not choices[-1].get("finish_reason"):
        return "the finish reason is not in the last choice, and only there"
    seen: set[int] = set()
    for call in (call for choice in choices for call in choice["delta"].get("tool_calls") or []):
        if call["index"] not in seen and not (
            call.get("id") and (call.get("function") or call.get("custom", {})).get("name")
        ):
            return f"call {call['index']} begins without id or name"
        seen.add(call["index"])
    return "" if sorted(seen) == list(range(len(seen))) else f"calls are numbered {sorted(seen)}"


def _gemini_order(chunks: list[Any]) -> str:
    """A finish reason and usage in the last chunk; no finish reason before."""
    reasons = [(chunk.get("candidates") or [{}])[0].get("finishReason") for chunk in chunks]
    blocked = "promptFeedback" in chunks[-1]
    if not blocked and (not reasons[-1] or any(reasons[:-1])):
        return f"finish reasons: {reasons}"
    return "" if "usageMetadata" in chunks[-1] else "no usage in the last chunk"


_ORDERS = {
    "anthropic": _anthropic_order,
    "openai-responses": _responses_order,
    "openai-chat": _chat_order,
    "gemini": _gemini_order,
}
