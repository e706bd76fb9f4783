"""The conversation that strict providers play, asked for without an SDK, and what they say of their models."""

import base64
from pathlib import Path
from typing import Any, get_args

import attrs
import msgspec
import pytest

from gephyr.harness.strict import StrictProvider
from gephyr.harness.strict.gemini_fields import MESSAGES, fields_of
from gephyr.harness.strict.models import CLAUDE, GEMINI, OPENAI, family_of
from gephyr.harness.strict.script import STEPS, TOOLS, Call, Result, Seen, account, image_seen, next_step
from gephyr.harness.strict.signatures import Sealed, Signer, digest_of
from tests.approved import check_table
from tests.harness.asking import Got
from tests.harness.strict_asking import VERSION, ask, schemas

PROTOS = Path(__file__).with_name("google_protos")
TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
USER = {"role": "user", "content": "Hello"}
CHAT_TOOLS = [{"type": "function", "function": {"name": n, "parameters": s}} for n, _, s in schemas()]
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": (
        "/v1/chat/completions",
        "/v1/chat/completions",
        {"model": "gpt-4o", "messages": [USER], "tools": CHAT_TOOLS},
    ),
    "responses": (
        "/v1/responses",
        "/v1/responses",
        {
            "model": "gpt-5.6",
            "input": "Hello",
            "reasoning": {"effort": "high", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "tools": [{"type": "function", **tool["function"]} for tool in CHAT_TOOLS],
        },
    ),
    "anthropic": (
        "/v1/messages",
        "/v1/messages",
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 3000,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "messages": [USER],
            "tools": [{"name": n, "input_schema": s} for n, _, s in schemas()],
        },
    ),
    "gemini": (
        "/v1beta/models/gemini-3-flash-preview:generateContent",
        "/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse",
        {
            "contents": [{"parts": [{"text": "Hello"}]}],
            "tools": [{"functionDeclarations": [{"name": n, "parametersJsonSchema": s} for n, _, s in schemas()]}],
            "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        },
    ),
}
"""A first turn in each dialect: where it is asked whole, where streamed, and how."""


def first_turn(name: str, *, streamed: bool) -> Got:
    """Ask a new provider for the first turn."""
    whole, stream, body = REQUESTS[name]
    asked = body | {"stream": True} if streamed and name != "gemini" else body
    return ask(StrictProvider(), stream if streamed else whole, asked)


def streamed_calls(name: str) -> list[tuple[str, Any]]:
    """The calls of a streamed first turn, put together from their fragments."""
    pieces: dict[int, tuple[str, list[str]]] = {}
    for _, data in first_turn(name, streamed=True).events:
        if name == "chat" and data != "[DONE]":
            for delta in data["choices"][0]["delta"].get("tool_calls", ()):
                called = delta["function"]
                pieces.setdefault(delta["index"], (called.get("name", ""), []))[1].append(called["arguments"])
        elif name == "anthropic" and data["type"] == "content_block_start":
            pieces[data["index"]] = (data["content_block"].get("name", ""), [])
        elif name == "anthropic" and data["type"] == "content_block_delta":
            pieces[data["index"]][1].append(data["delta"].get("partial_json", ""))
        elif name == "responses" and data["type"] == "response.function_call_arguments.done":
            pieces[data["output_index"]] = (data["name"], [data["arguments"]])
        elif name == "gemini":
            for part in data["candidates"][0]["content"]["parts"]:
                if call := part.get("functionCall"):
                    pieces[len(pieces)] = (call["name"], [msgspec.json.encode(call["args"]).decode()])
    return [(named, msgspec.json.decode("".join(texts))) for named, texts in pieces.values() if named]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_stream_makes_the_calls_of_the_script(name: str) -> None:
    assert first_turn(name, streamed=False).status == 200
    assert streamed_calls(name) == [(call.name, call.arguments) for call in STEPS[0].calls]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_question_gets_the_same_bytes(name: str, *, streamed: bool) -> None:
    assert first_turn(name, streamed=streamed).body == first_turn(name, streamed=streamed).body


def test_arguments_are_cut_without_regard_for_what_they_say() -> None:
    deltas = [data["delta"] for _, data in first_turn("anthropic", streamed=True).events if "delta" in data]
    fragments = [delta["partial_json"] for delta in deltas if "partial_json" in delta]
    assert fragments[0] == ""
    assert max(map(len, fragments)) <= 7
    assert len(fragments) > 10


