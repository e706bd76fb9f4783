"""OpenAI Chat Completions (``POST /v1/chat/completions``)."""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import msgspec

from gephyr.harness.providers.openai_common import choice_of, limit_of, stops_of
from gephyr.harness.providers.speech import (
    Answer,
    OfferedTool,
    Question,
    Stop,
    ToolCall,
    answer,
    fragments,
    tokens_of,
    tokens_of_json,
)
from gephyr.harness.providers.wire import (
    Object,
    Piece,
    Reply,
    Request,
    RequestError,
    decode,
    route,
    sse,
    stream,
    text_of,
    whole,
)

_FINISH = {Stop.END: "stop", Stop.SEQUENCE: "stop", Stop.LENGTH: "length", Stop.TOOL_CALL: "tool_calls"}
_MAX_CHOICES = 128
_DONE = b"data: [DONE]\n\n"


class StreamOptions(msgspec.Struct):
    """``stream_options``."""

    include_usage: bool = False


class Message(msgspec.Struct):
    """One of ``messages``."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ToolBody(msgspec.Struct):
    """What a tool is called, and the schema of its arguments if it is a function."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ChatTool(msgspec.Struct):
    """One of ``tools``."""

    type: str
    function: ToolBody | None = None
    custom: ToolBody | None = None


class JsonSchema(msgspec.Struct):
    """``response_format.json_schema``."""

    name: str
    schema: dict[str, Any] | None = None


class ResponseFormat(msgspec.Struct):
    """``response_format``."""

    type: str = "text"
    json_schema: JsonSchema | None = None


class ChatRequest(msgspec.Struct):
    """The fields of a request that matter here; others are ignored."""

    model: str
    messages: list[Message]
    tools: list[ChatTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None


@attrs.frozen
class _Envelope:
    """What every chunk of one stream repeats."""

    head: Object
    choices: int
    include_usage: bool

    def chunk(self, delta: Object, finish_reason: str | None = None) -> bytes:
        """Encode a chunk for each choice."""
        usage = {"usage": None} if self.include_usage else {}
        return b"".join(
            sse({**self.head, "choices": [_delta_choice(index, delta, finish_reason)], **usage})
            for index in range(self.choices)
        )


def _delta_choice(index: int, delta: Object, finish_reason: str | None) -> Object:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def chat_completions(request: Request) -> Reply:
    """Answer a chat, streamed or not."""
    asked = decode(request.body, ChatRequest)
    if not asked.messages:
        raise RequestError(400, "expected at least one message", param="messages")
    choices = choices_of(asked.n)
    said = answer(_question(asked))
    head = {
        "id": request.ids.new("chatcmpl-"),
        "object": "chat.completion.chunk" if asked.stream else "chat.completion",
        "created": int(request.now),
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }
    calls = [[_call(call, request.ids.new("call_")) for call in said.calls] for _ in range(choices)]
    if asked.stream:
        include_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return stream(_chunks(said, calls[0], _Envelope(head, choices, include_usage)))
    replies = [_whole_choice(index, said, calls[index]) for index in range(choices)]
    return whole({**head, "choices": replies, "usage": usage_of(said, choices)}, tokens=said.output_tokens)


def _question(asked: ChatRequest) -> Question:
    users = [message for message in asked.messages if message.role == "user"]
    results: list[str] = []
    for message in reversed(asked.messages):
        if message.role not in {"tool", "function"}:
            break
        results.insert(0, text_of(message.content))
    tools = [tool for tool in (_tool(tool, streamed=bool(asked.stream)) for tool in asked.tools or ()) if tool]
    choice, offered = choice_of(asked.tool_choice, tools)
    form = asked.response_format or ResponseFormat()
    limit = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    return Question(
        model=asked.model,
        text=text_of(users[-1].content) if users else "",
        input_tokens=tokens_of_json(asked.messages, asked.tools, asked.response_format),
        result="\n".join(results) if results else None,
        tools=offered,
        choice=choice,
        parallel=asked.parallel_tool_calls is not False,
        json=form.type in {"json_object", "json_schema"},
        schema=form.json_schema.schema if form.json_schema else None,
        thinks=asked.reasoning_effort not in {None, "none"},
        max_tokens=limit_of("max_tokens", limit),
        stop=stops_of(asked.stop),
    )


def _tool(tool: ChatTool, *, streamed: bool) -> OfferedTool | None:
    """A custom tool is not called in a stream: the SDK's types have no place for such a call there."""
    if tool.type == "function" and tool.function:
        return OfferedTool(tool.function.name, tool.function.parameters or {})
    if tool.type == "custom" and tool.custom and not streamed:
        return OfferedTool(tool.custom.name, None)
    return None


def _call(call: ToolCall, call_id: str) -> dict[str, Any]:
    if call.freeform:
        return {"id": call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call_id, "type": "function", "function": function}


def _whole_choice(index: int, said: Answer, calls: Sequence[Object]) -> Object:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    if calls:
        message |= {"content": None, "tool_calls": calls}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": _FINISH[said.stop]}


def _chunks(said: Answer, calls: Sequence[Object], envelope: _Envelope) -> Iterator[Piece]:
    opening = {"role": "assistant", "content": None if calls else "", "refusal": None}
    yield said.reasoning_tokens, envelope.chunk(opening)
    for fragment in fragments(said.text):
        yield tokens_of(fragment), envelope.chunk({"content": fragment})
    for index, call in enumerate(calls):
        function = call["function"]
        started = {**call, "index": index, "function": {**function, "arguments": ""}}
        yield tokens_of(function["name"]), envelope.chunk({"tool_calls": [started]})
        for fragment in fragments(function["arguments"]):
            delta = {"index": index, "function": {"arguments": fragment}}
            yield tokens_of(fragment), envelope.chunk({"tool_calls": [delta]})
    yield 0, envelope.chunk({}, _FINISH[said.stop])
    if envelope.include_usage:
        yield 0, sse({**envelope.head, "choices": [], "usage": usage_of(said, envelope.choices)})
    yield 0, _DONE


def choices_of(n: int | None) -> int:
    """Check how many choices are asked for."""
    if n is not None and not 1 <= n <= _MAX_CHOICES:
        raise RequestError(400, f"expected 1 to {_MAX_CHOICES}", param="n")
    return n or 1


def usage_of(said: Answer, choices: int) -> Object:
    """Return the usage of a reply with *choices* equal choices."""
    output = said.output_tokens * choices
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": output,
        "total_tokens": said.input_tokens + output,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": said.reasoning_tokens * choices,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


ROUTES = (route("POST", "/v1/chat/completions", chat_completions),)
