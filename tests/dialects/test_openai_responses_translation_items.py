"""Items of Responses clients, read, and given back to providers of their own dialect."""

from typing import Any

import attrs
import pytest
from responses_cases import ABROAD, OWN, read, write

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Document,
    FileId,
    Image,
    Inline,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    FunctionTool,
    Role,
    ToolChoice,
)
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.openai_responses.sealing import Belongs, write_sealed

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def test_instructions_and_leading_messages_of_the_operator_are_the_system_prompt() -> None:
    prompt = read(
        instructions="A",
        input=[
            {"role": "developer", "content": "B"},
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "C"}]},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": "D"},
        ],
    )
    assert [text.text for text in prompt.system] == ["A", "B", "C"]
    assert [(turn.role, turn.path) for turn in prompt.turns] == [(Role.USER, "input[2]"), (Role.SYSTEM, "input[3]")]


def test_what_the_model_wrote_in_one_step_is_one_turn_and_its_results_another() -> None:
    prompt = read(
        input=[
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes"}]},
            CALL,
            {**CALL, "type": "custom_tool_call", "call_id": "d", "name": "g", "arguments": None, "input": "raw"},
            {"type": "function_call_output", "call_id": "c", "output": "1"},
            {
                "type": "custom_tool_call_output",
                "call_id": "d",
                "output": [{"type": "input_image", "image_url": "https://x"}],
            },
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "S"}], "encrypted_content": "gB"},
        ]
    )
    _, first, results, last = prompt.turns
    assert first.parts == (
        Thinking("", OWN, summary=True),
        Text("Yes"),
        ToolCall("c", "f", "{}"),
        ToolCall("d", "g", "raw", freeform=True),
    )
    assert results.parts == (
        ToolResult("c", (Text("1"),), name="f"),
        ToolResult("d", (Image(Url("https://x"), "auto"),), name="g", freeform=True),
    )
    assert last.parts == (Thinking("S", attrs.evolve(OWN, value="gB", id=""), summary=True),)


def test_parts_of_a_users_message_are_read_with_their_sources() -> None:
    content = [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ]
    (turn,) = read(input=[{"role": "user", "content": content}]).turns
    assert turn.parts == (
        Text("a", CacheMarker("12h")),
        Image(Inline("image/png", "AAAA"), "low"),
        Image(FileId("file-1", "openai-responses"), "auto"),
        Document(Inline("application/pdf", "AAAA"), "a.pdf"),
        Document(Url("https://x/a.pdf")),
        Audio(Inline("audio/mpeg", "AAAA")),
    )
    assert turn.parts[1].path == "input[0].content[1]"


def test_a_sealed_signature_comes_back_to_what_it_is_of() -> None:
    """To the reasoning, to a text, to a call; and to redacted reasoning, which is nothing else."""
    sealed = {belongs: write_sealed(ABROAD, belongs, "c") for belongs in Belongs}
    items = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "T"}], "encrypted_content": sealed[kind]}
        if kind is Belongs.THINKING
        else {"type": "reasoning", "summary": [], "encrypted_content": sealed[kind]}
        for kind in (Belongs.THINKING, Belongs.REDACTED, Belongs.CALL)
    ]
    text = {"role": "assistant", "content": "Hi"}
    of_text = {"type": "reasoning", "summary": [], "encrypted_content": sealed[Belongs.TEXT]}
    (turn,) = read(input=[*items, CALL, text, of_text]).turns
    assert turn.parts == (
        Thinking("T", ABROAD),
        Thinking("", ABROAD, redacted=True),
        ToolCall("c", "f", "{}", signature=ABROAD),
        Text("Hi", signature=ABROAD),
    )


