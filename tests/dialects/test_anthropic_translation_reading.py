"""Requests of Anthropic clients, read: every field is taken, kept for Anthropic alone, or told of."""

import base64
from typing import Any

import pytest
from anthropic_cases import dropped, fates, parts_of, read

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    CacheMarker,
    Document,
    FileId,
    HostedCall,
    HostedResult,
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
from gephyr_core.conversation.prompt import Choice, ClientTool, Effort, FunctionTool, HostedTool, Role
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.conversation.signatures import seal

MARK = {"type": "ephemeral", "ttl": "1h"}


def test_a_system_prompt_may_be_text_or_blocks() -> None:
    assert read(system="Be brief.").system == (Text("Be brief."),)
    blocks = [{"type": "text", "text": "Be brief.", "cache_control": MARK}, {"type": "text", "text": ""}]
    assert read(system=blocks).system == (Text("Be brief.", CacheMarker("1h")),)


def test_a_system_message_stands_where_it_stood() -> None:
    turns = read(messages=[{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}]).turns
    assert [turn.role for turn in turns] == [Role.USER, Role.SYSTEM]
    assert turns[1].parts[0].path == "messages[1].content"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "AA=="}, Inline("image/png", "AA==")),
        ({"type": "url", "url": "https://x/a.png"}, Url("https://x/a.png")),
        ({"type": "file", "file_id": "file_1"}, FileId("file_1", "anthropic")),
    ],
)
def test_images_come_from_three_places(source: dict[str, Any], expected: object) -> None:
    assert parts_of({"type": "image", "source": source, "cache_control": MARK}) == [
        Image(expected, cache=CacheMarker("1h"))  # type: ignore[arg-type]
    ]


def test_a_text_document_is_bytes_of_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Grüße"}
    about = {"title": "T", "context": "C", "citations": {"enabled": True}}
    document = Document(Inline("text/plain", base64.b64encode("Grüße".encode()).decode()), "T", "C", citations=True)
    assert parts_of({"type": "document", "source": source, **about}) == [document]


def test_a_document_of_blocks_is_one_text_and_its_pictures() -> None:
    report = Report()
    picture = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    content = [{"type": "text", "text": "a"}, picture, {"type": "text", "text": "b"}]
    document, image = parts_of({"type": "document", "source": {"type": "content", "content": content}}, report=report)
    assert isinstance(document, Document)
    assert document.source == Inline("text/plain", base64.b64encode(b"a\nb").decode())
    assert isinstance(image, Image)
    assert fates(report) == [("changed", "messages[0].content[0].source")]


def test_the_address_of_a_document_leads_to_a_pdf() -> None:
    source = {"type": "url", "url": "https://x/a"}
    assert parts_of({"type": "document", "source": source}) == [Document(Url("https://x/a", "application/pdf"))]


def test_a_search_result_is_a_document() -> None:
    given = {"type": "search_result", "source": "https://x", "title": "X", "content": [{"type": "text", "text": "a"}]}
    (document,) = parts_of(given)
    assert isinstance(document, Document)
    assert (document.title, document.context) == ("X", "https://x")


def test_thinking_keeps_its_signature_and_a_sealed_one_its_maker() -> None:
    foreign = Signature("abc", Origin("gemini", "g"))
    found = parts_of(
        {"type": "thinking", "thinking": "hm", "signature": "own"},
        {"type": "thinking", "thinking": "hm", "signature": seal(foreign)},
        {"type": "redacted_thinking", "data": "own"},
        role="assistant",
    )
    own = Signature("own", Origin("anthropic"))
    assert found == [Thinking("hm", own), Thinking("hm", foreign), Thinking("", own, redacted=True)]


def test_calls_and_results_are_read_with_what_is_in_them() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}, "caller": {"type": "direct"}}
    assert parts_of(call, role="assistant") == [ToolCall("t1", "look", '{"a":1}')]
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    for content, expected in (("ok", (Text("ok"),)), ([image], (Image(Url("https://x")),)), (None, ())):
        given = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": True}
        assert parts_of(given) == [ToolResult("t1", expected, is_error=True)]


def test_what_only_anthropic_knows_of_a_call_is_kept_for_it() -> None:
    call = {"type": "tool_use", "id": "t", "name": "zoom", "input": {}, "toolset_name": "computer"}
    native = read(messages=[{"role": "assistant", "content": [call]}]).native
    assert native["messages[0].content[0].toolset_name"].value == "computer"


def test_own_tools_of_the_provider_are_read_with_neutral_arguments() -> None:
    found = parts_of(
        {"type": "server_tool_use", "id": "s1", "name": "bash_code_execution", "input": {"command": "ls"}},
        {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "s1",
            "content": {"type": "bash_code_execution_result", "stdout": "a\n", "stderr": "", "return_code": 0},
        },
        role="assistant",
    )
    call, result = found
    assert call == HostedCall("s1", "code_execution", "bash_code_execution", '{"code":"ls","language":"bash"}')
    assert isinstance(result, HostedResult)
    assert (result.kind, result.output, result.is_error, result.dialect) == (
        "code_execution",
        "a\n",
        False,
        "anthropic",
    )


@pytest.mark.parametrize("kind", ["video", "fallback", "browser_state"])
def test_a_block_that_is_not_known_is_refused_by_name(kind: str) -> None:
    with pytest.raises(UntranslatableError, match=rf"messages\[0\].content\[0\].*{kind}"):
        parts_of({"type": kind})


