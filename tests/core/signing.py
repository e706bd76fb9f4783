"""Clients that send back what they got, and providers that sign: for conversations that several answer."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec

from gephyr_core.dialects import DIALECTS
from gephyr_core.sse import SseFramer, parse

Object = dict[str, Any]


def _anthropic_reply(value: str, number: int, *, calls: bool) -> Object:
    call = {"type": "tool_use", "id": f"toolu_{number}", "name": "look", "input": {}}
    said = call if calls else {"type": "text", "text": f"answer {number}"}
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": [
            {"type": "thinking", "thinking": f"thought {number}", "signature": value},
            {"type": "redacted_thinking", "data": f"{value}redacted"},
            said,
        ],
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


def _gemini_reply(value: str, number: int, *, calls: bool) -> Object:
    said = {"functionCall": {"name": "look", "args": {}}} if calls else {"text": f"answer {number}"}
    parts = [{"text": f"thought {number}", "thought": True}, {**said, "thoughtSignature": value}]
    content = {"role": "model", "parts": parts}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}


def _responses_reply(value: str, number: int, *, calls: bool) -> Object:
    call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": "look"}
    call |= {"arguments": "{}", "status": "completed"}
    text = {"type": "output_text", "text": f"answer {number}", "annotations": []}
    said = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [text]}
    reasoning = {"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": value}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5.6",
        "status": "completed",
        "store": False,
        "output": [reasoning, call if calls else said],
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    }


def _chat_reply(value: str, number: int, *, calls: bool) -> Object:
    details = [
        {"type": "reasoning.text", "text": f"thought {number}", "signature": value, "index": 0},
        {"type": "reasoning.encrypted", "data": f"{value}encrypted", "index": 1},
    ]
    message: Object = {"role": "assistant", "content": f"answer {number}", "reasoning_details": details}
    if calls:
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        message |= {"content": None, "tool_calls": [{**call, "index": 0}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": f"c{number}", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


@attrs.frozen
class Speech:
    """How a dialect is spoken, on both sides."""

    dialect: str
    provider: str
    model: str
    history: str
    """The field of the conversation."""
    settings: Object
    reply: Callable[..., Object]
    """A provider's reply, signed."""

    def target(self, *, stream: bool) -> str:
        """The request's path."""
        if self.dialect == "gemini":
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return f"/v1beta/models/{self.model}:{verb}"
        paths = {"anthropic": "messages", "openai-chat": "chat/completions", "openai-responses": "responses"}
        return f"/v1/{paths[self.dialect]}"

    def request(self, history: list[Object], *, stream: bool) -> bytes:
        """A request of the client's."""
        body = {**self.settings, self.history: history}
        if self.dialect != "gemini":
            body |= {"model": self.model, **({"stream": True} if stream else {})}
        return msgspec.json.encode(body)

    def user(self, text: str) -> Object:
        """What the user says."""
        if self.dialect == "gemini":
            return {"role": "user", "parts": [{"text": text}]}
        return {"role": "user", "content": text}

    def went_on(self, reply: Object, number: int) -> list[Object]:
        """What a client adds to its history: the reply as it came, and results or the user's next words."""
        result, following = f"result {number}", self.user(f"go on {number}")
        match self.dialect:
            case "anthropic":
                content = reply["content"]
                ids = [block["id"] for block in content if block["type"] == "tool_use"]
                results = [{"type": "tool_result", "tool_use_id": one, "content": result} for one in ids]
                return [
                    {"role": "assistant", "content": content},
                    {"role": "user", "content": results} if ids else following,
                ]
            case "gemini":
                content = reply["candidates"][0]["content"]
                calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
                answers = [
                    {
                        "functionResponse": {
                            **{k: c[k] for k in ("id", "name") if k in c},
                            "response": {"output": result},
                        }
                    }
                    for c in calls
                ]
                return [content, {"role": "user", "parts": answers} if answers else following]
            case "openai-responses":
                ids = [item["call_id"] for item in reply["output"] if item["type"] == "function_call"]
                outputs = [{"type": "function_call_output", "call_id": one, "output": result} for one in ids]
                return [*reply["output"], *(outputs or [following])]
        message = reply["choices"][0]["message"]
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        results = [{"role": "tool", "tool_call_id": one, "content": result} for one in ids]
        return [message, *(results or [following])]

    def read(self, data: bytes, *, stream: bool) -> Object:
        """The reply that a client makes of what came."""
        if not stream:
            whole: Object = msgspec.json.decode(data)
            return whole
        assembly, framer = DIALECTS[self.dialect].assembly(), SseFramer(1 << 20)
        for event in [*framer.split(data), framer.rest()]:
            told = parse(event).data
            if told and told != "[DONE]":
                assembly.add(msgspec.json.decode(told))
        return assembly.reply()


_TOOL = {"type": "object", "properties": {}}
ANTHROPIC = Speech(
    "anthropic",
    "anthropic",
    "claude-opus-5",
    "messages",
    {
        "max_tokens": 3000,
        "thinking": {"type": "adaptive"},
        "tools": [{"name": "look", "input_schema": _TOOL}],
    },
    _anthropic_reply,
)
GEMINI = Speech(
    "gemini",
    "gemini",
    "gemini-3-pro-preview",
    "contents",
    {
        "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": _TOOL}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    },
    _gemini_reply,
)
RESPONSES = Speech(
    "openai-responses",
    "openai",
    "gpt-5.6",
    "input",
    {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "high", "summary": "auto"},
        "tools": [{"type": "function", "name": "look", "parameters": _TOOL, "strict": False}],
    },
    _responses_reply,
)
CHAT = Speech(
    "openai-chat",
    "openrouter",
    "anthropic/claude-opus-5",
    "messages",
    {
        "reasoning": {"effort": "high"},
        "tools": [{"type": "function", "function": {"name": "look", "parameters": _TOOL}}],
    },
    _chat_reply,
)
SPEECHES = (ANTHROPIC, GEMINI, RESPONSES, CHAT)


def texts(value: object) -> Iterator[str]:
    """Every text of a JSON value, in the order in which they stand there."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for element in value:
            yield from texts(element)
