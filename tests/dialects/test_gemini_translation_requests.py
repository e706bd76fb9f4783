"""Requests of Gemini clients, and requests for Gemini."""

from typing import Any

import pytest
from gemini_cases import FOREIGN, GEMINI, NEW, OLD, OWN, assistant, contents, foreign, read, user, write

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import (
    CacheMarker,
    FileId,
    Image,
    Inline,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gephyr_core.conversation.prompt import (
    Choice,
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Native,
    OutputFormat,
    Reasoning,
    Role,
    Sampling,
    ToolChoice,
    Turn,
)
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.conversation.signatures import seal
from gephyr_core.dialects.gemini.messages import SKIP_SIGNATURE
from gephyr_core.dialects.gemini.translator import needs_inline

CALL = ToolCall("c1", "f", '{"a":1}')
RESULT = ToolResult("c1", (Text("done"),))
PIXEL = Inline("image/png", "AAAA")


def parts(*turns: list[dict[str, Any]]) -> list[Any]:
    """Read turns of user and model, one after the other."""
    roles = ("user", "model") * len(turns)
    body = [{"role": role, "parts": list(said)} for role, said in zip(roles, turns, strict=False)]
    return [part for turn in read(contents=body).turns for part in turn.parts]


# -- reading ----------------------------------------------------------------------------------------------------------


def test_both_spellings_of_a_name_are_read_and_paths_are_the_clients() -> None:
    prompt = read(generation_config={"max_output_tokens": "5"}, system_instruction={"parts": {"text": "Be kind."}})
    assert prompt.sampling.max_tokens == 5
    assert prompt.path("max_tokens") == "generation_config.max_output_tokens"
    assert prompt.system == (Text("Be kind."),)


def test_calls_without_an_id_get_one_and_responses_find_them_by_name_in_order() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    answers = [{"functionResponse": {"name": "f", "response": {"output": told}}} for told in ("first", "second")]
    read_parts = parts([{"text": "Hi"}], [call, call], answers)
    assert [part.id for part in read_parts[1:3]] == ["call_1_0", "call_1_1"]
    assert [(part.call_id, part.content[0].text) for part in read_parts[3:]] == [
        ("call_1_0", "first"),
        ("call_1_1", "second"),
    ]


def test_an_error_response_is_an_error_and_an_object_is_told_as_json() -> None:
    error = {"functionResponse": {"name": "f", "response": {"error": "no"}}}
    thing = {"functionResponse": {"name": "f", "response": {"a": 1, "b": [2]}}}
    first, second = parts([error, thing])
    assert (first.is_error, first.content[0].text) == (True, "no")
    assert (second.is_error, second.content[0].text) == (False, '{"a":1,"b":[2]}')


def test_media_are_read_by_type_and_files_by_who_keeps_them() -> None:
    google = "https://generativelanguage.googleapis.com/v1beta/files/x"
    found = parts(
        [
            {"inline_data": {"mime_type": "image/png", "data": "_-8"}},
            {"fileData": {"mimeType": "image/png", "fileUri": google}},
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        ]
    )
    assert found == [
        Image(Inline("image/png", "/+8=")),
        Image(FileId(google, "gemini", "image/png")),
        Video(Url("https://www.youtube.com/watch?v=1")),
    ]
    assert [needs_inline(part) for part in (*found, Image(Url("https://a/b.png")))] == [False, False, False, True]


def test_signatures_are_read_in_either_alphabet_and_unsealed() -> None:
    sealed = seal(FOREIGN).replace("+", "-").replace("/", "_").rstrip("=")
    thought, text = parts(
        [{"text": "Hm", "thought": True, "thoughtSignature": sealed}, {"text": "a", "thoughtSignature": "_-8="}]
    )
    assert thought == Thinking("Hm", FOREIGN)
    assert text.signature.value == "/+8="


def test_googles_schemas_become_json_schema() -> None:
    declared = {
        "name": "f",
        "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}},
    }
    (tool,) = read(tools=[{"functionDeclarations": [declared]}]).tools
    assert tool == FunctionTool("f", "", {"type": "object", "properties": {"a": {"type": ["string", "null"]}}})


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice(Choice.AUTO)),
        ({"mode": 3}, ToolChoice(Choice.NONE)),
        ({"mode": "any"}, ToolChoice(Choice.REQUIRED)),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice(Choice.NAMED, ("f",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice(Choice.REQUIRED_OF, ("f", "g"))),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(Choice.ALLOWED, ("f",))),
    ],
)
def test_tool_choices_are_read(calling: dict[str, Any], choice: ToolChoice) -> None:
    assert read(toolConfig={"functionCallingConfig": calling}).tool_choice == choice


