"""What the strict provider refuses as Anthropic does, and what it takes."""

import base64
from typing import Any

import pytest

from gephyr.harness.strict import StrictProvider
from tests.harness.strict_asking import DELETED, NEWER, VERSION, ask, changed, refusal, schemas

MESSAGES = "/v1/messages"
TOOL = {"name": "f", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "fine"}
TEXT = {"type": "text", "text": "And?"}
USER: dict[str, Any] = {"role": "user", "content": "Hello"}
ANSWERED = [USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT, TEXT]}]
HELLO: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 4096, "messages": [USER]}
OPUS = {"model": "claude-opus-5-5"}
ENABLED = {"type": "enabled", "budget_tokens": 2048}
CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def image(media_type: str, data: str = "aGk=") -> list[Any]:
    """A user's image."""
    source = {"type": "base64", "media_type": media_type, "data": data}
    return [{"role": "user", "content": [{"type": "image", "source": source}]}]


def turns(*contents: Any) -> list[Any]:
    """User and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": content} for index, content in enumerate(contents)]


def output(schema: Any) -> dict[str, Any]:
    """A reply's format."""
    return {"format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"max_tokens": 0},
        {"messages": ANSWERED, "tools": [TOOL]},
        {"messages": turns("Hello", "I am")},
        {"messages": [*turns("a", "b", "c"), USER]},
        {"thinking": ENABLED, "temperature": 1},
        {"thinking": ENABLED, "top_p": 0.95},
        {"thinking": {"type": "disabled"}, "temperature": 0.3, "top_k": 5},
        {**OPUS, "thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "xhigh"}},
        {**OPUS, "messages": [USER, {"role": "system", "content": "Be brief"}]},
        {"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        {"output_config": output(CLOSED)},
        {"system": [MARKED] * 4},
        {"messages": image("image/webp")},
    ],
)
def test_what_is_right_is_answered(changes: dict[str, Any]) -> None:
    assert refusal(MESSAGES, changed(HELLO, **changes)) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_tokens": DELETED}, "max_tokens: Field required"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"max_tokens": 64_001}, "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens"),
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
        ({"temperature": 1.2}, "temperature: Input should be less than or equal to 1"),
        ({"temperature": 0.5, "top_p": 0.5}, "`temperature` and `top_p` cannot both be specified for this model"),
        ({**OPUS, "temperature": 1}, "`temperature` is deprecated for this model."),
        ({**OPUS, "top_k": 1}, "`top_k` is deprecated for this model."),
        ({"thinking": ENABLED, "temperature": 0.5}, "`temperature` may only be set to 1 when thinking is enabled"),
        ({"thinking": ENABLED, "top_k": 5}, "`top_k` must be unset when thinking is enabled."),
        ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
        ({"thinking": ENABLED | {"budget_tokens": 1023}}, "Input should be greater than or equal to 1024"),
        ({"thinking": ENABLED | {"budget_tokens": 4096}}, "`max_tokens` must be greater than `thinking.budget_tokens`"),
        ({"thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
        ({**OPUS, "thinking": ENABLED}, '"thinking.type.enabled" is not supported for this model. Use'),
        ({**OPUS, "thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model. Use'),
        (
            {"model": "claude-opus-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            "\"thinking.type.disabled\" is not supported with effort level 'max'.",
        ),
        ({"output_config": {"effort": "high"}}, "This model does not support the effort parameter."),
        ({"output_config": output({"type": "object"})}, "'additionalProperties' must be explicitly set to false"),
        ({"system": [{"type": "text", "text": ""}]}, "text content blocks must be non-empty"),
        ({"system": [MARKED] * 5}, "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    ],
)
def test_a_wrong_setting_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(MESSAGES, changed(HELLO, **changes))


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "messages: at least one message is required"),
        ([{"role": "tool", "content": "x"}], "messages.0.role: Input should be 'user' or 'assistant'"),
        ([{"role": "system", "content": "x"}], 'Unexpected role "system"'),
        (turns("")[:1], "messages.0: all messages must have non-empty content"),
        ([*turns("a", "b")[1:], USER], 'first message must use the "user" role'),
        (turns([{"type": "text", "text": ""}]), "text content blocks must be non-empty"),
        (turns([{"type": "text", "text": " \n"}]), "text content blocks must contain non-whitespace text"),
        (turns([{"type": "input_text", "text": "x"}]), "Input tag 'input_text' found using 'type'"),
        (
            turns([{"type": "text", "text": "x", "id": 1}]),
            "messages.0.content.0.text.id: Extra inputs are not permitted",
        ),
        (turns("a", "b "), "final assistant content cannot end with trailing whitespace"),
        (turns("a", [TEXT, TEXT | {"text": "b\n"}]), "final assistant content cannot end with trailing whitespace"),
        (
            turns("a", [CALL]),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1.",
        ),
        (turns("a", [CALL], "b"), "`tool_use` ids were found without `tool_result` blocks immediately after: t1."),
        (turns("a", [CALL], [TEXT, RESULT]), "`tool_use` ids were found without `tool_result` blocks"),
        (
            turns("a", "b", [RESULT]),
            "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t1.",
        ),
        (turns("a", [CALL], [RESULT, RESULT]), "each tool_use must have a single result."),
        (turns("a", [CALL], [RESULT], [CALL], [RESULT]), "`tool_use` ids must be unique"),
        (
            turns("a", [CALL | {"id": "call|1"}], [RESULT]),
            "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        ),
        (turns("a", [CALL | {"input": "{}"}], [RESULT]), "tool_use.input: Input should be a valid dictionary"),
        (turns([CALL]), "`tool_use` blocks can only be in `assistant` messages"),
        (turns("a", [RESULT]), "`tool_result` blocks can only be in `user` messages"),
        (image("image/bmp"), "media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"),
        (image("image/png", "%"), "Invalid base64 data"),
        (turns("a", [{"type": "thinking", "thinking": "x"}], "b"), "thinking.signature: Field required"),
    ],
)
def test_a_wrong_history_is_refused(messages: list[Any], words: str) -> None:
    assert words in refusal(MESSAGES, changed(HELLO, messages=messages))


def test_what_comes_before_the_last_text_may_end_with_a_space() -> None:
    messages = turns("a", [TEXT | {"text": "b "}, TEXT])
    assert refusal(MESSAGES, changed(HELLO, messages=messages)) == ""


@pytest.mark.parametrize("word", ["items", "additionalProperties", "not"])
@pytest.mark.parametrize("words", ["properties", "$defs", "definitions", "patternProperties"])
@pytest.mark.parametrize("wordlist", ["anyOf", "oneOf", "allOf", "prefixItems"])
def test_a_schema_is_looked_at_wherever_one_stands_in_it(word: str, words: str, wordlist: str) -> None:
    bad = {"type": "STRING"}
    for inner in ({word: bad}, {words: {"x": bad}}, {wordlist: [{}, bad]}, {words: []}):
        schema = {"type": "object", "properties": {"a": inner}}
        tool = {"name": "f", "input_schema": schema}
        assert "JSON schema is invalid." in refusal(MESSAGES, changed(HELLO, tools=[tool]))


def test_a_model_without_prefill_refuses_it() -> None:
    body = changed(HELLO, **OPUS, messages=turns("a", "b"))
    assert "does not support assistant message prefill" in refusal(MESSAGES, body)


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({"name": "f.g"}, "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
        ({"name": "f" * 129}, "String should match pattern"),
        ({"parameters": {}}, "tools.0.custom.parameters: Extra inputs are not permitted"),
        ({"input_schema": {}}, "tools.0.custom.input_schema.type: Field required"),
        ({"input_schema": {"type": "string"}}, "tools.0.custom.input_schema.type: Input should be 'object'"),
        ({"input_schema": {"type": "object", "anyOf": []}}, "does not support oneOf, allOf, or anyOf at the top level"),
        ({"input_schema": {"type": "object", "properties": {"a": {"type": "STRING"}}}}, "JSON schema is invalid."),
        ({"input_schema": {"type": "object", "properties": {"a": {"minimum": "1"}}}}, "JSON schema is invalid."),
        ({"strict": True}, "'additionalProperties' must be explicitly set to false"),
    ],
)
def test_a_wrong_tool_is_refused(tool: dict[str, Any], words: str) -> None:
    assert words in refusal(MESSAGES, changed(HELLO, tools=[TOOL | tool]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
        ({"tool_choice": {"type": "auto"}}, "tool_choice may only be specified while providing tools."),
        ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "Input tag 'required' found using 'type'"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found in provided tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": ENABLED}, "Thinking may not be enabled when"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}, **OPUS}, "forced tool use is not supported for this model"),
    ],
)
def test_a_wrong_choice_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(MESSAGES, changed(HELLO, **changes))


def test_a_version_is_demanded_and_an_unknown_model_is_not_found() -> None:
    assert refusal(MESSAGES, HELLO, ()) == "anthropic-version: header is required"
    got = ask(StrictProvider(), MESSAGES, changed(HELLO, model="gpt-4o"))
    assert (got.status, got.json["error"]) == (404, {"type": "not_found_error", "message": "model: gpt-4o"})
    assert got.json["request_id"].encode() == got.headers[b"request-id"]


CITED = {"type": "text", "text": "It rained.", "citations": [{"type": "char_location", "cited_text": "rained"}]}
RESULT = {"type": "search_result", "source": "s", "title": "t", "content": [CITED]}
PAPER = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It rained."}}
ANSWERED = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": [PAPER]},
    {"role": "user", "content": "?"},
]
OF_THE_OLDER: dict[str, tuple[dict[str, Any], str]] = {
    "temperature": ({"temperature": 0.5}, "temperature: Extra inputs are not permitted"),
    "temperature's default": ({"temperature": 1}, "temperature: Extra inputs are not permitted"),
    "top_p": ({"top_p": 0.9}, "top_p: Extra inputs are not permitted"),
    "top_k": ({"top_k": 5}, "top_k: Extra inputs are not permitted"),
    "a document of the assistant's": ({"messages": ANSWERED}, "messages.1.content.0: `document` blocks can only be in"),
    "a cited text": ({"messages": [{"role": "user", "content": [CITED]}]}, "messages.0.content.0.text.citations:"),
    "a cited text in a search result": (
        {"messages": [{"role": "user", "content": [RESULT]}]},
        "messages.0.content.0.content.0.text.citations:",
    ),
}


@pytest.mark.parametrize("case", OF_THE_OLDER)
@pytest.mark.parametrize("counted", [False, True])
def test_what_the_newer_version_does_not_have_is_taken_in_the_older_alone(case: str, counted: bool) -> None:
    """Anthropic's guide "Migrating to API version 2026-10-21"; counts of tokens take no sampling parameters at all."""
    changes, words = OF_THE_OLDER[case]
    body = changed(HELLO, **changes)
    target = f"{MESSAGES}/count_tokens" if counted else MESSAGES
    if counted:
        body = changed(body, max_tokens=DELETED)
    assert words in refusal(target, body, NEWER)
    if not counted or "messages" in changes:
        assert refusal(target, body, VERSION) == ""


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{**CITED, "citations": []}, {**PAPER, "citations": {"enabled": True}}]}],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [CITED]},
            {"role": "user", "content": "?"},
        ],
    ],
)
def test_citations_are_taken_where_the_newer_version_has_them(messages: list[Any]) -> None:
    assert refusal(MESSAGES, changed(HELLO, messages=messages), NEWER) == ""


