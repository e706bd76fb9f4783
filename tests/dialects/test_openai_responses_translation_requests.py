"""Responses requests, written for providers."""

from typing import Any

import attrs
import pytest
from responses_cases import ABROAD, OPENAI, OWN, RESPONSES, write

from gephyr_core.conversation.capabilities import Capabilities
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
    Turn,
)
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.translator import FOREIGN

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def foreign(*turns: Turn, **changes: Any) -> Prompt:
    """A prompt of a client of another dialect."""
    return Prompt("anthropic", "m", turns=turns or (Turn(Role.USER, (Text("Hi"),)),), **changes)


def said(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts)


def asked(*parts: Part) -> Turn:
    return Turn(Role.USER, parts)


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
        (Reasoning(Effort.ADAPTIVE), {"effort": "medium"}),
        (Reasoning(kind="disabled"), {"effort": "none"}),
        (Reasoning(kind="enabled", budget=2048), {"effort": "medium", "summary": "auto"}),
        (Reasoning(kind="enabled", budget=2048, shown=False), {"effort": "medium"}),
        (Reasoning(budget=24576), {"effort": "high"}),
        (Reasoning(budget=32000), {"effort": "xhigh"}),
        (Reasoning(budget=-1), {"effort": "medium"}),
        (Reasoning(Effort.HIGH, shown=True), {"effort": "high", "summary": "auto"}),
        (Reasoning(Effort.HIGH, summary="detailed"), {"effort": "high", "summary": "detailed"}),
    ],
)
def test_reasoning_is_asked_for_in_the_words_of_openai(reasoning: Reasoning, expected: dict[str, Any] | None) -> None:
    assert write(foreign(reasoning=reasoning)).get("reasoning") == expected


def test_how_much_to_reason_is_left_to_a_model_that_does_so_by_itself() -> None:
    older = attrs.evolve(OPENAI, capabilities=Capabilities(efforts=(Effort.LOW, Effort.MEDIUM, Effort.HIGH)))
    for reasoning in (Reasoning(Effort.ADAPTIVE), Reasoning(budget=-1)):
        assert "reasoning" not in write(foreign(reasoning=reasoning), older)


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


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("k" * 64, "v" * 512, True),
        ("k" * 65, "v", False),
        ("k", "v" * 513, False),
        ("", "", True),
        ("k", 1, False),
        ("k", None, False),
    ],
)
def test_a_pair_of_metadata_is_sent_up_to_the_length_that_openai_takes(key: str, value: object, kept: bool) -> None:
    report = Report()
    body = write(foreign(metadata={key: value}), report=report)
    assert body.get("metadata") == ({key: value} if kept else None)
    assert report.paths(Fate.DROPPED) == ([] if kept else [f"metadata.{key}"])


@pytest.mark.parametrize(("length", "itself"), [(64, True), (65, False)])
def test_a_users_id_is_sent_itself_up_to_the_length_that_openai_takes(length: int, itself: bool) -> None:
    assert (write(foreign(user="u" * length))["safety_identifier"] == "u" * length) is itself


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
    assert "JSON" in plain["input"][0]["content"]


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


def test_a_system_prompt_alone_is_the_input() -> None:
    """OpenAI refuses instructions without an input, and Chat clients send a system message alone."""
    prompt = attrs.evolve(foreign(system=(Text("A", cache=CacheMarker()), Text("B"))), turns=())
    for provider in ("openai", "groq"):
        body = write(prompt, attrs.evolve(OPENAI, provider=provider))
        assert "instructions" not in body
        [message] = body["input"]
        assert message["role"] == "developer"
        again = RESPONSES.read_request({"input": body["input"]}, Report(), model="m", stream=False)
        assert "\n\n".join(text.text for text in again.system) == "A\n\nB"
    own = attrs.evolve(prompt, dialect="openai-responses", system=(Text("A"),))
    assert write(own)["instructions"] == "A"  # what goes before may be stored there


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
