"""Chat Completions requests, read from clients."""

from typing import Any

import attrs
import pytest
from chat_requests import CHAT, OPENAI, PIXEL, ROUTER, SCHEMA, SIGNED, parts, read, write

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Document,
    FileId,
    Image,
    Inline,
    Origin,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from gephyr_core.conversation.prompt import Choice, Native, Role, ToolChoice
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.conversation.signatures import seal


def test_leading_instructions_are_the_system_prompt_and_later_ones_are_turns() -> None:
    prompt = read(
        messages=[
            {"role": "developer", "content": "A"},
            {"role": "system", "content": [{"type": "text", "text": "B"}]},
            {"role": "user", "content": "Hi"},
            {"role": "system", "content": "C"},
        ]
    )
    assert [text.text for text in prompt.system] == ["A", "B"]
    assert [(turn.role, turn.path) for turn in prompt.turns] == [
        (Role.USER, "messages[2]"),
        (Role.SYSTEM, "messages[3]"),
    ]


def test_consecutive_tool_messages_are_one_turn() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    prompt = read(
        messages=[
            {"role": "assistant", "tool_calls": [call, {**call, "id": "b"}]},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
        ]
    )
    assert prompt.turns[0].parts == (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))
    assert prompt.turns[1].parts == (ToolResult("b", (Text("2"),), name="f"), ToolResult("a", (Text("1"),), name="f"))
    assert [part.path for part in prompt.turns[1].parts] == ["messages[1]", "messages[2]"]


@pytest.mark.parametrize(
    ("part", "read_as"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        (
            {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            Image(Url("https://x/y.png"), "low"),
        ),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, Image(PIXEL)),
        ({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}, Image(PIXEL)),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Audio(Inline("audio/mpeg", "AAAA")),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, Document(FileId("file-1", "openai-chat"))),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            Document(Inline("application/pdf", "AAAA"), "a.pdf"),
        ),
        ({"type": "document_url", "document_url": "https://x/y.pdf"}, Document(Url("https://x/y.pdf"))),
        (
            {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
            Text("a", CacheMarker("12h")),
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text("a", CacheMarker("1h")),
        ),
        ({"type": "image_url", "image_url": {"url": "data:text/plain,a%20b"}}, Image(Inline("text/plain", "YSBi"))),
    ],
)
def test_a_content_part_is_read_and_written_back(part: dict[str, Any], read_as: Any) -> None:
    prompt = read(messages=[{"role": "user", "content": [part]}])
    assert prompt.turns[0].parts == (read_as,)
    if isinstance(getattr(read_as, "source", None), Url) and isinstance(read_as, Document):
        return
    marking = attrs.evolve(OPENAI, model="gpt-5.6") if "prompt_cache_breakpoint" in part else ROUTER
    assert read(messages=CHAT.write_request(prompt, marking, Report()).body["messages"]).turns == prompt.turns


def test_reasoning_is_read_from_the_fields_that_providers_have_for_it() -> None:
    sealed = seal(SIGNED)
    detail = {"type": "reasoning.text", "text": "Hm", "signature": sealed}
    assert parts({"role": "assistant", "content": "a", "reasoning_content": "Hm", "reasoning_details": [detail]}) == [
        Thinking("Hm", SIGNED),
        Text("a"),
    ]
    assert parts({"role": "assistant", "content": "a", "reasoning": "Hm"}) == [Thinking("Hm"), Text("a")]
    encrypted = {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1", "id": "rs_1"}
    proof = Signature("x", Origin("openai-chat"), "openai-responses-v1 rs_1")
    assert parts({"role": "assistant", "reasoning_details": [encrypted]}) == [Thinking("", proof, redacted=True)]
    summary = {"type": "reasoning.summary", "summary": "S"}
    assert parts({"role": "assistant", "reasoning_details": [summary, encrypted]}) == [
        Thinking("S", proof, summary=True)
    ]
    fragments = [{"type": "reasoning.text", "text": text, "index": 0} for text in "ab"]
    assert parts({"role": "assistant", "reasoning_details": fragments}) == [Thinking("ab")]


def test_a_sealed_signature_of_a_call_or_a_text_is_opened() -> None:
    extra = {"google": {"thought_signature": seal(SIGNED)}}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}
    assert parts({"role": "assistant", "content": "t", "extra_content": extra, "tool_calls": [call]}) == [
        Text("t", signature=SIGNED),
        ToolCall("a", "f", "{}", signature=SIGNED),
    ]