@pytest.mark.parametrize("version", [b"2025-01-01", b"latest", b""])
def test_a_version_that_never_was_is_refused(version: bytes) -> None:
    assert "is not a valid version" in refusal(MESSAGES, HELLO, ((b"anthropic-version", version),))


def test_beta_fields_need_the_beta_header() -> None:
    assert refusal(MESSAGES, changed(HELLO, mcp_servers=[]), (*VERSION, (b"anthropic-beta", b"mcp"))) == ""


# -- signed thinking ------------------------------------------------------------------------------------------

TOOLS = [{"name": n, "description": d, "input_schema": s} for n, d, s in schemas()]
MANUAL = changed(HELLO, tools=TOOLS, thinking=ENABLED)
BOUND = changed(HELLO, **OPUS, tools=TOOLS, system="Be brief.")


def answered(provider: StrictProvider, body: dict[str, Any]) -> list[Any]:
    """The history after the first turn: the reply as it came, and results for its calls."""
    content = ask(provider, MESSAGES, body).json["content"]
    calls = [block["id"] for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call, "content": "x"} for call in calls]
    return [*body["messages"], {"role": "assistant", "content": content}, {"role": "user", "content": results}]


def as_it_came(body: dict[str, Any]) -> None:
    """Change nothing."""


def said(body: dict[str, Any], change: Any, provider: StrictProvider | None = None) -> str:
    """What is answered when the first turn's history is changed before it goes back; empty for an answer."""
    provider = provider or StrictProvider()
    messages = answered(provider, body)
    again = changed(body, messages=messages)
    change(again)
    got = ask(provider, MESSAGES, again)
    return "" if got.status == 200 else str(got.json["error"]["message"])


