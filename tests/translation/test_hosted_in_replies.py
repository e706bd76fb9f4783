"""What a provider's own tools did never becomes text of the answer: a program would take it for what the model said.

Where the client's dialect has a shape for it, it is told in that shape; else the report names it.
"""

from typing import Any

import pytest

from gephyr_core.conversation.report import Fate, Report
from gephyr_core.translation.dialects import CLIENTS
from tests.translation.passing import asked, sse, streamed, told

ANSWER = "Two metres."
_MESSAGE = {
    "type": "message",
    "id": "msg_9",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": ANSWER, "annotations": []}],
}
_LISTED = {"type": "mcp_list_tools", "id": "mcpl_9", "server_label": "rivers", "tools": [{"name": "gauge"}]}
ITEMS: dict[str, dict[str, Any]] = {
    "mcp list": _LISTED,
    "mcp call": {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "r",
        "name": "gauge",
        "arguments": "{}",
        "output": "2",
    },
    "mcp approval": {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "server_label": "r",
        "name": "g",
        "arguments": "{}",
    },
    "web search": {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "r"},
    },
    "file search": {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": ["river"],
        "results": [{"text": "a page", "filename": "a.txt"}],
    },
    "code": {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "status": "completed",
        "code": "print(2)",
        "container_id": "c",
        "outputs": [{"type": "logs", "logs": "2"}],
    },
    "image": {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0KGgo="},
    "hosted shell": {
        "type": "shell_call",
        "id": "sh_1",
        "call_id": "c1",
        "status": "completed",
        "action": {"commands": ["ls"]},
        "environment": {"type": "container_reference", "container_id": "c"},
    },
    "compaction": {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
}
BLOCKS: dict[str, list[dict[str, Any]]] = {
    "web search": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "river"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    ],
    "code": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {"command": "ls"}},
        {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": {
                "type": "bash_code_execution_result",
                "stdout": "a",
                "stderr": "",
                "return_code": 0,
                "content": [],
            },
        },
    ],
    "mcp": [
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "gauge", "server_name": "rivers", "input": {}},
        {
            "type": "mcp_tool_result",
            "tool_use_id": "mcptoolu_1",
            "is_error": False,
            "content": [{"type": "text", "text": "2"}],
        },
    ],
    "search of tools": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_bm25", "input": {"query": "river"}},
        {
            "type": "tool_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": {"type": "tool_search_tool_search_result", "tool_references": []},
        },
    ],
}
PARTS: dict[str, list[dict[str, Any]]] = {
    "code": [
        {"executableCode": {"language": "PYTHON", "code": "print(2)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
    ],
    "file search": [
        {"toolCall": {"id": "t1", "toolType": "FILE_SEARCH", "args": {"query": "river"}}},
        {"toolResponse": {"id": "t1", "toolType": "FILE_SEARCH", "response": {"output": "a page"}}},
    ],
    "image": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}],
}
REPLIES = {
    **{
        f"openai-responses: {name}": (
            "openai-responses",
            {"status": "completed", "model": "m", "output": [item, _MESSAGE]},
        )
        for name, item in ITEMS.items()
    },
    **{
        f"anthropic: {name}": (
            "anthropic",
            {
                "type": "message",
                "model": "m",
                "stop_reason": "end_turn",
                "content": [*blocks, {"type": "text", "text": ANSWER}],
            },
        )
        for name, blocks in BLOCKS.items()
    },
    **{
        f"gemini: {name}": (
            "gemini",
            {
                "candidates": [
                    {"content": {"role": "model", "parts": [*parts, {"text": ANSWER}]}, "finishReason": "STOP"}
                ]
            },
        )
        for name, parts in PARTS.items()
    },
}
CASES = [
    pytest.param(source, target, reply, id=f"{name} to {target}")
    for name, (source, reply) in REPLIES.items()
    for target in CLIENTS
    if target != source
]


def answer(dialect: str, reply: dict[str, Any]) -> str:
    """The text that a client takes for the model's answer."""
    match dialect:
        case "openai-chat":
            return str(reply["choices"][0]["message"]["content"])
        case "openai-completions":
            return str(reply["choices"][0]["text"])
        case "anthropic":
            return "".join(block["text"] for block in reply["content"] if block["type"] == "text")
        case "gemini":
            return "".join(part.get("text", "") for part in reply["candidates"][0]["content"]["parts"])
    messages = [item for item in reply["output"] if item["type"] == "message"]
    return "".join(part["text"] for message in messages for part in message["content"])


def streamed_answer(dialect: str, events: list[dict[str, Any]]) -> str:
    """The same of a stream."""
    match dialect:
        case "openai-chat":
            return "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
        case "openai-completions":
            return "".join(e["choices"][0]["text"] for e in events if e["choices"])
        case "anthropic":
            return "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta")
        case "gemini":
            return "".join(answer("gemini", event) for event in events)
    return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")


def provider_stream(dialect: str, reply: dict[str, Any]) -> bytes:
    """The reply as the provider would stream it, item by item."""
    if dialect == "gemini":
        return sse({**reply, "usageMetadata": {"promptTokenCount": 1}})
    if dialect == "openai-responses":
        done = [
            {"type": "response.output_item.done", "output_index": place, "item": item}
            for place, item in enumerate(reply["output"])
        ]
        return sse(*done, {"type": "response.completed", "response": reply})
    blocks: list[dict[str, Any]] = []
    for index, block in enumerate(reply["content"]):
        blocks.append({"type": "content_block_start", "index": index, "content_block": block})
        blocks.append({"type": "content_block_stop", "index": index})
    stop = {"type": "message_delta", "delta": {"stop_reason": reply["stop_reason"]}, "usage": {}}
    return sse({"type": "message_start", "message": {}}, *blocks, stop, {"type": "message_stop"})


@pytest.mark.parametrize(("source", "target", "reply"), CASES)
def test_the_answer_is_the_answer_alone(source: str, target: str, reply: dict[str, Any]) -> None:
    """Whole and streamed."""
    assert answer(target, told(source, target, reply)) == ANSWER
    assert streamed_answer(target, streamed(source, target, provider_stream(source, reply))) == ANSWER


@pytest.mark.parametrize(("source", "target", "reply"), CASES)
def test_what_is_not_told_is_reported(source: str, target: str, reply: dict[str, Any]) -> None:
    """A client's reply that holds nothing but the answer comes with a report that names the rest, whole and streamed."""
    whole, events = Report(), Report()
    shown = told(source, target, reply, whole)
    streamed(source, target, provider_stream(source, reply), events)
    held = {
        "openai-chat": lambda: "images" in shown["choices"][0]["message"],
        "openai-completions": lambda: False,
        "anthropic": lambda: len(shown["content"]) > 1,
        "gemini": lambda: (
            len(shown["candidates"][0]["content"]["parts"]) > 1 or "groundingMetadata" in shown["candidates"][0]
        ),
        "openai-responses": lambda: len(shown["output"]) > 1,
    }[target]()
    assert held != bool(whole.paths(Fate.DROPPED))
    assert bool(events.paths(Fate.DROPPED)) == bool(whole.paths(Fate.DROPPED))


@pytest.mark.parametrize("target", ["openai-chat", "anthropic", "gemini"])
def test_a_list_of_tools_in_the_history_is_left_out(target: str) -> None:
    """It has no text to tell, so nothing is put into the model's mouth."""
    body = {"input": [{"role": "user", "content": "Hi"}, _LISTED, _MESSAGE, {"role": "user", "content": "And now?"}]}
    passage = asked("openai-responses", target, body)
    assert "result of" not in str(passage.body)
    assert passage.dropped() == ["input[1]"]
