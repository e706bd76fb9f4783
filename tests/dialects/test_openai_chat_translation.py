"""Chat Completions requests, read from clients and written for providers."""

import base64
import json
from typing import Any

import attrs
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

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
    Origin,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    WebSource,
)
from gephyr_core.conversation.prompt import (
    Choice,
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Native,
    OutputFormat,
    Prompt,
    Reasoning,
    Role,
    Sampling,
    ToolChoice,
    Turn,
)
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.conversation.signatures import seal
from gephyr_core.dialects.openai_chat.translator import ChatTranslator, needs_inline
from gephyr_core.dialects.translator import Destination, Written

CHAT = ChatTranslator()
ABLE = Capabilities(efforts=tuple(Effort))
OPENAI = Destination("openai-chat", "openai", "gpt-5", ABLE)
ROUTER = Destination("openai-chat", "openrouter", "vendor/model", ABLE)
OTHER = Destination("openai-chat", "deepseek", "deepseek-chat", ABLE)
REQUEST = TypeAdapter(CompletionCreateParamsNonStreaming)
PIXEL = Inline("image/png", "AAAA")
SIGNED = Signature("proof", Origin("anthropic", "claude"))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def read(report: Report | None = None, **fields: Any) -> Prompt:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return CHAT.read_request(json.loads(json.dumps(body)), report or Report(), model="m", stream=False)


def parts(*messages: dict[str, Any]) -> list[Any]:
    return [part for turn in read(messages=list(messages)).turns for part in turn.parts]


def write(prompt: Prompt, destination: Destination = OPENAI, report: Report | None = None) -> Written:
    written = CHAT.write_request(prompt, destination, report or Report())
    if destination is OPENAI:
        REQUEST.validate_python(written.body)
    return written


def foreign(*turns: Turn, **fields: Any) -> Prompt:
    """A prompt of an Anthropic client."""
    return Prompt("anthropic", "m", turns=turns or (user(Text("Hi")),), **fields)


def user(*said: Any) -> Turn:
    return Turn(Role.USER, said)


def assistant(*said: Any) -> Turn:
    return Turn(Role.ASSISTANT, said)


