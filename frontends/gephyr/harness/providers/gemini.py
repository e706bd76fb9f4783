"""Gemini: ``generateContent`` and its streams, ``countTokens``, ``embedContent``, ``batchEmbedContents``."""

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
from gephyr.harness.providers.vectors import DEFAULT_DIMENSIONS, MAX_DIMENSIONS, embed
from gephyr.harness.providers.wire import (
    JSON,
    Object,
    Piece,
    Reply,
    Request,
    RequestError,
    convert,
    decode,
    route,
    sse,
    stream,
    text_of,
    whole,
)

_JSON_UTF8 = JSON + b"; charset=UTF-8"
_MODES = {"AUTO": Choice.AUTO, "VALIDATED": Choice.AUTO, "ANY": Choice.REQUIRED, "NONE": Choice.NONE}
_FREE_FORM = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"}
"""Fields whose keys are the user's own."""


class FunctionDeclaration(msgspec.Struct, rename="camel"):
    """One of ``functionDeclarations``."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None


class Tool(msgspec.Struct, rename="camel"):
    """One of ``tools``; hosted tools are never called."""

    function_declarations: list[FunctionDeclaration] = []


class Content(msgspec.Struct):
    """One of ``contents``."""

    parts: list[dict[str, Any]] = []
    role: str | None = None


class ThinkingConfig(msgspec.Struct, rename="camel"):
    """``thinkingConfig``."""

    include_thoughts: bool = False
    thinking_budget: int | None = None


class GenerationConfig(msgspec.Struct, rename="camel"):
    """``generationConfig``."""

    max_output_tokens: int | None = None
    stop_sequences: list[str] = []
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    thinking_config: ThinkingConfig | None = None


class FunctionCallingConfig(msgspec.Struct, rename="camel"):
    """``functionCallingConfig``."""

    mode: str = "AUTO"
    allowed_function_names: list[str] | None = None


class ToolConfig(msgspec.Struct, rename="camel"):
    """``toolConfig``."""

    function_calling_config: FunctionCallingConfig = msgspec.field(default_factory=FunctionCallingConfig)


class GenerateRequest(msgspec.Struct, rename="camel"):
    """The fields of a request that matter here; others are ignored."""

    contents: list[Content]
    system_instruction: Content | None = None
    tools: list[Tool] = []
    tool_config: ToolConfig = msgspec.field(default_factory=ToolConfig)
    generation_config: GenerationConfig = msgspec.field(default_factory=GenerationConfig)


class EmbedRequest(msgspec.Struct, rename="camel"):
    """A request for one embedding."""

    content: Content
    output_dimensionality: int | None = None


class BatchEmbedRequest(msgspec.Struct):
    """A request for several embeddings."""

    requests: list[EmbedRequest]


def generate_content(request: Request) -> Reply:
    """Answer whole."""
    asked = _read(request.body)
    said = answer(_question(asked, request.names["model"]))
    parts = [part for _, part in _parts(said, asked, joined=True)]
    return whole(
        {**_chunk(parts, said.stop), "usageMetadata": _usage(said, said.output_tokens), **_tail(request)},
        tokens=said.output_tokens,
        content_type=_JSON_UTF8,
    )


def stream_generate_content(request: Request) -> Reply:
    """Answer as server-sent events (``alt=sse``), else as one JSON array that grows."""
    asked = _read(request.body)
    chunks = _chunks(answer(_question(asked, request.names["model"])), asked, _tail(request))
    if request.query.get("alt") == "sse":
        return stream((tokens, sse(chunk).replace(b"\n\n", b"\r\n\r\n")) for tokens, chunk in chunks)
    return stream(_array(chunks), content_type=_JSON_UTF8)


def _array(chunks: Iterator[tuple[int, Object]]) -> Iterator[Piece]:
    opening = b"["
    for tokens, chunk in chunks:
        yield tokens, opening + msgspec.json.encode(chunk)
        opening = b"\n,\r\n"
    yield 0, b"\n]\n"


def count_tokens(request: Request) -> Reply:
    """Count the input tokens of ``contents`` or of a whole ``generateContentRequest``."""
    given = _camel(decode(request.body, dict[str, Any]))
    asked = convert(given.get("generateContentRequest", given), GenerateRequest)
    return whole({"totalTokens": _input_tokens(asked)}, content_type=_JSON_UTF8)


def embed_content(request: Request) -> Reply:
    """Embed one content."""
    asked = convert(_camel(decode(request.body, dict[str, Any])), EmbedRequest)
    return whole({"embedding": {"values": _embedded(asked)}}, content_type=_JSON_UTF8)


def batch_embed_contents(request: Request) -> Reply:
    """Embed several contents."""
    asked = convert(_camel(decode(request.body, dict[str, Any])), BatchEmbedRequest)
    embeddings = [{"values": _embedded(one)} for one in asked.requests]
    return whole({"embeddings": embeddings}, content_type=_JSON_UTF8)


def _embedded(asked: EmbedRequest) -> list[float]:
    dimensions = asked.output_dimensionality or DEFAULT_DIMENSIONS
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise RequestError(400, f"expected 1 to {MAX_DIMENSIONS}", param="outputDimensionality")
    return embed(text_of(asked.content.parts), dimensions)


def _camel(value: Any) -> Any:
    """Write keys in camel case: protobuf's JSON form takes both spellings, and Google's own examples use both."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = ((_camel_key(key), item) for key, item in value.items())
    return {key: item if key in _FREE_FORM else _camel(item) for key, item in named}


