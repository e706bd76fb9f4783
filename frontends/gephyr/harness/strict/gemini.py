"""Plays the script over Gemini's generateContent and streamGenerateContent."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gephyr.harness.providers.wire import JSON, Object, Piece, Reply, Request, decode, sse, stream, whole
from gephyr.harness.strict.gemini_checks import SKIP_SIGNATURE, check_generate, standard_base64
from gephyr.harness.strict.gemini_shape import read
from gephyr.harness.strict.models import Gemini, gemini
from gephyr.harness.strict.playing import fragments, image_of, input_tokens_of, output_tokens_of, tokens_of
from gephyr.harness.strict.refusal import RefusalError
from gephyr.harness.strict.script import JSON_OBJECT, Call, Result, Seen, Step, next_step, quoted
from gephyr.harness.strict.signatures import Sealed, Signer

_JSON_UTF8 = JSON + b"; charset=UTF-8"
_RESULT_KEYS = ("output", "result", "error")


def answer_generate(request: Request, organization: str, signer: Signer, *, streamed: bool) -> Reply:
    """Answer a request for content. Raises :class:`RefusalError`."""
    name = request.names["model"]
    asked = check_generate(decode(request.body, dict[str, Any]), name, organization, signer)
    model = gemini(name)
    step = next_step(_seen(asked, signer), _offered(asked), _schema(asked), forced=_calling(asked).get("mode") == "ANY")
    thinks = _thinks(asked, model)
    signature = signer.sign(Sealed("gemini", organization, name, step.thought)) if thinks else ""
    parts = _parts(step, asked, signature, request, with_ids=model.signs)
    made = output_tokens_of(step, thinking=False)
    usage = _usage(input_tokens_of(asked["contents"]), made, tokens_of(step.thought) if thinks else 0)
    tail = {"modelVersion": name, "responseId": request.ids.new("")}
    if not streamed:
        return whole(_chunk(parts, usage, tail, last=True), tokens=made, content_type=_JSON_UTF8)
    chunks = _chunks(parts, usage, tail)
    if request.query.get("alt") == "sse":
        return stream((tokens, sse(chunk).replace(b"\n\n", b"\r\n\r\n")) for tokens, chunk in chunks)
    return stream(_array(chunks), content_type=_JSON_UTF8)


def answer_count(request: Request) -> Reply:
    """Count the tokens of a request. Raises :class:`RefusalError`."""
    given = decode(request.body, dict[str, Any])
    inner = given.get("generateContentRequest")
    asked = read(inner if isinstance(inner, dict) else given)
    gemini(request.names["model"])
    if not asked.get("contents"):
        raise RefusalError("* CountTokensRequest.contents: contents is not specified\n")
    return whole({"totalTokens": input_tokens_of(asked["contents"])}, content_type=_JSON_UTF8)


def _thinks(asked: Object, model: Gemini) -> bool:
    thinking = asked.get("generation_config", {}).get("thinking_config", {})
    return model.budget is not None and thinking.get("thinking_budget") != 0


def _calling(asked: Object) -> Object:
    calling: Object = asked.get("tool_config", {}).get("function_calling_config", {})
    return calling


def _schema(asked: Object) -> Object | None:
    config = asked.get("generation_config", {})
    if config.get("response_mime_type") != "application/json":
        return None
    schema: Object = config.get("response_json_schema") or config.get("response_schema") or JSON_OBJECT
    return schema


def _offered(asked: Object) -> dict[str, Object]:
    calling = _calling(asked)
    if calling.get("mode") == "NONE":
        return {}
    declared = [function for tool in asked.get("tools", ()) for function in tool.get("function_declarations", ())]
    allowed = calling.get("allowed_function_names")
    return {
        function["name"]: function.get("parameters_json_schema") or function.get("parameters") or {}
        for function in declared
        if not allowed or function["name"] in allowed
    }


def _seen(asked: Object, signer: Signer) -> Seen:
    seen = Seen(system=_text(asked.get("system_instruction", {}).get("parts", ())))
    open_calls: list[Call] = []
    for content in asked["contents"]:
        if content.get("role", "user") == "model":
            open_calls = [] if any("function_call" in part for part in content["parts"]) else open_calls
        elif not any("function_response" in part for part in content["parts"]):
            seen.hear(_text(content["parts"]))
        for part in content["parts"]:
            if "function_call" in part:
                call = part["function_call"]
                called = Call(call["name"], call.get("args", {}), call.get("id") or f"#{len(seen.calls)}")
                seen.calls.append(called)
                open_calls.append(called)
                seen.thoughts += _is_own(part.get("thought_signature", ""), signer)
            elif "function_response" in part:
                seen.results[_answered(part["function_response"], open_calls)] = _result(part["function_response"])
            elif "inline_data" in part:
                seen.show([image_of(part["inline_data"]["mime_type"], part["inline_data"]["data"])])
    return seen


def _is_own(signature: str, signer: Signer) -> bool:
    return bool(signature) and signature != SKIP_SIGNATURE and signer.opened(standard_base64(signature)) is not None


def _answered(response: Object, open_calls: list[Call]) -> str:
    """Find the call that a response answers: by its id, else the first open one of its name."""
    matching = [call for call in open_calls if call.id == response.get("id")]
    matching = matching or [call for call in open_calls if call.name == response["name"]]
    open_calls.remove(matching[0])
    return matching[0].id


def _result(response: Object) -> Result:
    told = response.get("response", {})
    keys = [key for key in _RESULT_KEYS if key in told]
    value = told[keys[0]] if len(keys) == len(told) == 1 else told
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode() if value else ""
    blobs = [part["inline_data"] for part in response.get("parts", ()) if "inline_data" in part]
    return Result(text, "error" in keys, [image_of(blob["mime_type"], blob["data"]) for blob in blobs])


def _text(parts: Any) -> str:
    return "\n".join(part["text"] for part in parts if "text" in part and not part.get("thought"))


def _parts(step: Step, asked: Object, signature: str, request: Request, *, with_ids: bool) -> list[dict[str, Any]]:
    """Return the reply's parts. The signature goes on the first function call, or on the last text."""
    signed = {"thoughtSignature": signature} if signature else {}
    thinking = asked.get("generation_config", {}).get("thinking_config", {})
    parts: list[dict[str, Any]] = []
    if thinking.get("include_thoughts") and signature:
        parts.append({"text": step.thought, "thought": True})
    if step.text:
        parts.append({"text": step.text, **({} if step.calls else signed)})
    for call in step.calls:
        made: dict[str, Any] = {"name": call.name, "args": call.arguments}
        if with_ids:
            made["id"] = request.ids.new("")[:8]
        parts.append({"functionCall": made, **signed})
        signed = {}
    return parts


