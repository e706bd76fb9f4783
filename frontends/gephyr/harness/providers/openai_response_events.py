"""The stream of OpenAI Responses, derived from the finished object, so that both say the same.

Order and required fields are those of the official SDK's event types (``openai.types.responses``).
"""

from collections.abc import Iterator
from typing import Any

from gephyr.harness.providers.speech import fragments, tokens_of
from gephyr.harness.providers.wire import Object

Event = dict[str, Any]


def events(response: Object) -> Iterator[tuple[int, Event]]:
    """Give the events that lead to *response*, numbered from 0, each with the output tokens it waits for."""
    for number, (tokens, event) in enumerate(_unnumbered(response)):
        yield tokens, {**event, "sequence_number": number}


def _unnumbered(response: Object) -> Iterator[tuple[int, Event]]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield 0, {"type": "response.created", "response": begun}
    yield 0, {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        yield 0, {"type": "response.output_item.added", "output_index": index, "item": _opened(item)}
        for tokens, event in _CONTENT[item["type"]](item):
            yield tokens, {**event, "item_id": item["id"], "output_index": index}
        yield 0, {"type": "response.output_item.done", "output_index": index, "item": item}
    yield 0, {"type": f"response.{response['status']}", "response": response}


def _opened(item: Object) -> Object:
    """Return an item as it is before its first delta."""
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "reasoning":
            return {key: value for key, value in item.items() if key != "encrypted_content"} | {"summary": []}
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case _:
            return {**item, "status": "in_progress", "input": ""}


def _message(item: Object) -> Iterator[tuple[int, Event]]:
    for index, part in enumerate(item["content"]):
        at = {"content_index": index}
        yield 0, {"type": "response.content_part.added", "part": {**part, "text": ""}, **at}
        for text in fragments(part["text"]):
            delta = {"type": "response.output_text.delta", "delta": text, "logprobs": []}
            yield tokens_of(text), {**delta, **at}
        yield 0, {"type": "response.output_text.done", "text": part["text"], "logprobs": [], **at}
        yield 0, {"type": "response.content_part.done", "part": part, **at}


def _reasoning(item: Object) -> Iterator[tuple[int, Event]]:
    prefix = "response.reasoning_summary"
    for index, part in enumerate(item["summary"]):
        at = {"summary_index": index}
        yield 0, {"type": f"{prefix}_part.added", "part": {**part, "text": ""}, **at}
        for text in fragments(part["text"]):
            yield tokens_of(text), {"type": f"{prefix}_text.delta", "delta": text, **at}
        yield 0, {"type": f"{prefix}_text.done", "text": part["text"], **at}
        yield 0, {"type": f"{prefix}_part.done", "part": part, **at}


def _function_call(item: Object) -> Iterator[tuple[int, Event]]:
    for text in fragments(item["arguments"]):
        yield tokens_of(text), {"type": "response.function_call_arguments.delta", "delta": text}
    done = {"type": "response.function_call_arguments.done", "name": item["name"]}
    yield 0, {**done, "arguments": item["arguments"]}


def _custom_tool_call(item: Object) -> Iterator[tuple[int, Event]]:
    for text in fragments(item["input"]):
        yield tokens_of(text), {"type": "response.custom_tool_call_input.delta", "delta": text}
    yield 0, {"type": "response.custom_tool_call_input.done", "input": item["input"]}


_CONTENT = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "custom_tool_call": _custom_tool_call,
}
