"""What a request says, read from its raw JSON by no code of Gephyr's: the measure of what a translation kept."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import attrs


@attrs.frozen
class Said:
    """One thing that was said."""

    kind: str
    """``text``, ``call``, ``result`` or ``media``."""
    value: str
    """Text without white space; a call's name and arguments; a result's content; a digest of bytes, or an address."""
    path: str
    """Where it stands in the request."""
    raw: bytes = b""
    """The bytes of a document that may be carried as text."""


def said(dialect: str, body: dict[str, Any]) -> list[Said]:
    """What a request of *dialect* says, in the order of the request."""
    return [item for item in _READERS[dialect](body) if item.value]


def squeezed(text: str) -> str:
    """A text without white space: translations may join texts with line ends."""
    return "".join(text.split())


def _text(text: Any, path: str) -> Iterator[Said]:
    if isinstance(text, str):
        yield Said("text", squeezed(text), path)


def _call(name: str, arguments: Any, path: str) -> Iterator[Said]:
    """*arguments*: JSON, or its text, or the input of a freeform tool, which counts as the argument ``input``."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments else {}
        except ValueError:
            arguments = {"input": arguments}
    yield Said("call", f"{name} {_canonical(arguments or {})}", path)


def _result(content: str, path: str) -> Iterator[Said]:
    yield Said("result", "-" if content in {"", "{}"} else squeezed(content) or "-", path)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _media(source: Any, path: str) -> Iterator[Said]:
    """*source*: an address, a data URL, or bytes."""
    if isinstance(source, str) and source.startswith("data:"):
        head, _, data = source.partition(",")
        source = _bytes(data) if head.endswith(";base64") else unquote_to_bytes(data)
    if isinstance(source, bytes):
        yield Said("media", hashlib.sha256(source).hexdigest(), path, source)
    elif source:
        yield Said("media", source, path)


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data.replace("-", "+").replace("_", "/") + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return data.encode()


# -- Chat Completions -------------------------------------------------------------------------------------------------


def _chat(body: dict[str, Any]) -> Iterator[Said]:
    for index, message in enumerate(body["messages"]):
        path = f"messages[{index}]"
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
        if message["role"] in {"tool", "function"}:
            texts = [part if isinstance(part, str) else part.get("text", "") for part in parts]
            yield from _result("".join(texts), path)
            continue
        for number, part in enumerate(parts):
            at = f"{path}.content[{number}]" if isinstance(content, list) else f"{path}.content"
            yield from _chat_part(part, at)
        yield from _text(message.get("refusal"), f"{path}.refusal")
        calls = [
            *(message.get("tool_calls") or []),
            *([{"function": message["function_call"]}] if message.get("function_call") else []),
        ]
        for number, call in enumerate(calls):
            inner = call.get("function") or call["custom"]
            yield from _call(inner["name"], inner.get("arguments", inner.get("input")), f"{path}.tool_calls[{number}]")


def _chat_part(part: Any, path: str) -> Iterator[Said]:
    match part:
        case str() as text:
            yield from _text(text, path)
        case {"type": "text", "text": text} | {"type": "refusal", "refusal": text}:
            yield from _text(text, path)
        case {"type": "image_url", "image_url": {"url": url}} | {"type": "image_url", "image_url": str() as url}:
            yield from _media(url, path)
        case {"type": "input_audio", "input_audio": {"data": data}}:
            yield from _media(_bytes(data), path)
        case {"type": "file", "file": {"file_data": data}}:
            yield from _media(data if data.startswith("data:") else _bytes(data), path)
        case {"type": "file", "file": {"file_id": file}}:
            yield from _media(file, path)
        case {"type": "document_url", "document_url": url}:
            yield from _media(url, path)


# -- Responses --------------------------------------------------------------------------------------------------------


def _responses(body: dict[str, Any]) -> Iterator[Said]:
    yield from _text(body.get("instructions"), "instructions")
    items = body.get("input") or []
    if isinstance(items, str):
        yield from _text(items, "input")
        return
    for index, item in enumerate(items):
        path = f"input[{index}]"
        match item:
            case {"type": "function_call", "name": name, "arguments": arguments}:
                yield from _call(name, arguments, path)
            case {"type": "tool_search_call", "execution": "client", "arguments": arguments}:
                yield from _call("tool_search", arguments, path)
            case {"type": "tool_search_output", "execution": "client", "tools": tools}:
                yield from _result(_canonical(tools), path)
            case {"type": "custom_tool_call", "name": name, "input": text}:
                yield from _call(name, {"input": text}, path)
            case {"type": "function_call_output" | "custom_tool_call_output", "output": output}:
                yield from _responses_result(output, path)
            case {"content": str() as text}:
                yield from _text(text, f"{path}.content")
            case {"content": list() as parts} if item.get("type", "message") == "message":
                for number, part in enumerate(parts):
                    yield from _responses_part(part, f"{path}.content[{number}]")