def test_what_only_google_has_is_kept_and_essential_where_it_is() -> None:
    prompt = read(
        cachedContent="cachedContents/1", labels={"a": "b"}, generationConfig={"responseModalities": ["IMAGE"]}
    )
    assert {path: native.essential for path, native in prompt.native.items()} == {
        "cachedContent": True,
        "labels": False,
        "generationConfig.responseModalities": True,
    }
    assert read(generationConfig={"responseModalities": ["TEXT"]}).native == {}


def test_a_request_to_count_is_read_out_of_its_wrapping() -> None:
    body = {"generateContentRequest": {"model": "models/m", "contents": [{"parts": [{"text": "Hi"}]}]}}
    assert GEMINI.read_request(body, Report(), model="m", stream=False).turns[0].parts == (Text("Hi"),)


@pytest.mark.parametrize("body", [{}, {"contents": [{"role": "critic", "parts": []}]}, {"contents": "Hi"}])
def test_what_is_no_request_is_refused_by_name(body: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match="contents"):
        GEMINI.read_request(body, Report(), model="m", stream=False)


# -- writing ----------------------------------------------------------------------------------------------------------


def test_users_and_the_model_take_turns_and_the_user_begins() -> None:
    written = contents(
        assistant(Text("Hello")), user(Text("a")), Turn(Role.SYSTEM, (Text("Be brief."),)), user(Text("b"))
    )
    assert [content["role"] for content in written] == ["user", "model", "user"]
    assert [part["text"] for part in written[2]["parts"]] == ["a", "<system>\nBe brief.\n</system>", "b"]
    assert contents(user())[0]["parts"] != []


def test_calls_are_answered_in_the_next_content_by_their_name() -> None:
    second = ToolCall("c2", "g", "{}")
    written = contents(user(Text("Hi")), assistant(CALL, second), user(Text("wait"), RESULT))
    answer, stand_in, text = written[2]["parts"]
    assert answer == {"functionResponse": {"id": "c1", "name": "f", "response": {"output": "done"}}}
    assert "error" in stand_in["functionResponse"]["response"]
    assert text == {"text": "wait"}
    assert contents(user(Text("Hi")), assistant(CALL))[2]["parts"][0]["functionResponse"]["name"] == "f"


def test_gemini_3_gets_googles_filler_on_the_first_call_of_each_step() -> None:
    report = Report()
    first, second = contents(user(Text("Hi")), assistant(CALL, ToolCall("c2", "g", "{}")), report=report)[1]["parts"]
    assert first["thoughtSignature"] == SKIP_SIGNATURE
    assert "thoughtSignature" not in second
    assert report.paths(Fate.EMULATED)
    signed = ToolCall("c1", "f", "{}", signature=OWN)
    assert contents(user(Text("Hi")), assistant(signed))[1]["parts"][0]["thoughtSignature"] == OWN.value
    unsigned = contents(user(Text("Hi")), assistant(CALL), destination=OLD)[1]["parts"][0]
    assert "thoughtSignature" not in unsigned


def test_reasoning_goes_back_to_its_maker_only() -> None:
    report = Report()
    said = assistant(Thinking("mine", OWN), Thinking("theirs", FOREIGN), Text("Hi", signature=FOREIGN))
    written = contents(user(Text("a")), said, report=report)[1]["parts"]
    assert written == [{"text": "mine", "thought": True, "thoughtSignature": OWN.value}, {"text": "Hi"}]
    assert len([entry for entry in report.entries if entry.fate is Fate.DROPPED]) == 2


def test_a_results_image_stands_inside_for_gemini_3_and_behind_for_others() -> None:
    turns = (user(Text("a")), assistant(CALL), user(ToolResult("c1", (Text("see"), Image(PIXEL)))))
    blob = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert contents(*turns)[2]["parts"][0]["functionResponse"]["parts"] == [blob]
    response, label, image = contents(*turns, destination=OLD)[2]["parts"]
    assert "parts" not in response["functionResponse"]
    assert "text" in label
    assert image == blob


def test_tool_names_are_made_fit_and_told() -> None:
    prompt = foreign(user(Text("a")), assistant(ToolCall("c", "mcp/1 é", "{}")), tools=(FunctionTool("mcp/1 é"),))
    written = write(prompt)
    (name,) = written.tool_names
    assert written.tool_names[name] == "mcp/1 é"
    assert written.body["contents"][1]["parts"][0]["functionCall"]["name"] == name
    assert written.body["tools"][0]["functionDeclarations"][0]["name"] == name


