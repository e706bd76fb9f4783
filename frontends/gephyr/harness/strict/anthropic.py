"""Plays the script over Anthropic Messages."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gephyr.harness.providers.wire import Ids, Object, Piece, Reply, Request, decode, sse, stream, text_of, whole
from gephyr.harness.strict.anthropic_checks import check_messages, thinks
from gephyr.harness.strict.anthropic_history import keeps_prefix, prefix_of
from gephyr.harness.strict.anthropic_versions import check_version
from gephyr.harness.strict.models import claude
from gephyr.harness.strict.playing import (
    argument_fragments,
    fragments,
    image_of,
    input_tokens_of,
    output_tokens_of,
    tokens_of,
)
from gephyr.harness.strict.refusal import RefusalError, objects
from gephyr.harness.strict.script import Call, Result, Seen, Step, next_step
from gephyr.harness.strict.signatures import Sealed, Signer


def answer_messages(request: Request, organization: str, signer: Signer) -> Reply:
    """Answer a request for a message, streamed or not. Raises :class:`RefusalError`."""
    given = decode(request.body, dict[str, Any])
    check_messages(given, request.headers, organization, signer)
    step = next_step(_seen(given, organization, signer), _offered(given), _schema(given), forced=_forces(given))
    thinking = thinks(given, claude(given["model"]))
    content = [*_thinking(given, step, organization, signer)] if thinking else []
    content += _said(step, request.ids)
    made = output_tokens_of(step, thinking=thinking)
    streamed = bool(given.get("stream"))
    reason = "tool_use" if step.calls else "end_turn"
    message = {
        "id": request.ids.new("msg_"),
        "type": "message",
        "role": "assistant",
        "model": given["model"],
        "content": [] if streamed else content,
        "stop_reason": None if streamed else reason,
        "stop_sequence": None,
        "usage": _usage(given, 1 if streamed else made),
    }
    if not streamed:
        return whole(message, tokens=made)
    return stream(_events(message, content, reason, _usage(given, made)))


def answer_count(request: Request) -> Reply:
    """Count the tokens of a request. Raises :class:`RefusalError`."""
    given = decode(request.body, dict[str, Any])
    check_version(given, request.headers)
    for field in ("model", "messages"):
        if field not in given:
            raise RefusalError(f"{field}: Field required")
    for field in ("max_tokens", "stream", "temperature", "metadata", "stop_sequences"):
        if field in given:
            raise RefusalError(f"{field}: Extra inputs are not permitted")
    claude(given["model"])
    return whole({"input_tokens": input_tokens_of(given)})


def _offered(given: Object) -> dict[str, Object]:
    choice = given.get("tool_choice") or {}
    if choice.get("type") == "none":
        return {}
    own = [tool for tool in given.get("tools") or () if tool.get("type") in {None, "custom"}]
    return {tool["name"]: tool["input_schema"] for tool in own if choice.get("name", tool["name"]) == tool["name"]}


def _forces(given: Object) -> bool:
    return (given.get("tool_choice") or {}).get("type") in {"any", "tool"}


def _schema(given: Object) -> Object | None:
    form = (given.get("output_config") or {}).get("format") or given.get("output_format")
    return form["schema"] if form else None


def _seen(given: Object, organization: str, signer: Signer) -> Seen:
    seen = Seen(system=text_of(given.get("system")))
    for index, message in enumerate(given["messages"]):
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else objects(content)
        if message["role"] == "system":
            seen.instruct(text_of(content))
        for block in blocks:
            _see(block, seen)
        if message["role"] == "user" and not any(block["type"] == "tool_result" for block in blocks):
            seen.hear(text_of(content))
        for block in blocks:
            sealed = signer.opened(block.get("signature") or block.get("data") or "")
            if sealed is not None and (sealed.organization, sealed.model) == (organization, given["model"]):
                seen.thoughts += not claude(given["model"]).bound or keeps_prefix(sealed, given, index)
    return seen


def _see(block: Object, seen: Seen) -> None:
    match block["type"]:
        case "tool_use":
            seen.calls.append(Call(block["name"], block["input"], block["id"]))
        case "tool_result":
            inner = objects(block.get("content"))
            images = [_image(part["source"]) for part in inner if part["type"] == "image"]
            result = Result(text_of(block.get("content")), bool(block.get("is_error")), images)
            seen.results[block["tool_use_id"]] = result
        case "image":
            seen.show([_image(block["source"])])


def _image(source: Object) -> str:
    if source["type"] == "base64":
        return image_of(source["media_type"], source["data"])
    return f"image at {source.get('url') or source.get('file_id')}"


def _thinking(given: Object, step: Step, organization: str, signer: Signer) -> Iterator[dict[str, Any]]:
    model = claude(given["model"])
    prefix = prefix_of(given, len(given["messages"])) if model.bound else ""
    sealed = Sealed("anthropic", organization, given["model"], step.thought, prefix)
    display = (given.get("thinking") or {}).get("display") or ("summarized" if model.shows_thinking else "omitted")
    shown = "" if display == "omitted" else step.thought
    yield {"type": "thinking", "thinking": shown, "signature": signer.sign(sealed)}


def _said(step: Step, ids: Ids) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": step.text}] if step.text else []
    blocks += [
        {"type": "tool_use", "id": ids.new("toolu_"), "name": call.name, "input": call.arguments} for call in step.calls
    ]
    return blocks


def _usage(given: Object, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens_of(given["messages"]),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": input_tokens_of([given.get("system"), given.get("tools")]),
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _events(message: Object, content: list[dict[str, Any]], reason: str, usage: dict[str, Any]) -> Iterator[Piece]:
    yield 0, _event({"type": "message_start", "message": message})
    for index, block in enumerate(content):
        yield 0, _event({"type": "content_block_start", "index": index, "content_block": _opened(block)})
        if index == 0:
            yield 0, _event({"type": "ping"})
        for delta in _deltas(block):
            tokens = max(tokens_of(str(text)) for text in delta.values())
            yield tokens, _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield 0, _event({"type": "content_block_stop", "index": index})
    told = {name: usage[name] for name in usage if name not in {"cache_creation", "service_tier"}}
    delta = {"stop_reason": reason, "stop_sequence": None}
    yield 0, _event({"type": "message_delta", "delta": delta, "usage": told})
    yield 0, _event({"type": "message_stop"})


def _event(data: Object) -> bytes:
    return sse(data, event=data["type"])


def _opened(block: Object) -> Object:
    empty: dict[str, dict[str, Any]] = {
        "thinking": {"thinking": "", "signature": ""},
        "text": {"text": ""},
        "tool_use": {"input": {}},
    }
    return {**block, **empty[block["type"]]}


def _deltas(block: Object) -> Iterator[Object]:
    match block["type"]:
        case "thinking":
            for text in fragments(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": text}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for text in fragments(block["text"]):
                yield {"type": "text_delta", "text": text}
        case _:
            yield {"type": "input_json_delta", "partial_json": ""}
            if block["input"]:  # Nothing more comes for a call without arguments.
                for text in argument_fragments(msgspec.json.encode(block["input"]).decode()):
                    yield {"type": "input_json_delta", "partial_json": text}