def test_tools_run_by_the_client_have_functions_that_stand_in_for_them() -> None:
    tools = [{"type": "local_shell"}, {"type": "shell", "environment": {"type": "local"}}, {"type": "apply_patch"}]
    calls: list[dict[str, Any]] = [
        {"type": "local_shell_call", "call_id": "a", "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "shell_call", "call_id": "b", "action": {"commands": ["ls"]}},
        {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "x"}},
    ]
    outputs: list[dict[str, Any]] = [
        {"type": "local_shell_call_output", "id": "a", "output": "1"},
        {"type": "shell_call_output", "call_id": "b", "output": [{"stdout": "2", "stderr": "", "outcome": None}]},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no"},
    ]
    prompt = read(tools=tools, input=[*calls, *outputs])
    assert [tool.function.name for tool in prompt.tools if isinstance(tool, ClientTool)] == [
        *("local_shell", "shell", "apply_patch")
    ]
    assert prompt.turns[0].parts == (
        ToolCall("a", "local_shell", '{"command":["ls"],"env":{}}'),
        ToolCall("b", "shell", '{"commands":["ls"]}'),
        ToolCall("c", "apply_patch", '{"type":"delete_file","path":"x"}'),
    )
    last = prompt.turns[1].parts[-1]
    assert isinstance(last, ToolResult)
    assert last.is_error
    written = write(prompt)
    assert written["tools"] == tools
    assert [item["type"] for item in written["input"]] == [item["type"] for item in [*calls, *outputs]]
    assert written["input"][4]["output"] == outputs[1]["output"]


def test_a_namespace_is_flattened_and_gathered_again() -> None:
    functions = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("a", "b")]
    namespace = {"type": "namespace", "name": "ns", "description": "About.", "tools": functions}
    call = {**CALL, "name": "a", "namespace": "ns"}
    choice = {"type": "function", "name": "b", "namespace": "ns"}
    prompt = read(tools=[namespace], input=[call, {"type": "function_call_output", "call_id": "c", "output": ""}])
    assert [tool.function.name for tool in prompt.tools if isinstance(tool, ClientTool)] == ["ns__a", "ns__b"]
    assert prompt.turns[0].parts == (ToolCall("c", "ns__a", "{}"),)
    assert write(prompt)["tools"] == [namespace]
    assert write(prompt)["input"][0] == call
    assert read(tools=[namespace], tool_choice=choice).tool_choice == ToolChoice(Choice.NAMED, ("ns__b",))


def test_tools_that_the_conversation_adds_are_offered_from_the_start() -> None:
    added = {"type": "function", "name": "g", "parameters": None, "strict": True}
    report = Report()
    prompt = read(
        report,
        input=[{"role": "user", "content": "Hi"}, {"type": "additional_tools", "role": "developer", "tools": [added]}],
    )
    assert prompt.tools == (FunctionTool("g", strict=True),)
    assert [turn.role for turn in prompt.turns] == [Role.USER]
    assert report.paths(Fate.EMULATED) == ["input[1].tools"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(Choice.AUTO)),
        ("required", ToolChoice(Choice.REQUIRED)),
        ({"type": "function", "name": "f"}, ToolChoice(Choice.NAMED, ("f",))),
        ({"type": "custom", "name": "g"}, ToolChoice(Choice.NAMED, ("g",))),
        ({"type": "shell"}, ToolChoice(Choice.NAMED, ("shell",))),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice(Choice.REQUIRED_OF, ("f",)),
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "g"}]},
            ToolChoice(Choice.ALLOWED, ("g",)),
        ),
    ],
)
def test_every_form_of_tool_choice_is_read_and_written_back(choice: Any, expected: ToolChoice) -> None:
    tools = [
        {"type": "function", "name": "f", "parameters": None, "strict": None},
        {"type": "custom", "name": "g"},
        {"type": "shell"},
    ]
    prompt = read(tools=tools, tool_choice=choice)
    assert prompt.tool_choice == expected
    assert write(prompt)["tool_choice"] == choice


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("background", True),
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("prompt", {"id": "p"}),
        ("tool_choice", {"type": "mcp", "server_label": "s"}),
    ],
)
def test_what_only_openai_keeps_or_runs_is_essential_and_given_back_to_it(field: str, value: Any) -> None:
    prompt = read(**{field: value})
    assert prompt.native[field].essential
    assert write(prompt)[field] == value


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
    ],
)
def test_items_that_only_openai_reads_are_essential_and_given_back_to_it(item: dict[str, Any]) -> None:
    prompt = read(input=[{"role": "user", "content": "Hi"}, item])
    assert prompt.native["input[1]"].essential
    assert write(prompt)["input"][1] == item


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"input": 3}, "input"),
        ({"input": None}, "input"),
        ({"input": [3]}, "input[0]"),
        ({"input": [{"role": "robot", "content": ""}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(request_: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as caught:
        read(**request_)
    assert caught.value.path == path


@pytest.mark.parametrize("item", [{"type": "news"}, {"role": "user", "content": [{"type": "smell"}]}])
def test_an_item_or_a_part_that_is_not_known_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(UntranslatableError, match="not known"):
        read(input=[item])
