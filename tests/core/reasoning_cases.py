"""Clients that ask for reasoning or do not, and providers that give it unasked."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, Command, EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.dialects import DIALECTS
from gephyr_core.sse import SseFramer, parse
from tests.core.play import JSON, SSE, Play, account

FORMS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
CHAT, RESPONSES, ANTHROPIC, GEMINI = CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
PROVIDERS = {"openai-chat": "deepseek", "openai-responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
"""A provider of each dialect."""
MODELS = {
    "openai-chat": "deepseek-chat",
    "openai-responses": "gpt-5.6",
    "anthropic": "claude-opus-4-7",
    "gemini": "gemini-3-pro-preview",
}
THOUGHT, TEXT, PROOF = "let me see", "hello", "c2lnbmVk"
CALL_ID = "toolu_01A09q90qw90lq917835lq9"
PAIRS = [(client, provider) for client in CLIENTS for provider in PROVIDERS if client != provider]

ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"reasoning": {"effort": "high"}},
    RESPONSES: {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
    ANTHROPIC: {"thinking": {"type": "adaptive"}},
    GEMINI: {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
}


def play(provider: str, *accounts: Any, **sections: Any) -> Play:
    """A gateway whose model ``m`` is served by a provider of the dialect *provider*."""
    name = PROVIDERS[provider]
    routes = {"m": (f"{name}/{MODELS[provider]}",)}
    return Play(*(accounts or (account("a", name, dialect=provider),)), models=ModelsConfig(routes=routes), **sections)


def question(client: str, *said: Any, stream: bool = False, **fields: Any) -> tuple[bytes, str]:
    """A client's request and its path; *said*: what came after the user's first words, in the client's dialect."""
    user = "go on"
    match client:
        case "gemini":
            path = f"/v1beta/models/m:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"
            contents = [{"role": "user", "parts": [{"text": user}]}, *said]
            return msgspec.json.encode({"contents": contents, **fields}), path
        case "anthropic":
            messages = [{"role": "user", "content": user}, *said]
            body = {"model": "m", "max_tokens": 2000, "messages": messages, "stream": stream, **fields}
            return msgspec.json.encode(body), "/v1/messages"
        case "openai-chat":
            messages = [{"role": "user", "content": user}, *said]
            return msgspec.json.encode(
                {"model": "m", "messages": messages, "stream": stream, **fields}
            ), "/v1/chat/completions"
    items = [{"role": "user", "content": user}, *said]
    return msgspec.json.encode(
        {"model": "m", "input": items, "stream": stream, "store": False, **fields}
    ), "/v1/responses"


def reply(provider: str, *, calls: bool = False, text: str = TEXT) -> bytes:
    """A provider's whole reply: reasoning with its proof, then a text or a call."""
    return msgspec.json.encode(_REPLIES[provider](text, calls))


def _chat(text: str, calls: bool) -> dict[str, Any]:
    function = {"name": "look", "arguments": '{"a":1}'}
    called = {"content": None, "tool_calls": [{"id": CALL_ID, "type": "function", "function": function}]}
    message = {"role": "assistant", "reasoning_content": THOUGHT, **(called if calls else {"content": text})}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "x", "choices": [choice]}


def _responses(text: str, calls: bool) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": THOUGHT}]
    thought = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": PROOF}
    content = [{"type": "output_text", "text": text, "annotations": []}]
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    call = {"type": "function_call", "id": "fc_1", "call_id": CALL_ID, "name": "look", "arguments": '{"a":1}'}
    output = [thought, {**call, "status": "completed"} if calls else said]
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "x", "output": output}


def _anthropic(text: str, calls: bool) -> dict[str, Any]:
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": PROOF}
    call = {"type": "tool_use", "id": CALL_ID, "name": "look", "input": {"a": 1}}
    content = [thought, call if calls else {"type": "text", "text": text}]
    stop = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    usage = {"input_tokens": 3, "output_tokens": 2}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODELS[ANTHROPIC],
        "content": content,
        **stop,
    } | {"usage": usage}


def _gemini(text: str, calls: bool) -> dict[str, Any]:
    call = {"functionCall": {"id": CALL_ID, "name": "look", "args": {"a": 1}}}
    parts = [{"text": THOUGHT, "thought": True}, {**(call if calls else {"text": text}), "thoughtSignature": PROOF}]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "modelVersion": "x", "responseId": "r"}


_REPLIES = {CHAT: _chat, RESPONSES: _responses, ANTHROPIC: _anthropic, GEMINI: _gemini}


def told(
    one: Play,
    client: str,
    provider: str,
    asks: dict[str, Any],
    *,
    streamed: bool,
    said: Sequence[Any] = (),
    **more: Any,
) -> tuple[Any, bytes]:
    """Ask, have the provider answer, and return what the client is told, as a whole reply, and its bytes."""
    body, path = question(client, *said, stream=streamed, **asks)
    call = one.request(body, path)
    return answered(one, call, client, reply(provider, **more), provider, streamed=streamed)


def commands_of(one: Play, call: CallUpstream, whole: bytes, provider: str, *, streamed: bool) -> list[Command]:
    """Have *call* answered, in the form that the client asked for; return what came of it."""
    if not streamed:
        commands = [*one.answer(call, whole, headers=JSON)]
        one.unclaimed = []
        return commands
    commands = [*one.head(call, headers=SSE)]
    one.unclaimed = []
    for event in SseFramer.events(DIALECTS[provider].events_of(whole)):
        commands += [*one.body(call, event)]
        one.unclaimed = []
    if one.gateway.open_exchanges:
        commands += [*one.end(call)]
        one.unclaimed = []
    return commands


def answered(
    one: Play, call: CallUpstream, client: str, whole: bytes, provider: str, *, streamed: bool
) -> tuple[Any, bytes]:
    """Have *call* answered; return what the client is told, as a whole reply, and its bytes."""
    commands = commands_of(one, call, whole, provider, streamed=streamed)
    assert any(isinstance(command, StartResponse) for command in commands)
    assert any(isinstance(command, EndResponse) for command in commands)
    data = b"".join(command.data for command in commands if isinstance(command, SendBody))
    return (_whole(client, data) if streamed else msgspec.json.decode(data)), data


def _whole(client: str, stream: bytes) -> Any:
    assembly = DIALECTS[client].assembly()
    for event in SseFramer.events(stream):
        text = parse(event).data
        if text and text != "[DONE]":
            assembly.add(msgspec.json.decode(text))
    return assembly.reply()
