"""What a Responses client says, as the neutral model: items, tools and settings."""

import json
from typing import Any

import attrs
import pytest
from responses_support import OPENAI, RESPONSES, read, read_stream, read_whole, response_of, write

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    Audio,
    Document,
    FileId,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Origin,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from gephyr_core.conversation.prompt import Choice, ClientTool, Effort, FreeformTool, FunctionTool, HostedTool, Role
from gephyr_core.conversation.reply import Failed, StopReason, TextAdded
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.errors import ErrorKind

HI = {"role": "user", "content": "Hi"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "it"}


def turns(*input_items: dict[str, Any], **fields: Any) -> list[tuple[Role, tuple[Any, ...]]]:
    return [(turn.role, turn.parts) for turn in read(input=list(input_items), **fields).turns]


def parts(*content: dict[str, Any]) -> tuple[Any, ...]:
    ((_, found),) = turns({"role": "user", "content": list(content)})
    return found


def test_a_string_is_what_the_user_says() -> None:
    assert [(turn.role, turn.parts) for turn in read(input="Hi").turns] == [(Role.USER, (Text("Hi"),))]


def test_instructions_and_leading_system_messages_are_the_system_prompt() -> None:
    prompt = read(
        instructions="one", input=[{"role": "developer", "content": "two"}, HI, {"role": "system", "content": "three"}]
    )
    assert [text.text for text in prompt.system] == ["one", "two"]
    assert [turn.role for turn in prompt.turns] == [Role.USER, Role.SYSTEM]


def test_consecutive_items_of_the_assistant_are_one_turn_and_outputs_one_of_the_users() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "So", "annotations": []}],
    }
    second = ({**CALL, "call_id": "d"}, {**OUTPUT, "call_id": "d"})
    found = turns(HI, reasoning, said, CALL, second[0], OUTPUT, second[1])
    assert [(role, [type(part).__name__ for part in told]) for role, told in found] == [
        (Role.USER, ["Text"]),
        (Role.ASSISTANT, ["Thinking", "Text", "ToolCall", "ToolCall"]),
        (Role.USER, ["ToolResult", "ToolResult"]),
    ]


def test_every_part_of_a_message_is_read() -> None:
    assert parts(
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "image_url": "https://a/b.png"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "file_url": "https://a/b.pdf"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ) == (
        Text("see"),
        Image(Inline("image/png", "AAAA"), "low"),
        Image(Url("https://a/b.png"), "auto"),
        Image(FileId("file_1", "openai-responses"), "auto"),
        Document(Inline("application/pdf", "AAAA"), "a.pdf"),
        Document(Url("https://a/b.pdf")),
        Audio(Inline("audio/mpeg", "AAAA")),
    )


def test_an_output_of_parts_keeps_them() -> None:
    output = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]
    result = turns(HI, CALL, {**OUTPUT, "output": output})[-1][1][0]
    assert isinstance(result, ToolResult)
    assert result.content == (Text("a"), Image(Inline("image/png", "AAAA"), "auto"))


def test_custom_calls_and_outputs_are_freeform() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "x"}
    found = turns(HI, call, {"type": "custom_tool_call_output", "call_id": "c", "output": "k"})
    assert found[1][1] == (ToolCall("c", "patch", "x", freeform=True),)
    assert found[2][1][0].freeform


def test_typed_calls_are_calls_of_the_functions_that_stand_in() -> None:
    """And are items of their type again for a provider of Responses."""
    action = {"type": "exec", "command": ["ls"], "env": {}}
    call = {"type": "local_shell_call", "id": "i", "call_id": "c", "status": "completed", "action": action}
    output = {"type": "local_shell_call_output", "id": "c", "output": "a.txt"}
    prompt = read(input=[HI, call, output], tools=[{"type": "local_shell"}])
    assert isinstance(prompt.tools[0], ClientTool)
    called = prompt.turns[1].parts[0]
    assert isinstance(called, ToolCall)
    assert (called.name, json.loads(called.arguments)["command"]) == ("local_shell", ["ls"])
    written = write(prompt).body
    assert written["tools"] == [{"type": "local_shell"}]
    assert [item.get("type") for item in written["input"][1:]] == ["local_shell_call", "local_shell_call_output"]


def test_reasoning_keeps_its_proof_and_its_id() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    (thinking,) = turns(HI, item)[1][1]
    assert isinstance(thinking, Thinking)
    assert thinking.signature is not None
    assert (thinking.signature.value, thinking.signature.id) == ("gAAAA", "rs_1")
    assert thinking.signature.origin == Origin("openai-responses")


def test_what_openais_own_tools_did_is_kept_whole() -> None:
    action = {"type": "search", "query": "rain", "sources": [{"type": "url", "url": "https://a"}]}
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action}
    call, result = turns(HI, item)[1][1]
    assert isinstance(call, HostedCall)
    assert (call.kind, json.loads(call.arguments)) == ("web_search", {"query": "rain"})
    assert isinstance(result, HostedResult)
    assert [source.url for source in result.sources] == ["https://a"]
    assert write(read(input=[HI, item])).body["input"][1] == item


