"""Anthropic Messages (``POST /v1/messages``) and its token counting."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gephyr.harness.providers.speech import (
    Answer,
    Choice,
    OfferedTool,
    Question,
    Stop,
    answer,
    fragments,
    signature_of,
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

_STOPS = {
    Stop.END: "end_turn",
    Stop.SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.TOOL_CALL: "tool_use",
}
_CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "any": Choice.REQUIRED, "tool": Choice.REQUIRED}


class Message(msgspec.Struct):
    """One of ``messages``."""

    role: str
    content: str | list[dict[str, Any]]


class ToolChoice(msgspec.Struct):
    """``tool_choice``."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool = False


class Thinking(msgspec.Struct):
    """``thinking``."""

    type: str
    display: str | None = None


class OutputFormat(msgspec.Struct):
    """``output_config.format``."""

    type: str
    schema: dict[str, Any] | None = None


class OutputConfig(msgspec.Struct):
    """``output_config``."""

    format: OutputFormat | None = None


class Tool(msgspec.Struct):
    """One of ``tools``; a toolset or an MCP server has no name."""

    type: str | None = None
    name: str = ""
    description: str | None = None
    input_schema: dict[str, Any] | None = None


class CountRequest(msgspec.Struct):
    """The fields that are counted as input."""

    model: str
    messages: list[Message]
    system: str | list[dict[str, Any]] | None = None
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None


class MessagesRequest(CountRequest, kw_only=True):
    """The fields of a request that matter here; others are ignored."""

    max_tokens: int
    stop_sequences: list[str] | None = None
    stream: bool | None = None


def messages(request: Request) -> Reply:
    """Answer a conversation, streamed or not."""
    asked = decode(request.body, MessagesRequest)
    _check(asked)
    if asked.max_tokens < 0:  # Zero is legal: it warms the prompt cache.
        raise RequestError(400, "Input should be greater than or equal to 0", param="max_tokens")
    said = answer(_question(asked))
    content = _blocks(said, asked.thinking, request)
    head: dict[str, Any] = {
        "id": request.ids.new("msg_"),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [] if asked.stream else content,
        "stop_reason": None if asked.stream else _STOPS[said.stop],
        "stop_sequence": None if asked.stream else said.stop_sequence,
        "usage": _usage(said, 0 if asked.stream else said.output_tokens),
    }
    return stream(_events(head, content, said)) if asked.stream else whole(head, tokens=said.output_tokens)


def count_tokens(request: Request) -> Reply:
    """Count the input tokens of a conversation."""
    asked = decode(request.body, CountRequest)
    _check(asked)
    return whole({"input_tokens": _input_tokens(asked)})


def _check(asked: CountRequest) -> None:
    if not asked.messages:
        raise RequestError(400, "at least one message is required", param="messages")
    for index, message in enumerate(asked.messages):
        if message.role not in {"user", "assistant", "system"}:
            wrong = f"Input should be 'user', 'assistant' or 'system', not '{message.role}'"
            raise RequestError(400, wrong, param=f"messages.{index}.role")


def _input_tokens(asked: CountRequest) -> int:
    return tokens_of_json(asked.messages, asked.system, asked.tools or None)


def _question(asked: MessagesRequest) -> Question:
    users = [message for message in asked.messages if message.role == "user"]
    results = _results(asked.messages[-1].content)
    # Typed tools (``bash_20250124``, ``web_search_20260318``) are never called.
    own = [tool for tool in asked.tools if tool.type in {None, "custom"}]
    tools = [OfferedTool(tool.name, tool.input_schema or {}) for tool in own]
    wanted = asked.tool_choice or ToolChoice("auto")
    if wanted.type not in _CHOICES:
        raise RequestError(400, "Input should be 'auto', 'any', 'tool' or 'none'", param="tool_choice.type")
    if wanted.type == "tool":
        tools = [tool for tool in tools if tool.name == wanted.name][:1]
        if not tools:
            message = f"Tool '{wanted.name}' not found in provided tools"
            raise RequestError(400, message, param="tool_choice")
    form = asked.output_config.format if asked.output_config else None
    return Question(
        model=asked.model,
        text=text_of(users[-1].content) if users else "",
        input_tokens=_input_tokens(asked),
        result="\n".join(results) if results else None,
        tools=tuple(tools),
        choice=_CHOICES[wanted.type],
        parallel=not wanted.disable_parallel_tool_use,
        json=form is not None,
        schema=form.schema if form else None,
        thinks=asked.thinking is not None and asked.thinking.type != "disabled",
        max_tokens=asked.max_tokens,
        stop=tuple(asked.stop_sequences or ()),
    )


def _results(content: str | list[dict[str, Any]]) -> list[str]:
    if isinstance(content, str):
        return []
    return [text_of(block.get("content")) for block in content if block.get("type") == "tool_result"]


def _usage(said: Answer, output_tokens: int) -> Object:
    return {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _blocks(said: Answer, thinking: Thinking | None, request: Request) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thought:
        shown = "" if thinking and thinking.display == "omitted" else said.thought
        blocks.append({"type": "thinking", "thinking": shown, "signature": signature_of(said.thought)})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for call in said.calls:
        arguments = msgspec.json.decode(call.arguments)
        call_id = request.ids.new("toolu_")
        blocks.append({"type": "tool_use", "id": call_id, "name": call.name, "input": arguments})
    return blocks


def _events(head: Object, content: list[dict[str, Any]], said: Answer) -> Iterator[Piece]:
    yield 0, _event({"type": "message_start", "message": head})
    for index, block in enumerate(content):
        yield 0, _event({"type": "content_block_start", "index": index, "content_block": _opened(block)})
        if index == 0:
            yield 0, _event({"type": "ping"})
        for tokens, delta in _deltas(block):
            yield tokens, _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield 0, _event({"type": "content_block_stop", "index": index})
    usage = {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"thinking_tokens": said.reasoning_tokens},
    }
    delta = {"stop_reason": _STOPS[said.stop], "stop_sequence": said.stop_sequence}
    yield 0, _event({"type": "message_delta", "delta": delta, "usage": usage})
    yield 0, _event({"type": "message_stop"})


def _event(data: Object) -> bytes:
    return sse(data, event=data["type"])


def _opened(block: Object) -> Object:
    match block["type"]:
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "text":
            return {**block, "text": ""}
        case _:
            return {**block, "input": {}}


def _deltas(block: Object) -> Iterator[tuple[int, Object]]:
    match block["type"]:
        case "thinking":
            for text in fragments(block["thinking"]):
                yield tokens_of(text), {"type": "thinking_delta", "thinking": text}
            yield 0, {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for text in fragments(block["text"]):
                yield tokens_of(text), {"type": "text_delta", "text": text}
        case _:
            yield 0, {"type": "input_json_delta", "partial_json": ""}
            for text in fragments(msgspec.json.encode(block["input"]).decode()):
                yield tokens_of(text), {"type": "input_json_delta", "partial_json": text}


ROUTES = (
    route("POST", "/v1/messages", messages),
    route("POST", "/v1/messages/count_tokens", count_tokens),
)
