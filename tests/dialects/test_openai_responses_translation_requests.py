"""Responses requests, read from clients and written for providers."""

from typing import Any

import attrs
import pytest
from responses_cases import ABROAD, OPENAI, OWN, RESPONSES, read

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Document,
    FileId,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    OutputFormat,
    Prompt,
    Reasoning,
    Role,
    Sampling,
    ToolChoice,
    Turn,
)
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.openai_responses.sealing import Belongs, write_sealed
from gephyr_core.dialects.translator import FOREIGN, Destination

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def write(prompt: Prompt, destination: Destination = OPENAI, report: Report | None = None) -> dict[str, Any]:
    """The body of a request for a provider."""
    return RESPONSES.write_request(prompt, destination, report if report is not None else Report()).body


def foreign(*turns: Turn, **changes: Any) -> Prompt:
    """A prompt of a client of another dialect."""
    return Prompt("anthropic", "m", turns=turns or (Turn(Role.USER, (Text("Hi"),)),), **changes)


def said(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts)


def asked(*parts: Part) -> Turn:
    return Turn(Role.USER, parts)


# -- reading ----------------------------------------------------------------------------------------------------------


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
    calls = [
        {"type": "local_shell_call", "call_id": "a", "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "shell_call", "call_id": "b", "action": {"commands": ["ls"]}},
        {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "x"}},
    ]
    outputs = [
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


# -- writing ----------------------------------------------------------------------------------------------------------


def test_a_foreign_prompt_is_written_for_openai_statelessly() -> None:
    prompt = foreign(
        asked(Text("Hi")),
        said(Text("Yes"), ToolCall("c", "f", "{}")),
        asked(ToolResult("c", (Text("1"), Image(Inline("image/png", "AAAA"))), is_error=True)),
        system=(Text("A"), Text("B")),
        tools=(FunctionTool("f"),),
        stream=True,
    )
    report = Report()
    body = write(prompt, report=report)
    assert body == {
        "model": "gpt-6-sol",
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
        ],
        "instructions": "A\n\nB",
        "input": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes"},
            CALL,
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [
                    {"type": "input_text", "text": "Error: 1"},
                    {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
                ],
            },
        ],
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "stream": True,
    }
    assert [entry.fate for entry in report.entries] == [Fate.EMULATED]


def test_reasoning_is_sent_back_to_its_maker_only() -> None:
    turns = (asked(Text("Hi")), said(Thinking("S", OWN, summary=True), Thinking("T", ABROAD), Text("Yes")), asked())
    report = Report()
    items = write(foreign(*turns), report=report)["input"]
    assert items[1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "S"}],
        "encrypted_content": "gAAAA",
    }
    assert len(items) == 4
    assert len(report.paths(Fate.DROPPED)) == 1
    elsewhere = attrs.evolve(OPENAI, organization=FOREIGN)
    assert all(item.get("type") != "reasoning" for item in write(foreign(*turns), elsewhere)["input"])


def test_open_reasoning_goes_back_to_those_who_read_it_and_not_to_openai() -> None:
    """DeepSeek and vLLM tell reasoning as text, and OpenAI knows no item without its proof."""
    mark = attrs.evolve(OWN, value="")
    turns = (asked(Text("Hi")), said(Thinking("T", mark), Text("Yes")), asked(Text("So?")))
    deepseek = attrs.evolve(OPENAI, provider="deepseek")
    written = write(foreign(*turns), deepseek)["input"][1]
    assert written["content"] == [{"type": "reasoning_text", "text": "T"}]
    assert len(write(foreign(*turns))["input"]) == 3


def test_several_texts_and_refusals_make_one_message_with_an_id() -> None:
    body = write(foreign(asked(Text("Hi")), said(Text("a"), Refusal("b")), asked(Text("c"))))
    assert body["input"][1] == {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "a", "annotations": []},
            {"type": "refusal", "refusal": "b"},
        ],
    }


def test_a_call_without_a_result_is_answered_and_ids_that_are_too_long_are_shortened_alike() -> None:
    long = "c" * 80
    turns = (said(ToolCall(long, "f", "{}")), asked(ToolResult(long, (Text("1"),))), said(ToolCall("d", "f", "{}")))
    call, result, _, answer = write(foreign(*turns))["input"]
    assert call["call_id"] == result["call_id"] != long
    assert len(call["call_id"]) <= 64
    assert answer == {"type": "function_call_output", "call_id": "d", "output": "The tool gave no result."}