def test_the_script_goes_on_by_what_was_called() -> None:
    seen, names = Seen(), {name: schema for name, (_, schema) in TOOLS.items()}
    for step in STEPS:
        assert next_step(seen, names) is step
        seen.calls += step.calls
    assert next_step(seen, names).calls == ()
    half = Seen(calls=[STEPS[0].calls[0]])
    assert next_step(half, names).calls == (), "a lost call is not made up for"
    del names["get_weather"]
    assert next_step(Seen(), names).calls == (), "a tool that is not offered is not called"


def test_an_agents_own_tool_is_called_when_the_user_names_it() -> None:
    offered = {"Bash": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}}
    seen = Seen()
    seen.hear("Use Bash, please.")
    [call] = next_step(seen, offered).calls
    assert (call.name, list(call.arguments)) == ("Bash", ["command"])
    seen.calls.append(call)
    assert next_step(seen, offered).calls == (), "once"
    seen.hear("And the Bashful one?")
    assert next_step(seen, offered).calls == ()
    seen.hear("Bash again.")
    assert next_step(seen, offered).calls != ()


def test_a_call_is_made_where_one_is_demanded() -> None:
    offered = {"f": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, "g": {}}
    assert next_step(Seen(), offered, forced=True).calls == (Call("f", {"n": 1}),)
    assert next_step(Seen(), {}, forced=True).calls == ()


FORMED: dict[str, dict[str, Any]] = {
    "chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": TITLE}}},
    "responses": {"text": {"format": {"type": "json_schema", "name": "o", "schema": TITLE}}},
    "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": TITLE}}},
    "gemini": {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": TITLE}},
}


@pytest.mark.parametrize("name", FORMED)
def test_a_reply_has_the_form_that_was_asked_for(name: str) -> None:
    target, _, body = REQUESTS[name]
    asked = {key: value for key, value in body.items() if key != "tools"}
    assert '{\\"title\\":\\"example\\"}' in ask(StrictProvider(), target, {**asked, **FORMED[name]}).body.decode()


CHOICES: dict[str, dict[str, Any]] = {
    "chat": {"tool_choice": {"type": "function", "function": {"name": "take_photo"}}},
    "responses": {"tool_choice": {"type": "function", "name": "take_photo"}},
    "anthropic": {"tool_choice": {"type": "tool", "name": "take_photo"}, "thinking": {"type": "disabled"}},
    "gemini": {
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["take_photo"]}},
    },
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_tool_that_is_demanded_is_called(name: str) -> None:
    target, _, body = REQUESTS[name]
    told = ask(StrictProvider(), target, {**body, **CHOICES[name]}).body.decode()
    assert "take_photo" in told
    assert "look at the weather" not in told


def test_the_account_tells_what_came_back_for_each_call() -> None:
    seen = Seen("Be brief", "Hi", thoughts=2)
    seen.calls = [Call("f", {"b": 1, "a": 2}, "x"), Call("g", {}, "y"), Call("h", {}, "z")]
    seen.results = {"y": Result('no\n"', error=True), "x": Result("yes", images=[image_seen("image/png", b"data")])}
    digest = "3a6eb0790f39ac87"
    assert account(seen).split("\n") == [
        'system: "Be brief"',
        'asked: "Hi"',
        f'1. f {{"a":2,"b":1}}: text "yes" image image/png {digest}',
        '2. g {}: error "no\\n\\""',
        "3. h {}: nothing",
        "results in order: 2 1",
        "own thoughts: 2",
    ]


def test_a_signature_says_what_it_was_made_for() -> None:
    sealed = Sealed("anthropic", "org", "model", "a thought \u2013", "prefix")
    signature = Signer().sign(sealed)
    assert Signer().opened(signature) == sealed
    raw = bytearray(base64.b64decode(signature))
    raw[-3] ^= 1
    for wrong in (base64.b64encode(raw).decode(), signature[:-4], "", "???", "aGk="):
        assert Signer().opened(wrong) is None


def test_the_digest_of_a_beginning_heeds_meaning_only() -> None:
    digest = digest_of([{"a": 1, "b": [2]}])
    assert digest_of([{"b": [2], "cache_control": {}, "a": 1, "c": None}]) == digest
    assert digest_of([{"a": 1, "b": [3]}]) != digest


def test_models_are_described() -> None:
    """With the types of the SDKs, where these are installed."""
    types = pytest.importorskip("anthropic.types", reason="the anthropic SDK is not installed")
    provider = StrictProvider()
    got = ask(provider, "/v1/models/claude-opus-5-5", None, VERSION, "GET")
    capabilities = types.ModelInfo.model_validate(got.json).capabilities
    thinking = capabilities.thinking.types
    assert [thinking.adaptive.supported, thinking.disabled.supported, thinking.enabled.supported] == [
        True,
        False,
        False,
    ]
    assert capabilities.effort.xhigh.supported
    openai = ask(provider, "/v1/models/gpt-5.6", None, (), "GET").json
    assert (openai["id"], openai["object"]) == ("gpt-5.6", "model")
    gemini = ask(provider, "/v1beta/models/gemini-2.0-flash", None, (), "GET").json
    assert (gemini["name"], gemini["thinking"]) == ("models/gemini-2.0-flash", False)
    for path, headers in (("/v1/models/x", VERSION), ("/v1/models/x", ()), ("/v1beta/models/x", ())):
        assert ask(provider, path, None, headers, "GET").status == 404