def test_legacy_functions_are_tools_whose_calls_have_ids() -> None:
    prompt = read(
        functions=[{"name": "f", "parameters": SCHEMA}],
        function_call={"name": "f"},
        messages=[
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
    )
    assert prompt.turns[0].parts == (ToolCall("call_function_0", "f", "{}"),)
    assert prompt.turns[1].parts == (ToolResult("call_function_0", (Text("1"),), name="f"),)
    assert prompt.tool_choice == ToolChoice(Choice.NAMED, ("f",))
    assert prompt.parallel_tools is False
    again = read(
        **{key: value for key, value in CHAT.write_request(prompt, ROUTER, Report()).body.items() if key != "model"}
    )
    assert again == prompt


def test_a_legacy_result_is_the_last_calls_and_one_whose_call_was_cut_away_has_an_id() -> None:
    """Clients cut the beginning of a long conversation off."""
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    result = {"role": "function", "name": "f", "content": "1"}
    prompt = read(functions=[{"name": "f", "parameters": SCHEMA}], messages=[result, call, result, call, result])
    found = [(part.call_id, part.name) for turn in prompt.turns for part in turn.parts if isinstance(part, ToolResult)]
    assert found == [("call_function_0", "f"), ("call_function_0", "f"), ("call_function_1", "f")]


@pytest.mark.parametrize(
    ("written", "choice"),
    [
        ("auto", ToolChoice(Choice.AUTO)),
        ("none", ToolChoice(Choice.NONE)),
        ("required", ToolChoice(Choice.REQUIRED)),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(Choice.NAMED, ("f",))),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice(Choice.NAMED, ("c",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            ToolChoice(Choice.ALLOWED, ("f",)),
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "c"}}]},
            },
            ToolChoice(Choice.REQUIRED_OF, ("c",)),
        ),
    ],
)
def test_every_form_of_tool_choice_is_read_and_written_back(written: Any, choice: ToolChoice) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}]
    prompt = read(tools=tools, tool_choice=written)
    assert prompt.tool_choice == choice
    assert write(prompt).body["tool_choice"] == written


def test_what_only_this_dialect_has_is_kept_for_it() -> None:
    prompt = read(
        store=True,
        prediction={"type": "content", "content": "x"},
        modalities=["text", "audio"],
        audio={"voice": "alloy"},
    )
    assert prompt.native["store"] == Native(True)
    assert prompt.native["modalities"].essential
    assert prompt.native["audio"].essential
    assert CHAT.write_request(prompt, OPENAI, Report()).body["store"] is True


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "messages[0].content[0].file"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as error:
        read(**fields)
    assert error.value.path == path


def test_a_content_part_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UntranslatableError, match=r"messages\[0\].content\[0\].*'hologram'"):
        read(messages=[{"role": "user", "content": [{"type": "hologram"}]}])


@pytest.mark.parametrize("summary", ["auto", "concise", "detailed", ""])
@pytest.mark.parametrize("exclude", [None, True, False])
def test_a_wanted_summary_of_the_reasoning_is_read_and_where_it_is_not_to_be_shown(
    summary: str, exclude: bool | None
) -> None:
    """OpenRouter's field for it; who wants a summary is shown one unless it is excluded."""
    asked = {"effort": "high", "summary": summary, "exclude": exclude}
    reasoning = read(messages=[], reasoning=asked, include_reasoning=True).reasoning
    assert reasoning is not None
    assert (reasoning.summary, reasoning.shown) == (summary, True if exclude is None else not exclude)
