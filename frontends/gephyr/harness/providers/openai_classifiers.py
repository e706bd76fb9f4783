"""OpenAI's endpoints that classify texts instead of answering them: embeddings and moderations."""

import base64
import struct
from typing import Any

import msgspec

from gephyr.harness.providers.speech import tokens_of_json
from gephyr.harness.providers.vectors import DEFAULT_DIMENSIONS, MAX_DIMENSIONS, embed
from gephyr.harness.providers.wire import Reply, Request, RequestError, decode, route, whole

_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


class EmbeddingRequest(msgspec.Struct):
    """The fields of a request that matter here; others are ignored."""

    model: str
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: str | None = None


class ModerationRequest(msgspec.Struct):
    """The fields of a request that matter here; others are ignored."""

    input: str | list[str | dict[str, Any]]
    model: str = "omni-moderation-latest"


def embeddings(request: Request) -> Reply:
    """Embed one text or several; a list of tokens counts as one text."""
    asked = decode(request.body, EmbeddingRequest)
    dimensions = asked.dimensions or DEFAULT_DIMENSIONS
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise RequestError(400, f"expected 1 to {MAX_DIMENSIONS}", param="dimensions")
    if not asked.input:
        raise RequestError(400, "expected at least one text", param="input")
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(embed(text, dimensions), asked)}
        for index, text in enumerate(_texts(asked.input))
    ]
    tokens = tokens_of_json(asked.input)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return whole({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _texts(given: str | list[str | int | list[int]]) -> list[str]:
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        return [str(given)]
    return [item if isinstance(item, str) else str(item) for item in given]


def _encoded(vector: list[float], asked: EmbeddingRequest) -> list[float] | str:
    if asked.encoding_format == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


def moderations(request: Request) -> Reply:
    """Find nothing wrong with any text. Texts in a list are judged one by one, parts of a message together."""
    asked = decode(request.body, ModerationRequest)
    one_message = isinstance(asked.input, str) or any(isinstance(part, dict) for part in asked.input)
    results = [_harmless() for _ in range(1 if one_message else len(asked.input))]
    return whole({"id": request.ids.new("modr-"), "model": asked.model, "results": results})


def _harmless() -> dict[str, Any]:
    return {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0001),
        "category_applied_input_types": {category: ["text"] for category in _CATEGORIES},
    }


ROUTES = (route("POST", "/v1/embeddings", embeddings), route("POST", "/v1/moderations", moderations))
