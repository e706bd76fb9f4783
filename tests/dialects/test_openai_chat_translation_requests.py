"""Chat Completions requests, written for providers."""

import base64

import attrs
import pytest
from chat_requests import (
    ABLE,
    CHAT,
    OPENAI,
    OTHER,
    PIXEL,
    ROUTER,
    SCHEMA,
    SIGNED,
    assistant,
    foreign,
    messages,
    read,
    user,
    write,
)

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
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Native,
    OutputFormat,
    Reasoning,
    Sampling,
)
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.openai_chat.translator import needs_inline


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
    for length in (1, 3, 4, 5):  # one that ends in a call is answered there
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


def test_mistral_is_asked_in_its_own_words() -> None:
    mistral = attrs.evolve(OTHER, provider="mistral")
    mark = Signature("", Origin("openai-chat"), "thinking")
    prompt = foreign(
        assistant(Thinking("Hm", mark), Text("a"), ToolCall("toolu_1", "f", "{}")),
        user(ToolResult("toolu_1", (Text("1"),))),
        sampling=Sampling(seed=3),
        user="me",
        stream=True,
    )
    body = CHAT.write_request(prompt, mistral, Report()).body
    said, result = body["messages"]
    assert said["content"][0] == {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    assert said["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 9
    assert body["random_seed"] == 3
    assert not {"user", "seed", "stream_options"} & set(body)


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


def test_what_a_reasoning_model_does_not_take_is_dropped() -> None:
    report = Report()
    strict = attrs.evolve(OPENAI, capabilities=Capabilities(sampling=False, stop=False))
    sampling = Sampling(max_tokens=0, temperature=1, presence_penalty=0.3, seed=4, stop=("a",))
    body = write(foreign(sampling=sampling, reasoning=Reasoning(Effort.HIGH)), strict, report).body
    assert {key: value for key, value in body.items() if key != "messages"} == {
        "model": "gpt-5",
        "max_completion_tokens": 1,
        "seed": 4,
    }
    assert report.paths(Fate.DROPPED) == ["temperature", "presence_penalty", "stop", "reasoning"]


def test_calls_that_nobody_answered_get_an_answer() -> None:
    report = Report()
    written = messages(assistant(ToolCall("a", "f", "{}", path="p")), report=report)
    assert [message["role"] for message in written] == ["assistant", "tool"]
    assert report.paths(Fate.EMULATED)[0] == "p"


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
    for candidates in (0, 2):
        with pytest.raises(UntranslatableError, match="only one reply"):
            write(foreign(sampling=Sampling(candidates=candidates)))
    assert "n" not in write(foreign(sampling=Sampling(candidates=1))).body
    assert [write(read(n=count)).body["n"] for count in (1, 2)] == [1, 2]
    with pytest.raises(UntranslatableError, match="mcp_servers"):
        write(foreign(native={"mcp_servers": Native([], essential=True)}))


def test_a_stream_is_asked_for_with_its_usage() -> None:
    body = CHAT.write_request(foreign(stream=True), OPENAI, Report()).body
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
