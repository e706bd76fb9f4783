"""Plays the script over OpenAI Chat Completions."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gephyr.harness.providers.wire import Ids, Object, Piece, Reply, Request, decode, sse, stream, text_of, whole
from gephyr.harness.strict.openai_chat_checks import check_chat
from gephyr.harness.strict.openai_values import model_of
from gephyr.harness.strict.playing import (
    argument_fragments,
    arguments_of,
    fragments,
    image_of_url,
    input_tokens_of,
    output_tokens_of,
    tokens_of,
)
from gephyr.harness.strict.refusal import objects
from gephyr.harness.strict.script import JSON_OBJECT, Call, Result, Seen, next_step

_DONE = b"data: [DONE]\n\n"


def answer_chat(request: Request) -> Reply:
    """Answer a request for a chat completion, streamed or not. Raises :class:`RefusalError`."""
    given = decode(request.body, dict[str, Any])
    check_chat(given)
    step = next_step(_seen(given), _offered(given), _schema(given), forced=_forces(given))
    model = model_of(given)
    reasons = model is not None and bool(model.efforts) and given.get("reasoning_effort") != "none"
    head = {
        "id": request.ids.new("chatcmpl-"),
        "object": "chat.completion.chunk" if given.get("stream") else "chat.completion",
        "created": int(request.now),
        "model": given["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }
    reasoning = tokens_of(step.thought) if reasons else 0
    usage = _usage(input_tokens_of(given), output_tokens_of(step, thinking=reasons), reasoning)
    message: dict[str, Any] = {"role": "assistant", "content": step.text or None, "refusal": None, "annotations": []}
    if step.calls:
        message["tool_calls"] = [_call(call, request.ids) for call in step.calls]
    finish = "tool_calls" if step.calls else "stop"
    if given.get("stream"):
        return stream(_chunks(head, message, finish, usage if _wants_usage(given) else None))
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return whole({**head, "choices": [choice], "usage": usage}, tokens=usage["completion_tokens"])


def _wants_usage(given: Object) -> bool:
    return bool((given.get("stream_options") or {}).get("include_usage"))


def _offered(given: Object) -> dict[str, Object]:
    choice = given.get("tool_choice")
    if choice == "none":
        return {}
    functions = [tool["function"] for tool in given.get("tools") or () if tool["type"] == "function"]
    named = choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None
    return {f["name"]: f.get("parameters") or {} for f in functions if named in {None, f["name"]}}


def _forces(given: Object) -> bool:
    choice = given.get("tool_choice")
    return choice == "required" or (isinstance(choice, dict) and "function" in choice)


def _schema(given: Object) -> Object | None:
    form = given.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema: Object = form["json_schema"].get("schema") or JSON_OBJECT
        return schema
    return JSON_OBJECT if form.get("type") == "json_object" else None


def _seen(given: Object) -> Seen:
    seen = Seen()
    for message in given["messages"]:
        text = text_of(message.get("content"))
        match message["role"]:
            case "system" | "developer":
                seen.instruct(text)
            case "assistant":
                seen.calls += [_called(call) for call in message.get("tool_calls") or ()]
            case "tool":
                seen.results[message["tool_call_id"]] = Result(text)
            case "user":
                seen.hear(text)
                images = [part["image_url"] for part in objects(message.get("content")) if part["type"] == "image_url"]
                seen.show(image_of_url(image["url"]) for image in images)
    return seen


def _called(call: Object) -> Call:
    if call["type"] == "custom":
        return Call(call["custom"]["name"], call["custom"]["input"], call["id"])
    return Call(call["function"]["name"], arguments_of(call["function"]["arguments"]), call["id"])


def _call(call: Call, ids: Ids) -> dict[str, Any]:
    function = {"name": call.name, "arguments": msgspec.json.encode(call.arguments).decode()}
    return {"id": ids.new("call_"), "type": "function", "function": function}


def _usage(input_tokens: int, output_tokens: int, reasoning_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": input_tokens // 2, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunks(head: Object, message: Object, finish: str, usage: Object | None) -> Iterator[Piece]:
    nothing = {} if usage is None else {"usage": None}

    def chunk(delta: Object, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return sse({**head, "choices": [choice], **nothing})

    yield 0, chunk({"role": "assistant", "content": "" if message["content"] else None, "refusal": None})
    for text in fragments(message["content"] or ""):
        yield tokens_of(text), chunk({"content": text})
    for index, call in enumerate(message.get("tool_calls") or ()):
        opened = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        yield tokens_of(call["function"]["name"]), chunk({"tool_calls": [opened]})
        for text in argument_fragments(call["function"]["arguments"]):
            yield tokens_of(text), chunk({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
    yield 0, chunk({}, finish)
    if usage is not None:
        yield 0, sse({**head, "choices": [], "usage": usage})
    yield 0, _DONE