def _chunks(parts: list[dict[str, Any]], usage: Object, tail: Object) -> Iterator[tuple[int, Object]]:
    pieces: list[dict[str, Any]] = []
    for part in parts:
        if "text" not in part:
            pieces.append(part)
            continue
        mark = {"thought": True} if part.get("thought") else {}
        pieces += [{"text": text, **mark} for text in fragments(part["text"])]
        if "thoughtSignature" in part:  # It comes by itself at the end, on an empty text.
            pieces.append({"text": "", "thoughtSignature": part["thoughtSignature"]})
    for index, piece in enumerate(pieces):
        tokens = tokens_of(quoted(str(piece)))
        yield tokens, _chunk([piece], usage, tail, last=index == len(pieces) - 1)


def _array(chunks: Iterator[tuple[int, Object]]) -> Iterator[Piece]:
    opening = b"["
    for tokens, chunk in chunks:
        yield tokens, opening + msgspec.json.encode(chunk)
        opening = b"\n,\r\n"
    yield 0, b"\n]\n"


def _chunk(parts: list[dict[str, Any]], usage: Object, tail: Object, *, last: bool) -> Object:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return {"candidates": [candidate], "usageMetadata": usage, **tail}


def _usage(input_tokens: int, output_tokens: int, thoughts: int) -> Object:
    usage = {
        "promptTokenCount": input_tokens,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": input_tokens + output_tokens + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input_tokens}],
    }
    return usage | {"thoughtsTokenCount": thoughts} if thoughts else usage