def _responses_result(output: Any, path: str) -> Iterator[Said]:
    if isinstance(output, str):
        yield from _result(output, path)
        return
    yield from _result("".join(part.get("text") or "" for part in output), path)
    for number, part in enumerate(output):
        if part["type"] != "input_text":
            yield from _responses_part(part, f"{path}.output[{number}]")


def _responses_part(part: Any, path: str) -> Iterator[Said]:
    match part:
        case {"type": "input_text" | "output_text" | "text", "text": text} | {"type": "refusal", "refusal": text}:
            yield from _text(text, path)
        case {"type": "input_image", "image_url": str() as url} | {"type": "input_file", "file_url": url}:
            yield from _media(url, path)
        case {"type": "input_file", "file_data": data}:
            yield from _media(data if data.startswith("data:") else _bytes(data), path)
        case {"file_id": file}:
            yield from _media(file, path)


# -- Anthropic --------------------------------------------------------------------------------------------------------


def _anthropic(body: dict[str, Any]) -> Iterator[Said]:
    yield from _blocks(body.get("system"), "system")
    for index, message in enumerate(body["messages"]):
        yield from _blocks(message["content"], f"messages[{index}].content")


def _blocks(content: Any, path: str) -> Iterator[Said]:
    if isinstance(content, str):
        yield from _text(content, path)
        return
    for number, block in enumerate(content or []):
        at = f"{path}[{number}]"
        match block:
            case {"type": "text", "text": text}:
                yield from _text(text, at)
            case {"type": "tool_use", "name": name, "input": arguments}:
                yield from _call(name, arguments, at)
            case {"type": "tool_result"}:
                inner = list(_blocks(block.get("content"), f"{at}.content"))
                yield from _result("".join(item.value for item in inner if item.kind == "text"), at)
                yield from (item for item in inner if item.kind == "media")
            case {"type": "image" | "document", "source": source}:
                yield from _source(source, at)
            case {"type": "search_result", "content": inner}:
                yield from _blocks(inner, f"{at}.content")


def _source(source: dict[str, Any], path: str) -> Iterator[Said]:
    match source:
        case {"type": "base64", "data": data}:
            yield from _media(_bytes(data), path)
        case {"type": "text", "data": data}:
            yield from _media(data.encode(), path)
        case {"type": "url", "url": url}:
            yield from _media(url, path)
        case {"type": "file", "file_id": file}:
            yield from _media(file, path)
        case {"type": "content", "content": inner}:
            yield from _blocks(inner, f"{path}.source.content")


# -- Gemini -----------------------------------------------------------------------------------------------------------


def _gemini(body: dict[str, Any]) -> Iterator[Said]:
    body = camel(body)
    system = body.get("systemInstruction")
    if isinstance(system, str):
        yield from _text(system, "systemInstruction")
    elif system:
        yield from _parts(system, "systemInstruction")
    contents = body["contents"]
    for index, content in enumerate(contents if isinstance(contents, list) else [contents]):
        yield from _parts(content, f"contents[{index}]")


def _parts(content: dict[str, Any], path: str) -> Iterator[Said]:
    parts = content.get("parts") or []
    for number, part in enumerate(parts if isinstance(parts, list) else [parts]):
        at = f"{path}.parts[{number}]"
        match part:
            case {"thought": True}:
                pass
            case {"text": text}:
                yield from _text(text, at)
            case {"functionCall": {"name": name, **rest}}:
                yield from _call(name, rest.get("args") or {}, at)
            case {"functionResponse": {"response": response, **rest}}:
                yield from _result(_canonical(response), at)
                for inner in rest.get("parts") or []:
                    yield from _gemini_media(inner, at)
            case _:
                yield from _gemini_media(part, at)


def _gemini_media(part: dict[str, Any], path: str) -> Iterator[Said]:
    match part:
        case {"inlineData": {"data": data}}:
            yield from _media(_bytes(data), path)
        case {"fileData": {"fileUri": uri}}:
            yield from _media(uri, path)


_OPAQUE = {"args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema", "labels"}


def camel(value: Any) -> Any:
    """A Gemini body with the names of its own JSON: it takes snake case too."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, Any] = {}
    for name, item in value.items():
        head, *tail = name.split("_")
        camelled = head + "".join(word.capitalize() for word in tail)
        renamed[camelled] = item if camelled in _OPAQUE else camel(item)
    return renamed


_READERS: dict[str, Callable[[dict[str, Any]], Iterator[Said]]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