def thinking_of(body: dict[str, Any]) -> dict[str, Any]:
    """The thinking block in a history."""
    block: dict[str, Any] = body["messages"][1]["content"][0]
    assert block["type"] == "thinking"
    return block


def test_thinking_goes_back_as_it_came() -> None:
    assert said(MANUAL, as_it_came) == ""
    assert said(BOUND, as_it_came) == ""


def test_forged_thinking_is_refused() -> None:
    forged = base64.b64encode(b"forged" * 9).decode()
    words = said(MANUAL, lambda body: thinking_of(body).update(signature=forged))
    assert words == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_modified_thinking_is_refused() -> None:
    words = said(MANUAL, lambda body: thinking_of(body).update(thinking="other"))
    assert "blocks in the latest assistant message cannot be modified" in words


def test_manual_thinking_has_to_begin_the_turn_of_a_call() -> None:
    words = said(MANUAL, lambda body: body["messages"][1]["content"].pop(0))
    assert words.startswith("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.")
    assert said(BOUND, lambda body: body["messages"][1]["content"].pop(0)) == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(system="Be long."),
        lambda body: body["tools"].pop(),
        lambda body: body["messages"][0].update(content="Hello!"),
    ],
    ids=["system", "tools", "message"],
)
def test_bound_thinking_refuses_another_beginning(change: Any) -> None:
    words = said(BOUND, change)
    assert words.startswith("messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a")
    assert said(MANUAL, change) == ""