def test_freeform_tools_are_functions_of_one_text() -> None:
    call = ToolCall("c", "patch", "*** x", freeform=True)
    written = write(foreign(user(Text("a")), assistant(call), tools=(FreeformTool("patch", "d", "lark", "start: x"),)))
    assert written.freeform == ("patch",)
    assert "start: x" in written.body["tools"][0]["functionDeclarations"][0]["description"]
    assert written.body["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": "*** x"}


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        (foreign(user(Image(Url("https://a/b.png"), path="messages[0].image"))), "messages[0].image"),
        (foreign(user(Image(FileId("f", "anthropic"), path="messages[0].image"))), "messages[0].image"),
        (
            foreign(tools=(HostedTool("file_search", "file_search", "openai-responses", {}, path="tools[0]"),)),
            "file_search",
        ),
        (foreign(native={"mcp_servers": Native([1], essential=True)}), "mcp_servers"),
        (foreign(sampling=Sampling(candidates=2), paths={"candidates": "n"}), "n: "),
    ],
)
def test_what_changes_the_meaning_is_refused_by_name(prompt: Any, named: str) -> None:
    with pytest.raises(UntranslatableError, match=named.replace("[", r"\[")):
        write(prompt)


def test_hosted_tools_that_google_has_are_its_own() -> None:
    kinds = {"web_search": "googleSearch", "code_execution": "codeExecution", "web_fetch": "urlContext"}
    tools = tuple(HostedTool(kind, kind, "anthropic", {}, path="tools[0]") for kind in kinds)
    assert write(foreign(tools=tools)).body["tools"] == [{name: {}} for name in kinds.values()]
    both = foreign(tools=(FunctionTool("f"), tools[0]))
    assert write(both).body["toolConfig"] == {"includeServerSideToolInvocations": True}
    with pytest.raises(UntranslatableError, match="beside functions"):
        write(both, OLD)


@pytest.mark.parametrize(
    ("reasoning", "new", "old"),
    [
        (Reasoning(Effort.NONE), {"thinkingLevel": "LOW"}, {"thinkingBudget": 0}),
        (Reasoning(Effort.HIGH), {"thinkingLevel": "HIGH"}, {"thinkingBudget": 24_576}),
        (Reasoning(Effort.MAX), {"thinkingLevel": "HIGH"}, {"thinkingBudget": 24_576}),
        (Reasoning(Effort.ADAPTIVE), {}, {"thinkingBudget": -1}),
        (
            Reasoning(budget=99_999, shown=True),
            {"thinkingLevel": "HIGH", "includeThoughts": True},
            {"thinkingBudget": 24_576, "includeThoughts": True},
        ),
    ],
)
def test_reasoning_is_a_level_or_a_budget(reasoning: Reasoning, new: dict[str, Any], old: dict[str, Any]) -> None:
    for destination, expected in ((NEW, new), (OLD, old)):
        config = write(foreign(reasoning=reasoning), destination).body.get("generationConfig", {})
        assert config.get("thinkingConfig", {}) == expected


def test_settings_are_clamped_and_what_there_is_not_is_dropped() -> None:
    report = Report()
    sampling = Sampling(temperature=3, stop=tuple("abcdefg"), logit_bias={"1": 2}, max_tokens=10**6, seed=2**40)
    prompt = foreign(user(Text("a", CacheMarker(), path="messages[0]")), sampling=sampling, user="me", cache_key="k")
    config = write(prompt, report=report).body["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"], len(config["stopSequences"])) == (2, 65_536, 5)
    assert report.paths(Fate.CHANGED) == ["max_tokens", "temperature", "seed", "stop"]
    assert report.paths(Fate.DROPPED) == ["logit_bias", "user", "cache_key", "messages[0]"]


def test_structured_output_is_a_mime_type_and_a_schema() -> None:
    assert write(foreign(output=OutputFormat())).body["generationConfig"] == {"responseMimeType": "application/json"}
    schema = {"type": "object", "properties": {"a": {"const": "x"}}, "additionalProperties": False}
    config = write(foreign(output=OutputFormat(schema))).body["generationConfig"]
    assert config["responseSchema"] == {"type": "OBJECT", "properties": {"a": {"type": "STRING", "enum": ["x"]}}}


def test_a_longer_conversation_begins_with_the_same_bytes() -> None:
    turns = [user(Text("a")), assistant(CALL), user(RESULT), assistant(Text("b")), user(Text("c"))]
    longer = contents(*turns, assistant(Text("d")), user(Text("e")))
    assert longer[: len(turns)] == contents(*turns)


def test_tokens_are_counted_with_all_of_the_prompt() -> None:
    written = GEMINI.write_count(foreign(system=(Text("s"),), tools=(FunctionTool("f"),)), NEW, Report())
    assert written is not None
    counted = written.body["generateContentRequest"]
    assert counted["model"] == "models/gemini-3-pro"
    assert {"contents", "tools", "systemInstruction"} <= set(counted)
    assert GEMINI.read_count(GEMINI.write_count_reply(7)) == 7
    with pytest.raises(ValueError, match="totalTokens"):
        GEMINI.read_count(b"{}")
