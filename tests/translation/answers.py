"""What a reply says, read from its raw JSON or events by no code of Gephyr's."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs


@attrs.define
class Answer:
    """The meaning of a reply, in no dialect."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str]] = attrs.field(factory=list)
    """Name and canonical arguments of each call of a client's tool."""
    input: int | None = None
    """All input tokens, cached ones included."""
    cached: int | None = None
    output: int | None = None
    """All output tokens, reasoning included."""


def canonical(arguments: Any) -> str:
    """Arguments of a call for comparing: as JSON where they are, else as the freeform input that they are."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except ValueError:
            arguments = {"input": arguments}
    return json.dumps(arguments or {}, sort_keys=True)


CUT = "cut off"
"""Stands for arguments that the reply's end cut off; what a dialect of objects makes of them is its own affair."""


def _arguments(text: str) -> str:
    """Arguments of a function's call, which are JSON unless they were cut off."""
    try:
        return canonical(json.loads(text)) if text.strip() else canonical({})
    except ValueError:
        return CUT


def whole(dialect: str, reply: Any) -> Answer:
    """Read a whole reply."""
    return _WHOLE[dialect](reply)


def streamed(dialect: str, stream: bytes) -> Answer:
    """Read a stream of server-sent events."""
    return _STREAMED[dialect](list(payloads(stream)))