def test_another_shape_of_the_same_beginning_is_the_same() -> None:
    def reshape(body: dict[str, Any]) -> None:
        body["system"] = [{"type": "text", "text": body["system"], "cache_control": {"type": "ephemeral"}}]
        body["messages"][0]["content"] = [{"text": body["messages"][0]["content"], "type": "text"}]

    assert said(BOUND, reshape) == ""


def test_thinking_of_another_organisation_or_model_is_dropped_without_a_word() -> None:
    other = answered(StrictProvider("org-other"), BOUND)
    provider = StrictProvider()
    assert ask(provider, MESSAGES, changed(BOUND, messages=other)).status == 200
    assert said(BOUND, lambda body: body.update(model="claude-fable-5-1")) == ""


def test_numbers_of_a_schema_may_be_nought_or_one() -> None:
    """``minimum: 0`` is no boolean: coding agents write it."""
    from gephyr.harness.strict.anthropic_checks import is_schema

    assert is_schema({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "minItems": 1}}})
    assert not is_schema({"type": "integer", "minimum": True})


def test_a_message_of_nothing_but_thinking_is_refused() -> None:
    """As an agent sends that kept the reasoning of an interrupted reply."""

    def interrupt(body: dict[str, Any]) -> None:
        body["messages"][1:] = [
            {"role": "assistant", "content": [thinking_of(body)]},
            {"role": "user", "content": "again"},
        ]

    assert said(MANUAL, interrupt) == "messages.1: The final block in an assistant message cannot be `thinking`."