def test_tools_of_every_kind_are_read() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
    namespace = {
        "type": "namespace",
        "name": "crm",
        "description": "d",
        "tools": [{"type": "function", "name": "find"}],
    }
    tools = read(
        tools=[
            {"type": "function", "name": "f", "parameters": {}, "strict": True, "description": "d"},
            {"type": "custom", "name": "patch", "format": grammar},
            {"type": "web_search", "filters": {"allowed_domains": ["a.org"]}},
            namespace,
        ]
    ).tools
    assert tools[0] == FunctionTool("f", "d", {}, strict=True)
    assert tools[1] == FreeformTool("patch", "", "lark", "start: /x/")
    assert isinstance(tools[2], HostedTool)
    assert (tools[2].kind, tools[2].allowed_domains) == ("web_search", ("a.org",))
    assert isinstance(tools[3], ClientTool)
    assert tools[3].function.name == "crm__find"


def test_what_a_tool_says_beside_what_is_known_is_kept_unless_it_says_nothing() -> None:
    """Clients write out every field that they know, most of them empty."""
    tool = {"type": "function", "name": "f", "nothing": None, "off": False, "zero": 0, "empty": "", "odd": [None]}
    native = read(tools=[tool]).native
    assert {path: one.value for path, one in native.items()} == {
        "tools[0].zero": 0,
        "tools[0].empty": "",
        "tools[0].odd": [None],
    }


@pytest.mark.parametrize(
    ("written", "choice", "names"),
    [
        ("auto", Choice.AUTO, ()),
        ("none", Choice.NONE, ()),
        ("required", Choice.REQUIRED, ()),
        ({"type": "function", "name": "f"}, Choice.NAMED, ("f",)),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            Choice.ALLOWED,
            ("f",),
        ),
    ],
)
def test_every_choice_of_tools_is_read(written: Any, choice: Choice, names: tuple[str, ...]) -> None:
    read_choice = read(tools=[{"type": "function", "name": "f"}], tool_choice=written).tool_choice
    assert read_choice is not None
    assert (read_choice.choice, read_choice.names) == (choice, names)


def test_settings_are_read_under_the_names_that_reports_use() -> None:
    prompt = read(
        max_output_tokens=9, reasoning={"effort": "low", "summary": "auto"}, text={"verbosity": "low"}, user="u"
    )
    assert (prompt.sampling.max_tokens, prompt.path("max_tokens")) == (9, "max_output_tokens")
    assert prompt.reasoning is not None
    assert (prompt.reasoning.effort, prompt.reasoning.shown, prompt.reasoning.summary) == (Effort.LOW, True, "auto")
    assert (prompt.verbosity, prompt.user) == ("low", "u")


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"background": True},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [HI, {"type": "item_reference", "id": "msg_1"}]},
        {"input": [HI, {"type": "compaction", "encrypted_content": "g"}]},
    ],
    ids=json.dumps,
)
def test_what_only_openai_can_look_up_is_refused_elsewhere_and_kept_at_home(fields: dict[str, Any]) -> None:

    prompt = read(**fields)
    written = write(prompt).body
    for name, value in fields.items():
        assert written[name] == value
    elsewhere = attrs.evolve(OPENAI, dialect="openai-chat", provider="deepseek")
    with pytest.raises(UntranslatableError):
        ChatTranslator().write_request(prompt, elsewhere, Report())


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"input": 7}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"tool_choice": "some"}, "tool_choice"),
        ({"temperature": "hot"}, "temperature"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as raised:
        read(**fields)
    assert raised.value.path == path


# -- replies ----------------------------------------------------------------------------------------------------------


def test_why_a_response_ended_is_read() -> None:
    cut = response_of(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert read_whole(cut).stop.reason is StopReason.MAX_TOKENS
    filtered = response_of(status="incomplete", incomplete_details={"reason": "content_filter"})
    assert read_whole(filtered).stop.reason is StopReason.FILTERED
    assert read_whole(response_of(CALL)).stop.reason is StopReason.TOOL_CALL
    assert read_whole(response_of()).stop.reason is StopReason.END


def test_a_stream_that_fails_or_breaks_off_is_a_failure() -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}}
    flat = {"type": "error", "code": "server_error", "message": "broke"}
    nested = {"type": "error", "error": {"code": "server_error", "message": "broke"}}
    kinds = [ErrorKind.RATE_LIMIT, ErrorKind.SERVER, ErrorKind.SERVER]
    for told, kind in zip((failed, flat, nested), kinds, strict=True):
        (found,) = read_stream(b"data: %b\n\n" % json.dumps(told).encode())
        assert isinstance(found, Failed)
        assert found.kind is kind
    (broken,) = read_stream(b"")
    assert isinstance(broken, Failed)
    assert broken.kind is ErrorKind.BAD_GATEWAY


def test_a_stream_whose_last_event_tells_everything_is_read() -> None:
    """Some providers announce no items."""
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    done = {"type": "response.completed", "response": response_of(message, CALL)}
    found = read_stream(b"data: %b\n\n" % json.dumps(done).encode())
    assert [delta.text for delta in found if isinstance(delta, TextAdded)] == ["Hello"]
    assert RESPONSES.delta_reader(Report()).read(b": comment\n\n") == []
