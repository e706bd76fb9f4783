"""Items of OpenAI's Responses and Conversations: input as stored items, and pages of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gephyr.harness.providers.wire import Ids, Object, RequestError, text_of

_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "compaction": "cmp_",
}
_WITH_STATUS = {
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
}
_MAX_PAGE, _DEFAULT_PAGE = 100, 20


def as_input_items(given: str | Sequence[Object] | None, ids: Ids) -> list[dict[str, Any]]:
    """Return *given* as items in their stored form: with id and status, and a message's content as parts."""
    if given is None:
        return []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [_stored(item, ids) for item in given]


def _stored(item: Object, ids: Ids) -> dict[str, Any]:
    kind = item.get("type") or ("message" if "role" in item else None)
    if not isinstance(kind, str):
        raise RequestError(400, "expected items with a 'type'", param="input")
    stored = {**item, "type": kind}
    if not stored.get("id"):
        stored["id"] = ids.new(_PREFIXES.get(kind, "item_"))
    if kind in _WITH_STATUS and not stored.get("status"):
        stored["status"] = "completed"
    if kind == "message":
        stored["content"] = _content(stored.get("content"), from_model=stored.get("role") == "assistant")
    return stored


def _content(content: object, *, from_model: bool) -> list[Any]:
    """Return a message's content as parts; what the model said has annotations."""
    if not isinstance(content, list):
        kind = "output_text" if from_model else "input_text"
        content = [{"type": kind, "text": text_of(content)}]
    return [
        {"annotations": [], **part} if isinstance(part, dict) and part.get("type") == "output_text" else part
        for part in content
    ]


def page(items: Sequence[Object], query: Mapping[str, str]) -> Object:
    """Return a page of *items* (oldest first) by ``order``, ``after`` and ``limit``, newest first if not told."""
    limit = query.get("limit", str(_DEFAULT_PAGE))
    if not limit.isdecimal() or not 1 <= int(limit) <= _MAX_PAGE:
        raise RequestError(400, f"expected 1 to {_MAX_PAGE}", param="limit")
    ordered = list(items) if query.get("order") == "asc" else list(reversed(items))
    if after := query.get("after"):
        places = [place for place, item in enumerate(ordered) if item["id"] == after]
        ordered = ordered[places[0] + 1 :] if places else []
    data = ordered[: int(limit)]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else "",
        "last_id": data[-1]["id"] if data else "",
        "has_more": len(ordered) > len(data),
    }