def _camel_key(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def _read(body: bytes) -> GenerateRequest:
    asked = convert(_camel(decode(body, dict[str, Any])), GenerateRequest)
    if not asked.contents:
        raise RequestError(400, "it is missing", param="contents", missing=True)
    return asked


def _input_tokens(asked: GenerateRequest) -> int:
    return tokens_of_json(asked.contents, asked.system_instruction, asked.tools or None)


def _question(asked: GenerateRequest, model: str) -> Question:
    users = [content for content in asked.contents if content.role in {None, "user"} and text_of(content.parts)]
    results = [part["functionResponse"] for part in asked.contents[-1].parts if "functionResponse" in part]
    config, calling = asked.generation_config, asked.tool_config.function_calling_config
    if calling.mode not in _MODES:
        raise RequestError(400, f"'{calling.mode}'", param="tool_config.function_calling_config.mode")
    thinking = config.thinking_config
    if config.max_output_tokens is not None and config.max_output_tokens < 1:
        raise RequestError(400, "must be positive", param="generation_config.max_output_tokens")
    return Question(
        model=model,
        text=text_of(users[-1].parts) if users else "",
        input_tokens=_input_tokens(asked),
        result="\n".join(_result_text(result) for result in results) if results else None,
        tools=tuple(_tools(asked.tools, calling.allowed_function_names)),
        choice=_MODES[calling.mode],
        json=config.response_mime_type == "application/json",
        schema=config.response_json_schema or config.response_schema,
        thinks=thinking is not None and thinking.thinking_budget != 0,
        max_tokens=config.max_output_tokens,
        stop=tuple(config.stop_sequences),
    )


def _tools(tools: list[Tool], allowed: list[str] | None) -> Iterator[OfferedTool]:
    for tool in tools:
        for declared in tool.function_declarations:
            if allowed is None or declared.name in allowed:
                schema = declared.parameters_json_schema or declared.parameters or {}
                yield OfferedTool(declared.name, schema)


def _result_text(result: Any) -> str:
    response = result.get("response") if isinstance(result, dict) else None
    if isinstance(response, dict):
        response = response.get("output", response.get("result", response))
    return response if isinstance(response, str) else msgspec.json.encode(response).decode()


def _parts(said: Answer, asked: GenerateRequest, *, joined: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the answer's parts with their tokens; *joined* leaves texts whole. The thought's signature goes on the
    first function call or, in an answer without one, on the last text part (what Gemini itself does)."""
    thinking = asked.generation_config.thinking_config
    if said.thought and thinking is not None and thinking.include_thoughts:
        for text in [said.thought] if joined else fragments(said.thought):
            yield tokens_of(text), {"text": text, "thought": True}
    signature = {"thoughtSignature": signature_of(said.thought)} if said.thought else {}
    if not said.calls:
        texts = [said.text] if joined else fragments(said.text) or [""]
        for text in texts[:-1]:
            yield tokens_of(text), {"text": text}
        yield tokens_of(texts[-1]), {"text": texts[-1], **signature}
    for call in said.calls:
        arguments = msgspec.json.decode(call.arguments)
        yield tokens_of(call.arguments), {"functionCall": {"name": call.name, "args": arguments}, **signature}
        signature = {}


def _chunks(said: Answer, asked: GenerateRequest, tail: Object) -> Iterator[tuple[int, Object]]:
    parts = list(_parts(said, asked, joined=False))
    made = 0
    for index, (tokens, part) in enumerate(parts):
        made += tokens
        last = index == len(parts) - 1
        usage = _usage(said, said.output_tokens if last else min(made, said.output_tokens))
        yield tokens, {**_chunk([part], said.stop if last else None), "usageMetadata": usage, **tail}


def _chunk(parts: list[dict[str, Any]], stop: Stop | None) -> Object:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if stop is not None:
        candidate["finishReason"] = "MAX_TOKENS" if stop is Stop.LENGTH else "STOP"
    return {"candidates": [candidate]}


def _usage(said: Answer, output_tokens: int) -> Object:
    thoughts = min(said.reasoning_tokens, output_tokens)
    usage: dict[str, Any] = {
        "promptTokenCount": said.input_tokens,
        "candidatesTokenCount": output_tokens - thoughts,
        "totalTokenCount": said.input_tokens + output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said.input_tokens}],
    }
    return usage | {"thoughtsTokenCount": thoughts} if thoughts else usage


def _tail(request: Request) -> Object:
    return {"modelVersion": request.names["model"], "responseId": request.ids.new("")}


_MODEL = r"/v1(beta|alpha)?/models/(?P<model>[^:]+(:[^:]+)*)"

ROUTES = (
    route("POST", _MODEL + ":generateContent", generate_content),
    route("POST", _MODEL + ":streamGenerateContent", stream_generate_content),
    route("POST", _MODEL + ":countTokens", count_tokens),
    route("POST", _MODEL + ":embedContent", embed_content),
    route("POST", _MODEL + ":batchEmbedContents", batch_embed_contents),
)
