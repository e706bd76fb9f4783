"""Model lists, answered from the configuration in the client's dialect."""

from collections.abc import Mapping, Sequence

import msgspec

_CREATED = 1_735_689_600
"""2025-01-01: configurations do not say when a model was made, and every dialect requires a date."""
_CREATED_TEXT = "2025-01-01T00:00:00Z"
_METHODS = ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"]


def list_models(dialect: str, models: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> bytes:
    """Render the list of *models* (name to owner) as the dialect has it, one page of it where pages were asked."""
    names = list(models)
    if dialect == "gemini":
        return _encode(_gemini_page(names, query))
    if dialect == "anthropic":
        return _encode(_anthropic_page(names, query))
    return _encode({"object": "list", "data": [_openai(name, models[name]) for name in names]})


def show_model(dialect: str, name: str, owner: str) -> bytes:
    """Render one model as the dialect has it."""
    if dialect == "gemini":
        return _encode(_gemini(name))
    return _encode(_anthropic(name) if dialect == "anthropic" else _openai(name, owner))


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def _openai(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": owner}


def _anthropic(name: str) -> dict[str, object]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _CREATED_TEXT,
        "lifecycle": "active",
    }


def _gemini(name: str) -> dict[str, object]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "supportedGenerationMethods": _METHODS,
    }


def _anthropic_page(names: list[str], query: Mapping[str, Sequence[str]]) -> dict[str, object]:
    after, before = query.get("after_id"), query.get("before_id")
    if after and after[-1] in names:
        names = names[names.index(after[-1]) + 1 :]
    if before and before[-1] in names:
        names = names[: names.index(before[-1])]
    size = _size(query, "limit", 20, 1000)
    page = names[-size:] if before and not after else names[:size]
    return {
        "data": [_anthropic(name) for name in page],
        "has_more": len(page) < len(names),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def _gemini_page(names: list[str], query: Mapping[str, Sequence[str]]) -> dict[str, object]:
    token = query.get("pageToken", [""])[-1]
    start = int(token) if token.isdecimal() and len(token) < 9 else 0
    end = start + _size(query, "pageSize", 50, 1000)
    page: dict[str, object] = {"models": [_gemini(name) for name in names[start:end]]}
    if end < len(names):
        page["nextPageToken"] = str(end)
    return page


def _size(query: Mapping[str, Sequence[str]], name: str, default: int, most: int) -> int:
    text = query.get(name, [""])[-1]
    return min(max(1, int(text)), most) if text.isdecimal() and len(text) < 9 else default