def messages(*turns: Turn, destination: Destination = OPENAI, report: Report | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(foreign(*turns), destination, report).body["messages"]
    return found


# -- reading ----------------------------------------------------------------------------------------------------------


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


# -- writing ----------------------------------------------------------------------------------------------------------


def test_results_stand_behind_their_calls_and_their_images_behind_them_all() -> None:
    report = Report()
    written = messages(
        user(Text("Hi")),
        assistant(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")),
        user(Text("and?"), ToolResult("b", (Text("no"),), is_error=True), ToolResult("a", (Image(PIXEL),))),
        report=report,
    )
    assert [message["role"] for message in written] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert [message["tool_call_id"] for message in written[2:4]] == ["a", "b"]
    assert written[3]["content"] == "Error: no"
    assert written[4]["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
    assert len([entry for entry in report.entries if entry.fate is Fate.EMULATED]) == 2


def test_the_messages_of_the_same_turns_are_the_same_whatever_comes_after() -> None:
    turns = [
        user(Text("Hi")),
        assistant(Text("a"), ToolCall("a", "f", "{}")),
        user(ToolResult("a", (Text("1"), Image(PIXEL)))),
        assistant(Text("b")),
        user(Text("c"), Text("d")),
    ]
    whole = messages(*turns)
    for length in range(1, len(turns) + 1):
        written = messages(*turns[:length])
        assert whole[: len(written)] == written


def test_reasoning_goes_only_to_who_made_it_and_has_a_place_for_it() -> None:
    own = Signature("x", Origin("openai-chat"), "anthropic-claude-v1")
    plain = Signature("", Origin("openai-chat"), "reasoning")
    turn = assistant(Thinking("mine", own), Thinking("bare", plain), Thinking("theirs", SIGNED), Text("a"))
    report = Report()
    detail = {"type": "reasoning.text", "text": "mine", "signature": "x", "format": "anthropic-claude-v1", "index": 0}
    assert messages(turn, destination=ROUTER, report=report)[0] == {
        "role": "assistant",
        "content": "a",
        "reasoning": "bare",
        "reasoning_details": [detail],
    }
    assert len(report.entries) == 1
    assert messages(turn) == [{"role": "assistant", "content": "a"}]


def test_names_and_ids_that_the_provider_refuses_are_replaced() -> None:
    long_id = "toolu_" + "x" * 40
    prompt = foreign(
        assistant(ToolCall(long_id, "mcp.server:tool", "{}")),
        user(ToolResult(long_id, (Text("1"),))),
        tools=(FunctionTool("mcp.server:tool", schema=SCHEMA),),
    )
    written = write(prompt)
    call, result = written.body["messages"]
    name = call["tool_calls"][0]["function"]["name"]
    assert written.tool_names == {name: "mcp.server:tool"}
    assert written.body["tools"][0]["function"]["name"] == name
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) <= 40


def test_freeform_tools_are_custom_tools_at_openai_and_functions_elsewhere() -> None:
    tool = FreeformTool("patch", "Edits.", "lark", "start: /.+/")
    prompt = foreign(assistant(ToolCall("a", "patch", "raw", freeform=True)), user(ToolResult("a")), tools=(tool,))
    assert write(prompt).body["tools"][0]["type"] == "custom"
    written = write(prompt, OTHER)
    assert written.freeform == ("patch",)
    assert written.body["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"input":"raw"}'


def test_a_hosted_tool_that_the_provider_lacks_is_refused_by_name() -> None:
    tool = HostedTool("code_execution", "code_interpreter", "openai-responses", {}, path="tools[3]")
    with pytest.raises(UntranslatableError) as error:
        write(foreign(tools=(tool,)))
    assert str(error.value) == "tools[3]: hosted tool 'code_interpreter' is not available on provider 'openai'"


def test_a_web_search_is_asked_of_search_models_and_of_openrouter() -> None:
    prompt = foreign(
        tools=(HostedTool("web_search", "web_search_20250305", "anthropic", {}, location={"city": "Ghent"}),)
    )
    body = write(prompt, attrs.evolve(OPENAI, model="gpt-5-search-api")).body
    assert body["web_search_options"]["user_location"]["approximate"] == {"city": "Ghent"}
    assert write(prompt, ROUTER).body["plugins"] == [{"id": "web"}]


def test_structured_output_is_a_forced_tool_where_the_model_takes_no_schema() -> None:
    output = OutputFormat(SCHEMA, "city", path="response_format")
    body = write(foreign(output=output)).body
    assert body["response_format"]["json_schema"] == {"name": "city", "schema": SCHEMA, "strict": False}
    unable = attrs.evolve(OPENAI, capabilities=Capabilities(structured_output=False))
    written = write(foreign(output=output), unable)
    assert (written.structured, written.structured_wrapped) == ("reply", False)
    assert written.body["tool_choice"]["function"]["name"] == "reply"
    listed = write(foreign(output=OutputFormat({"type": "array", "items": {}})))
    assert listed.structured_wrapped
    with pytest.raises(UntranslatableError, match="cannot be made to call a tool"):
        write(
            foreign(output=output),
            attrs.evolve(OPENAI, capabilities=Capabilities(structured_output=False, forced_tools=False)),
        )


def test_settings_are_clamped_renamed_or_dropped_and_it_is_said() -> None:
    report = Report()
    prompt = foreign(
        sampling=Sampling(max_tokens=9000, temperature=0.5, top_k=3, stop=("a", "b", "c", "d", "e"), logprobs=True),
        reasoning=Reasoning(budget=4000),
        user="u" * 80,
        metadata={"a": "b"},
    )
    body = write(prompt, attrs.evolve(OPENAI, capabilities=attrs.evolve(ABLE, max_output_tokens=8000)), report).body
    assert body["max_completion_tokens"] == 8000
    assert body["reasoning_effort"] == "medium"
    assert body["stop"] == ["a", "b", "c", "d"]
    assert len(body["safety_identifier"]) == 64
    assert report.paths(Fate.DROPPED) == ["top_k", "logprobs", "metadata"]
    assert report.paths(Fate.CHANGED) == ["max_tokens", "stop", "reasoning", "user"]
    assert write(prompt, OTHER).body["max_tokens"] == 9000


def test_openrouter_is_told_of_reasoning_in_its_own_words() -> None:
    assert write(foreign(reasoning=Reasoning(budget=4000, shown=False)), ROUTER).body["reasoning"] == {
        "max_tokens": 4000,
        "exclude": True,
    }
    fewer = attrs.evolve(OPENAI, capabilities=Capabilities(efforts=(Effort.LOW, Effort.HIGH)))
    assert write(foreign(reasoning=Reasoning(Effort.MAX)), fewer).body["reasoning_effort"] == "high"
    assert write(foreign(reasoning=Reasoning(Effort.MINIMAL)), fewer).body["reasoning_effort"] == "low"


def test_cache_markers_are_written_where_they_are_taken() -> None:
    prompt = foreign(user(*(Text(str(number), CacheMarker("1h")) for number in range(5))))
    report = Report()
    content = write(prompt, ROUTER, report).body["messages"][0]["content"]
    assert [part.get("cache_control") for part in content] == [None, *[{"type": "ephemeral", "ttl": "1h"}] * 4]
    assert len(report.entries) == 1
    newer = write(prompt, attrs.evolve(OPENAI, model="gpt-5.6")).body["messages"][0]["content"]
    assert newer[4]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}
    assert write(prompt).body["messages"][0]["content"][4] == {"type": "text", "text": "4"}


def test_documents_go_as_files_or_as_their_text() -> None:
    text = Document(Inline("text/plain", base64.b64encode(b"Body").decode()), "T")
    pdf = Document(Inline("application/pdf", "AAAA"), "a.pdf", "About")
    content = messages(user(text, pdf))[0]["content"]
    assert content[0] == {"type": "text", "text": "T\n\nBody"}
    assert content[1]["text"] == "About"
    assert content[2]["file"] == {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    by_address = Document(Url("https://x/y.pdf"), path="p")
    assert needs_inline(by_address)
    assert not needs_inline(Image(Url("https://x/y.png")))
    for part in (by_address, Image(FileId("f", "anthropic")), Audio(Inline("audio/ogg", "AAAA"))):
        with pytest.raises(UntranslatableError):
            messages(user(part))


def test_what_the_providers_own_tools_did_is_told_as_text() -> None:
    report = Report()
    written = messages(
        assistant(
            HostedCall("a", "web_search", "web_search", '{"query":"q"}'),
            HostedResult("a", "web_search", (WebSource("https://x", "X"),)),
            Refusal("No."),
        ),
        report=report,
    )
    assert "https://x" in written[0]["content"][1]["text"]
    assert written[0]["refusal"] == "No."
    assert [entry.fate for entry in report.entries] == [Fate.CHANGED]


def test_a_foreign_schema_is_made_an_object_and_strict_only_where_it_can_be() -> None:
    either = {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]}
    report = Report()
    tools = (
        FunctionTool("f", schema=either, path="tools[0]"),
        FunctionTool("g", schema=SCHEMA, strict=True, path="tools[1]"),
    )
    first, second = write(foreign(tools=tools), report=report).body["tools"]
    assert first["function"]["parameters"] == {"type": "object", "properties": {"a": {}, "b": {}}}
    assert second["function"]["strict"] is False
    assert report.paths(Fate.CHANGED) == ["tools[0]", "tools[1]"]


def test_more_than_one_reply_is_refused_and_so_is_what_is_essential_elsewhere() -> None:
    with pytest.raises(UntranslatableError, match="only one reply"):
        write(foreign(sampling=Sampling(candidates=2)))
    with pytest.raises(UntranslatableError, match="mcp_servers"):
        write(foreign(native={"mcp_servers": Native([], essential=True)}))


def test_a_stream_is_asked_for_with_its_usage() -> None:
    body = CHAT.write_request(foreign(stream=True), OPENAI, Report()).body
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