def test_what_a_hosted_tool_of_another_dialect_did_is_told_as_text() -> None:
    report = Report()
    turn = said(HostedCall("h", "web_search", "web_search", '{"query":"q"}'), HostedResult("h", "web_search"))
    items = write(foreign(asked(Text("Hi")), turn, asked(Text("So?"))), report=report)["input"]
    assert "q" in str(items[1])
    assert len(items) == 3
    assert report.paths(Fate.CHANGED)


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (Reasoning(Effort.MINIMAL), {"effort": "minimal"}),
        (Reasoning(Effort.ADAPTIVE), None),
        (Reasoning(kind="disabled"), {"effort": "none"}),
        (Reasoning(kind="enabled", budget=2048), {"effort": "medium"}),
        (Reasoning(budget=24576), {"effort": "high"}),
        (Reasoning(budget=32000), {"effort": "xhigh"}),
        (Reasoning(budget=-1), None),
        (Reasoning(Effort.HIGH, shown=True), {"effort": "high", "summary": "auto"}),
        (Reasoning(Effort.HIGH, summary="detailed"), {"effort": "high", "summary": "detailed"}),
    ],
)
def test_reasoning_is_asked_for_in_the_words_of_openai(reasoning: Reasoning, expected: dict[str, Any] | None) -> None:
    assert write(foreign(reasoning=reasoning)).get("reasoning") == expected


def test_an_effort_that_the_model_lacks_becomes_the_nearest_that_is_less() -> None:
    few = attrs.evolve(OPENAI, capabilities=Capabilities(efforts=(Effort.LOW, Effort.MEDIUM)))
    report = Report()
    assert write(foreign(reasoning=Reasoning(Effort.MAX)), few, report)["reasoning"] == {"effort": "medium"}
    assert report.paths(Fate.CHANGED) == ["reasoning"]
    none = attrs.evolve(OPENAI, capabilities=Capabilities())
    body = write(foreign(reasoning=Reasoning(Effort.LOW)), none)
    assert "reasoning" not in body
    assert "include" not in body


def test_settings_without_a_place_are_dropped_and_reported() -> None:
    report = Report()
    sampling = Sampling(max_tokens=1, temperature=0.5, top_k=3, seed=1, frequency_penalty=0.1, stop=("x",))
    body = write(foreign(sampling=sampling), report=report)
    assert body["max_output_tokens"] == 16
    assert body["temperature"] == 0.5
    assert report.paths(Fate.DROPPED) == ["top_k", "frequency_penalty", "seed", "stop"]
    reasoner = attrs.evolve(OPENAI, capabilities=Capabilities(sampling=False))
    assert "temperature" not in write(foreign(sampling=sampling), reasoner)
    with pytest.raises(UntranslatableError, match="one reply"):
        write(foreign(sampling=Sampling(candidates=2)))


def test_who_asks_is_told_within_openais_limits() -> None:
    metadata = {"a": "b", "long": "x" * 600, "number": 1, **{f"k{index}": "v" for index in range(20)}}
    report = Report()
    body = write(foreign(user="u" * 80, metadata=metadata), report=report)
    assert len(body["safety_identifier"]) == 64
    assert len(body["metadata"]) == 16
    assert "metadata.long" in report.paths(Fate.DROPPED)


def test_tools_are_written_natively_where_openai_has_them() -> None:
    tools = (
        FreeformTool("g", "G", "lark", "start: X"),
        HostedTool(
            "web_search", "web_search_20250305", "anthropic", {}, ("x.org",), max_uses=2, location={"city": "B"}
        ),
        HostedTool("code_execution", "codeExecution", "gemini", {}),
        ClientTool("bash_20250124", "anthropic", {}, FunctionTool("bash", schema={"type": "object"})),
    )
    report = Report()
    custom, search, code, bash = write(foreign(tools=tools), report=report)["tools"]
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    assert custom == {"type": "custom", "name": "g", "description": "G", "format": grammar}
    assert search == {
        "type": "web_search",
        "filters": {"allowed_domains": ["x.org"]},
        "user_location": {"type": "approximate", "city": "B"},
    }
    assert code == {"type": "code_interpreter", "container": {"type": "auto"}}
    assert bash["name"] == "bash"
    with pytest.raises(UntranslatableError, match=r"hosted tool 'fileSearch' is not available on provider 'openai'"):
        write(foreign(tools=(HostedTool("file_search", "fileSearch", "gemini", {}),)))
    elsewhere = attrs.evolve(OPENAI, provider="deepseek")
    written = RESPONSES.write_request(foreign(tools=tools[:1]), elsewhere, report)
    assert written.freeform == ("g",)
    assert written.body["tools"][0]["type"] == "function"