def payloads(stream: bytes) -> Iterator[Any]:
    """The data of each event, decoded."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


def _sum(*counts: Any) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _openai_usage(answer: Answer, usage: Any, kind: tuple[str, str]) -> None:
    if isinstance(usage, dict):
        answer.input, answer.output = usage.get(f"{kind[0]}_tokens"), usage.get(f"{kind[1]}_tokens")
        details = usage.get(f"{kind[0]}_tokens_details") or {}
        reasoned = (usage.get(f"{kind[1]}_tokens_details") or {}).get("reasoning_tokens")
        if reasoned and reasoned > (answer.output or 0):
            answer.output = (answer.output or 0) + reasoned  # xAI counts reasoning beside the output
        answer.cached = details.get("cached_tokens")
        if (answer.cached or 0) + (details.get("cache_write_tokens") or 0) > (answer.input or 0):
            answer.input = answer.cached = None  # some count so; no other dialect can say it


# -- Chat Completions -------------------------------------------------------------------------------------------------


def _chat(reply: Any) -> Answer:
    answer = Answer()
    _openai_usage(answer, reply.get("usage"), ("prompt", "completion"))
    if reply["choices"]:
        message = reply["choices"][0].get("message") or {}
        answer.text = _chat_text(message.get("content")) + (message.get("refusal") or "")
        for call in message.get("tool_calls") or []:
            inner = call.get("function") or call["custom"]
            answer.calls.append((inner["name"], canonical(inner.get("arguments", inner.get("input")))))
        if (message.get("function_call") or {}).get("name"):
            answer.calls.append((message["function_call"]["name"], canonical(message["function_call"]["arguments"])))
    return answer


def _chat_text(content: Any) -> str:
    """Mistral answers in parts too, Cloudflare with the JSON that was asked for."""
    if isinstance(content, dict):
        return json.dumps(content, separators=(",", ":"))
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part["type"] == "text")
    return content or ""


def _chat_stream(chunks: list[Any]) -> Answer:
    answer, calls = Answer(), {}
    for chunk in chunks:
        _openai_usage(answer, chunk.get("usage"), ("prompt", "completion"))
        # Groq puts usage elsewhere.
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            answer.text += _chat_text(delta.get("content")) + (delta.get("refusal") or "")
            for call in delta.get("tool_calls") or []:
                inner = call.get("function") or call.get("custom") or {}
                known = calls.setdefault(
                    (call.get("index", 0), call.get("id") if "index" not in call else ""), ["", ""]
                )
                known[0] += (inner.get("name") or "") if not known[0] else ""
                known[1] += inner.get("arguments") or inner.get("input") or ""
    answer.calls = [(name, canonical(arguments)) for name, arguments in calls.values()]
    return answer


# -- Responses --------------------------------------------------------------------------------------------------------


def _responses(reply: Any) -> Answer:
    answer = Answer()
    _openai_usage(answer, reply.get("usage"), ("input", "output"))
    for item in reply["output"]:
        match item:
            case {"type": "message", "content": content}:
                answer.text += "".join(part.get("text") or part.get("refusal") or "" for part in content)
            case {"type": "function_call", "name": name, "arguments": arguments}:
                space = item.get("namespace")
                answer.calls.append((f"{space}__{name}" if space not in (None, name) else name, _arguments(arguments)))
            case {"type": "tool_search_call", "execution": "client", "arguments": arguments}:
                answer.calls.append(("tool_search", canonical(arguments)))
            case {"type": "custom_tool_call", "name": name, "input": text}:
                answer.calls.append((name, canonical({"input": text})))
    return answer


def _responses_stream(events: list[Any]) -> Answer:
    """The last event holds all; what the deltas said has to be the same where the items tell it too."""
    last = events[-1]
    assert last["type"] in {"response.completed", "response.incomplete"}, last["type"]
    answer = _responses(last["response"])
    added = "".join(event["delta"] for event in events if event["type"] in _TEXT_DELTAS)
    assert added == answer.text, (added[:200], answer.text[:200])
    return answer


_TEXT_DELTAS = {"response.output_text.delta", "response.refusal.delta"}


# -- Anthropic --------------------------------------------------------------------------------------------------------


def _anthropic(reply: Any) -> Answer:
    answer = Answer()
    for block in reply["content"]:
        match block:
            case {"type": "text", "text": text}:
                answer.text += text
            case {"type": "thinking", "thinking": text}:
                answer.thinking += text
            case {"type": "tool_use", "name": name, "input": arguments}:
                answer.calls.append((name, canonical(arguments)))
    _anthropic_usage(answer, reply.get("usage") or {})
    return answer


def _anthropic_usage(answer: Answer, usage: dict[str, Any]) -> None:
    cached = usage.get("cache_read_input_tokens")
    answer.input = _sum(usage.get("input_tokens"), usage.get("cache_creation_input_tokens"), cached)
    answer.cached, answer.output = cached, usage.get("output_tokens")


def _anthropic_stream(events: list[Any]) -> Answer:
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    usage: dict[str, Any] = {}
    for event in events:
        match event:
            case {"type": "message_start", "message": message}:
                usage = dict(message["usage"])
            case {"type": "content_block_start", "index": index, "content_block": block}:
                blocks[index] = dict(block)
            case {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}:
                blocks[index]["text"] += text
            case {"type": "content_block_delta", "index": index, "delta": {"type": "thinking_delta", "thinking": text}}:
                blocks[index]["thinking"] += text
            case {"type": "content_block_delta", "index": index, "delta": {"partial_json": text}}:
                inputs[index] = inputs.get(index, "") + text
            case {"type": "message_delta", "usage": late}:
                usage |= {name: count for name, count in late.items() if count is not None}
    for index, text in inputs.items():
        blocks[index]["input"] = json.loads(canonical(text))
    return _anthropic({"content": [blocks[index] for index in sorted(blocks)], "usage": usage})


# -- Gemini -----------------------------------------------------------------------------------------------------------


def _gemini(reply: Any) -> Answer:
    return _gemini_stream(reply if isinstance(reply, list) else [reply])


def _gemini_stream(chunks: list[Any]) -> Answer:
    answer = Answer()
    for chunk in chunks:
        candidates = chunk.get("candidates") or [{}]
        for part in (candidates[0].get("content") or {}).get("parts") or []:
            match part:
                case {"thought": True, "text": text}:
                    answer.thinking += text
                case {"text": text}:
                    answer.text += text
                case {"functionCall": call}:
                    answer.calls.append((call["name"], canonical(call.get("args"))))
        if usage := chunk.get("usageMetadata"):
            answer.input = _sum(usage.get("promptTokenCount"), usage.get("toolUsePromptTokenCount"))
            answer.cached = usage.get("cachedContentTokenCount")
            answer.output = _sum(usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount"))
    return answer


_WHOLE: dict[str, Callable[[Any], Answer]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
_STREAMED: dict[str, Callable[[list[Any]], Answer]] = {
    "openai-chat": _chat_stream,
    "openai-responses": _responses_stream,
    "anthropic": _anthropic_stream,
    "gemini": _gemini_stream,
}
