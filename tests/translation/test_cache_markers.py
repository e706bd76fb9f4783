"""Cache markers: the last four of a request are taken, wherever they stand. Providers refuse a fifth."""

import json
from typing import Any

import pytest

from gephyr_core.dialects.translator import Destination
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.records import Fate
from gephyr_core.translation.requests import read_request

MARK = {"cache_control": {"type": "ephemeral"}}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
MARKED: list[dict[str, Any]] = [
    {"role": "system", "content": [{"type": "text", "text": "one", **MARK}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "two", **MARK},
            {"type": "image_url", "image_url": {"url": PNG}, **MARK},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}, **MARK},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "five", **MARK}]},
    {"role": "user", "content": [{"type": "text", "text": "six", **MARK}]},
]
TARGETS = [
    ("openai-responses", "openai", "gpt-5.6"),
    ("openai-chat", "openai", "gpt-5.6"),
    ("openai-chat", "openrouter", "anthropic/claude-sonnet-4.5"),
    ("anthropic", "anthropic", "claude-opus-5"),
]


def markers(value: Any) -> int:
    """How many a request has."""
    if isinstance(value, list):
        return sum(map(markers, value))
    if isinstance(value, dict):
        own = sum(name in value for name in ("cache_control", "prompt_cache_breakpoint"))
        return own + sum(map(markers, value.values()))
    return 0


@pytest.mark.parametrize("left", range(len(MARKED) + 1))
@pytest.mark.parametrize(("dialect", "provider", "model"), TARGETS)
def test_the_last_four_markers_are_taken_and_each_other_is_reported(
    dialect: str, provider: str, model: str, left: int
) -> None:
    """Of a conversation that grows, too: *left* of its messages are there."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    said = [*MARKED[:left], {"role": "user", "content": "Go on."}]
    body = {"model": "m", "messages": said, "tools": tools}
    given = markers(said)
    request = read_request("openai-chat", json.dumps(body).encode(), model=model, stream=False, headers=())
    known = capabilities_of(provider, dialect, model, {}, None)
    call = request.call(Destination(dialect, provider, model, known), stream=False)
    assert call is not None
    own = dialect == "anthropic" and not given  # Gephyr's own, for who caches elsewhere without asking
    assert markers(json.loads(call.body)) == min(given, 4) + own
    lost = [path for path in call.report.paths(Fate.DROPPED) if path != "store"]
    assert len(lost) == max(0, given - 4), lost
    assert lost == sorted(lost)