def test_a_schema_is_strict_only_where_it_was_asked_for_and_can_be() -> None:
    strict = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    loose = {"type": "object", "properties": {"a": {}}}
    report = Report()
    tools = (FunctionTool("a", schema=strict, strict=True), FunctionTool("b", schema=loose, strict=True))
    first, second = write(foreign(tools=(*tools, FunctionTool("c", schema=strict))), report=report)["tools"][:2]
    assert (first["strict"], second["strict"]) == (True, False)
    assert len(report.paths(Fate.CHANGED)) == 1
    output = OutputFormat(loose, "answer")
    assert write(foreign(output=output))["text"] == {
        "format": {"type": "json_schema", "name": "answer", "schema": loose, "strict": False}
    }
    plain = write(foreign(output=OutputFormat()))
    assert plain["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in plain["instructions"]


def test_a_schema_that_is_no_object_is_had_by_a_tool_that_has_to_be_called() -> None:
    prompt = foreign(output=OutputFormat({"type": "array", "items": {}}))
    written = RESPONSES.write_request(prompt, OPENAI, Report())
    assert (written.structured, written.structured_wrapped) == ("reply", True)
    assert written.body["tool_choice"] == {"type": "function", "name": "reply"}
    stubborn = attrs.evolve(OPENAI, capabilities=Capabilities(forced_tools=False))
    with pytest.raises(UntranslatableError, match="cannot be made to call a tool"):
        write(prompt, stubborn)


def test_cache_markers_are_written_where_the_model_is_known_to_take_them() -> None:
    prompt = foreign(asked(Text("Hi", CacheMarker("1h"))), system=(Text("A", CacheMarker()), Text("B")))
    body = write(prompt)
    marker = {"mode": "explicit"}
    assert body["input"][0] == {
        "role": "developer",
        "content": [
            {"type": "input_text", "text": "A", "prompt_cache_breakpoint": marker},
            {"type": "input_text", "text": "B"},
        ],
    }
    assert body["input"][1]["content"][0]["prompt_cache_breakpoint"] == {**marker, "ttl": "12h"}
    report = Report()
    older = write(prompt, attrs.evolve(OPENAI, model="gpt-5"), report)
    assert older["instructions"] == "A\n\nB"
    assert older["input"] == [{"role": "user", "content": "Hi"}]
    assert len(report.paths(Fate.DROPPED)) >= 1


@pytest.mark.parametrize(
    "part",
    [Audio(Url("https://x/a.wav")), Audio(Inline("audio/wav", "AAAA")), Image(FileId("f", "gemini"))],
)
def test_media_that_openai_cannot_be_given_are_refused(part: Part) -> None:
    with pytest.raises(UntranslatableError):
        write(foreign(asked(part)))


def test_documents_are_files_with_a_name_and_plain_texts_are_text() -> None:
    pdf, text = Document(Inline("application/pdf", "AAAA")), Document(Inline("text/plain", "SGk="), "a.txt")
    content = write(foreign(asked(pdf, text, Document(Url("https://x/a.pdf")))))["input"][0]["content"]
    assert content == [
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_text", "text": "a.txt\n\nHi"},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
    ]


def test_the_same_turns_give_the_same_items_whatever_comes_after_them() -> None:
    turns = (asked(Text("Hi")), said(Text("a"), Text("b"), ToolCall("c", "f", "{}")), asked(ToolResult("c")))
    shorter, longer = write(foreign(*turns)), write(foreign(*turns, said(Text("d")), asked(Text("e"))))
    assert longer["input"][: len(shorter["input"])] == shorter["input"]


def test_tokens_are_counted_by_openais_own_endpoint() -> None:
    prompt = foreign(system=(Text("A"),), reasoning=Reasoning(Effort.LOW), user="u")
    counting = RESPONSES.write_count(prompt, OPENAI, Report())
    assert counting is not None
    assert counting.body == {
        "model": "gpt-6-sol",
        "input": [{"role": "user", "content": "Hi"}],
        "instructions": "A",
        "reasoning": {"effort": "low"},
    }
    assert RESPONSES.read_count(RESPONSES.write_count_reply(12)) == 12
    assert RESPONSES.write_count(prompt, attrs.evolve(OPENAI, provider="deepseek"), Report()) is None
    with pytest.raises(ValueError, match="counts no tokens"):
        RESPONSES.read_count(b"{}")