def test_every_model_that_the_sdks_name_is_known() -> None:
    anthropic = pytest.importorskip("anthropic.types", reason="the anthropic SDK is not installed")
    openai = pytest.importorskip("openai.types.shared", reason="the openai SDK is not installed")
    claudes, _ = get_args(anthropic.Model)
    assert [name for name in get_args(claudes) if family_of(CLAUDE, name) is None] == []
    assert [name for name in get_args(openai.ChatModel) if family_of(OPENAI, name) is None] == []


def test_tokens_are_counted_where_the_providers_count() -> None:
    provider = StrictProvider()
    body = {key: value for key, value in REQUESTS["anthropic"][2].items() if key != "max_tokens"}
    assert ask(provider, "/v1/messages/count_tokens", body).json["input_tokens"] > 0
    refused = ask(provider, "/v1/messages/count_tokens", REQUESTS["anthropic"][2])
    assert refused.json["error"]["message"] == "max_tokens: Extra inputs are not permitted"
    target = "/v1beta/models/gemini-2.5-flash:countTokens"
    assert ask(provider, target, {"contents": [{"parts": [{"text": "Hello"}]}]}).json["totalTokens"] > 0
    assert provider.refusals == ["max_tokens: Extra inputs are not permitted"]
    assert [path for path, _ in provider.requests] == ["/v1/messages/count_tokens"] * 2 + [target]


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("rubbish", [None, 5, "x", [1], {"a": None}, [[]], [{"type": 3}]])
def test_rubbish_is_refused_and_nothing_breaks(name: str, rubbish: object) -> None:
    whole, _, body = REQUESTS[name]
    for field in body:
        assert ask(StrictProvider(), whole, body | {field: rubbish}).status in {200, 400, 404}
    assert ask(StrictProvider(), whole, rubbish).status == 400


def test_every_field_of_the_published_protos_is_known() -> None:
    """Of the messages that are looked into; those that are not stand as ``any`` or ``object``."""
    found: dict[str, list[str]] = {}
    for file in ("content.proto", "generative_service.proto", "safety.proto"):
        stack: list[str] = []
        for raw in (PROTOS / file).read_text(encoding="utf-8").split("\n"):
            line = raw.partition("//")[0].strip()
            words = line.removeprefix("optional ").removeprefix("repeated ").replace(", ", ",").split()
            if line.endswith("{"):
                stack.append(words[1] if words[0] == "message" else stack[-1] if words[0] == "oneof" else "")
            elif line.startswith("}"):
                stack.pop()
            elif stack and stack[-1] and len(words) > 3 and words[2] == "=":
                found.setdefault(stack[-1], []).append(words[1])
    known = {message: fields_of(message) for message in MESSAGES}
    missing = [(message, field) for message in known for field in found.get(message, ()) if field not in known[message]]
    assert missing == []
    assert len([message for message in known if message in found]) > 15


def test_each_strict_model_takes_what_was_approved() -> None:
    """A strict provider that takes more than the real one passes requests that the real one refuses."""
    lines = []
    for maker, table in (("Anthropic", CLAUDE), ("OpenAI", OPENAI), ("Google", GEMINI)):
        lines.append(f"## {maker}")
        for family, found in table.items():
            said = (f"{name} {value}" for name, value in attrs.asdict(found, recurse=False).items())
            lines.append(f"{family}: {', '.join(said)}")
    check_table("strict-models", lines)


def test_each_strict_model_is_described_as_was_approved() -> None:
    """A gateway learns from it what the model takes."""
    lines = []
    places = ((CLAUDE, "/v1/models/", VERSION), (OPENAI, "/v1/models/", ()), (GEMINI, "/v1beta/models/", ()))
    for table, path, headers in places:
        for family in table:
            got = ask(StrictProvider(), f"{path}{family}", None, headers, "GET")
            lines.append(f"{got.status} {got.body.decode()}")
    check_table("strict-descriptions", lines)


def test_a_path_that_no_provider_has_is_not_found() -> None:
    got = ask(StrictProvider(), "/v1/mysteries", {})
    assert (got.status, got.json["error"]["message"]) == (404, "Invalid URL (POST /v1/mysteries)")