def test_a_file_for_the_container_means_nothing_elsewhere() -> None:
    native = read(messages=[{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]).native
    assert native["messages[0].content[0]"].essential


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bash_20250124", "bash"),
        ("text_editor_20250124", "str_replace_editor"),
        ("text_editor_20250728", "str_replace_based_edit_tool"),
        ("memory_20250818", "memory"),
        ("computer_20251124", "computer"),
    ],
)
def test_typed_tools_of_the_client_have_a_function_beside_them(kind: str, name: str) -> None:
    (tool,) = read(tools=[{"type": kind, "name": name, "cache_control": {"type": "ephemeral"}}]).tools
    assert isinstance(tool, ClientTool)
    assert (tool.function.name, tool.cache) == (name, CacheMarker())
    assert tool.function.schema is not None
    assert tool.options == {"type": kind, "name": name}


def test_the_providers_own_tools_tell_their_limits() -> None:
    options = {
        "type": "web_search_20250305",
        "name": "web_search",
        "allowed_domains": ["a.org"],
        "max_uses": 3,
        "user_location": {"type": "approximate", "city": "Oslo"},
    }
    (tool,) = read(tools=[options]).tools
    assert isinstance(tool, HostedTool)
    assert (tool.kind, tool.allowed_domains, tool.max_uses) == ("web_search", ("a.org",), 3)
    assert tool.location == {"city": "Oslo"}


def test_a_functions_own_extras_are_kept_for_anthropic() -> None:
    extras = {"defer_loading": True, "eager_input_streaming": True}
    prompt = read(tools=[{"name": "f", "input_schema": {"type": "object"}, "strict": True, **extras}])
    assert prompt.tools == (FunctionTool("f", "", {"type": "object"}, strict=True, deferred=True),)
    assert prompt.native["tools[0].eager_input_streaming"].value is True


@pytest.mark.parametrize(
    ("given", "choice"),
    [("auto", Choice.AUTO), ("none", Choice.NONE), ("any", Choice.REQUIRED), ("tool", Choice.NAMED)],
)
def test_tool_choices_are_known(given: str, choice: Choice) -> None:
    prompt = read(
        tool_choice={"type": given, "disable_parallel_tool_use": True, **({"name": "f"} if given == "tool" else {})}
    )
    assert prompt.tool_choice is not None
    assert (prompt.tool_choice.choice, prompt.parallel_tools) == (choice, False)


@pytest.mark.parametrize(
    ("fields", "effort", "budget", "kind"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, None, 2000, "enabled"),
        ({"thinking": {"type": "adaptive"}}, Effort.ADAPTIVE, None, "adaptive"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, Effort.MAX, None, "adaptive"),
        ({"thinking": {"type": "disabled"}}, Effort.NONE, None, "disabled"),
        ({"thinking": {"type": "between_tools"}}, Effort.ADAPTIVE, None, "between_tools"),
        ({"output_config": {"effort": "low"}}, Effort.LOW, None, ""),
    ],
)
def test_thinking_and_effort_are_one_wish(
    fields: dict[str, Any], effort: Effort | None, budget: int | None, kind: str
) -> None:
    reasoning = read(**fields).reasoning
    assert reasoning is not None
    assert (reasoning.effort, reasoning.budget, reasoning.kind) == (effort, budget, kind)


def test_display_tells_whether_thoughts_are_wanted() -> None:
    shown = [read(thinking={"type": "adaptive", "display": name}).reasoning for name in ("summarized", "omitted")]
    assert [reasoning.shown for reasoning in shown if reasoning] == [True, False]


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_the_format_of_the_reply_is_read_in_both_places(place: str) -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    output = read(**{place: {"format": form} if place == "output_config" else form}).output
    assert output is not None
    assert output.schema == {"type": "object"}


def test_settings_have_their_own_paths() -> None:
    prompt = read(stop_sequences=["END"], metadata={"user_id": "u", "x": 1}, cache_control={"type": "ephemeral"})
    assert (prompt.sampling.stop, prompt.user, prompt.cache) == (("END",), "u", CacheMarker())
    assert [prompt.path(name) for name in ("stop", "user", "cache")] == [
        "stop_sequences",
        "metadata.user_id",
        "cache_control",
    ]


def test_what_metadata_has_besides_is_told_of() -> None:
    report = Report()
    read(report, metadata={"user_id": "u", "x": 1})
    assert dropped(report) == ["metadata.x"]


def test_servers_and_containers_are_essential_and_tuning_is_not() -> None:
    native = read(mcp_servers=[{"name": "s"}], container="c", speed="fast", context_management={"edits": []}).native
    assert {name: kept.essential for name, kept in native.items()} == {
        "mcp_servers": True,
        "container": True,
        "speed": False,
        "context_management": False,
    }


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"thinking": {"type": "often"}}, "thinking.type"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"type": "web_search_20250305", "name": ["web_search"]}]}, "tools[0].name"),
        ({"tools": [{"type": "bash_20250124", "name": {}}]}, "tools[0].name"),
        ({"output_config": {"format": {"type": "yaml"}}}, "output_config.format.type"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as caught:
        read(**fields)
    assert caught.value.path == path
