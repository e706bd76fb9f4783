"""What is left out of a request for an account that made none of its signed blocks, and what is bound to them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signing import Object

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Origin, Signature
from gephyr_core.conversation.signatures import seal
from gephyr_core.dialects import DIALECTS
from gephyr_core.envelope import read_envelope
from gephyr_core.raw_json import edited

DEMANDING = Capabilities(signatures_required=True)
ADAPTIVE = Capabilities(thinking=("adaptive", "enabled", "disabled"))
SEALED = seal(Signature("x", Origin("gemini", "", "org")))
FILLER = "skip_thought_signature_validator"


def left(dialect: str, body: Object, capabilities: Capabilities | None = None) -> tuple[Object, list[str]]:
    """What is left of a request when all of its signed blocks are another's, and the paths that are reported."""
    data = json.dumps(body).encode()
    envelope = read_envelope(data)
    blocks = DIALECTS[dialect].signed_blocks(envelope)
    changes = DIALECTS[dialect].without(envelope, blocks, capabilities or Capabilities())
    result: Object = json.loads(edited(data, changes.edits))
    return result, [entry.path for entry in changes.report.entries]


def of(dialect: str, *content: Any, capabilities: Capabilities | None = None, **settings: Any) -> Any:
    """The same, for one message of the assistant's, or one content of the model's, between two of the user's."""
    if dialect == "gemini":
        user, answer = {"role": "user", "parts": [{"text": "x"}]}, {"role": "model", "parts": list(content)}
        return left(dialect, {"contents": [user, answer, user], **settings}, capabilities)[0]["contents"]
    user, answer = {"role": "user", "content": "x"}, {"role": "assistant", "content": list(content)}
    if dialect == "openai-chat":
        answer = content[0]
    return left(dialect, {"messages": [user, answer, user], **settings}, capabilities)[0]["messages"]


TEXT = {"type": "text", "text": "hello"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "thinking", "thinking": "hm", "signature": SEALED},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "redacted_thinking", "data": "c2ln"},
        {"type": "redacted_thinking", "data": SEALED},
    ],
)
def test_thinking_is_left_out_whole_and_a_message_of_nothing_else_with_it(block: Object) -> None:
    assert of("anthropic", block, TEXT)[1]["content"] == [TEXT]
    assert len(of("anthropic", block, block)) == 2


def test_what_another_providers_search_found_is_told_as_text() -> None:
    """Its results were sealed for the client, in a shape that only Anthropic's own search has."""
    found = {"type": "web_search_result", "title": "t", "url": "https://a.test", "encrypted_content": SEALED}
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]}
    place = {"type": "web_search_result_location", "url": "https://a.test", "cited_text": "c", "title": "t"}
    own = {**place, "encrypted_index": "own"}
    cited = {**TEXT, "citations": [{**place, "encrypted_index": SEALED}, own]}
    asked, told, kept = of("anthropic", call, result, cited)[1]["content"]
    assert asked == {"type": "text", "text": '[web_search: {"query":"q"}]'}
    assert told == {"type": "text", "text": "[result of web_search]\n- t (https://a.test)"}
    assert kept["citations"] == [own]
    assert "citations" not in of("anthropic", {**cited, "citations": cited["citations"][:1]})[1]["content"][0]


@pytest.mark.parametrize("first", [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, TEXT])
@pytest.mark.parametrize(("capabilities", "kind"), [(ADAPTIVE, "adaptive"), (Capabilities(), "disabled")])
def test_manual_thinking_is_not_asked_of_a_tool_loop_that_begins_without(
    first: Object, capabilities: Capabilities, kind: str
) -> None:
    """Anthropic: "a final `assistant` message must start with a thinking block"."""
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [first, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "y"}]},
    ]
    body = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "messages": messages}
    result, reported = left("anthropic", body, capabilities)
    assert (result["thinking"], "thinking" in reported) == ({"type": kind}, True)
    over = {**body, "messages": [*messages, {"role": "assistant", "content": "z"}, {"role": "user", "content": "go"}]}
    assert left("anthropic", over, capabilities)[0]["thinking"] == body["thinking"], "the loop is over"


CALL = {"functionCall": {"name": "look", "args": {}}}


@pytest.mark.parametrize("field", ["thoughtSignature", "thought_signature"])
@pytest.mark.parametrize("signature", ["c2ln", SEALED, SEALED.replace("+", "-").replace("/", "_").rstrip("=")])
def test_of_geminis_parts_only_the_signature_goes(field: str, signature: str) -> None:
    """In either spelling, and in either alphabet of base64, as Google's SDKs write them."""
    signed = {field: signature}
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    thought = {"text": "hm", "thought": True}
    contents = of("gemini", {**thought, **signed}, {**CALL, **signed}, {**code, **signed}, {"text": "", **signed})
    assert contents[1]["parts"] == [CALL, code]
    assert len(of("gemini", {**thought, **signed}, {"text": "", **signed})) == 2


def test_gemini_3_is_told_that_a_call_is_not_its_own() -> None:
    """The first of each step, which it wants signed, whether another signed it or nobody did."""
    signed, tools = {"thoughtSignature": "c2ln"}, [{"functionDeclarations": []}]
    for call in ({**CALL, **signed}, CALL):
        contents = of("gemini", call, CALL, capabilities=DEMANDING, tools=tools)
        assert contents[1]["parts"] == [{**CALL, "thoughtSignature": FILLER}, CALL]
    assert of("gemini", CALL, CALL, tools=tools)[1]["parts"] == [CALL, CALL]


def test_a_detail_of_openrouters_goes_with_what_it_proves() -> None:
    """The fragments of its text, which a client of a stream may not have joined, and the summary before it."""
    fragments = [{"type": "reasoning.text", "text": one, "index": 0} for one in "ab"]
    proof = {"type": "reasoning.text", "text": "", "signature": "c2ln", "index": 0}
    summary = {"type": "reasoning.summary", "summary": "s", "index": 1}
    hidden = {"type": "reasoning.encrypted", "data": "c2ln", "index": 2}
    open_text = {"type": "reasoning.text", "text": "said openly", "index": 3}
    said = {"role": "assistant", "content": "hello"}
    some = {**said, "reasoning_details": [*fragments, proof, summary, hidden, open_text]}
    assert of("openai-chat", some)[1] == {**said, "reasoning_details": [open_text]}
    assert of("openai-chat", {**said, "reasoning_details": [*fragments, proof, hidden]})[1] == said


def test_googles_signatures_in_chat_go_alone() -> None:
    extra = {"google": {"thought_signature": "c2ln"}}
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = {"role": "assistant", "content": "hello", "tool_calls": [call, call]}
    signed = {**said, "extra_content": extra, "tool_calls": [{**call, "extra_content": extra}] * 2}
    assert of("openai-chat", signed)[1] == said
    filled = of("openai-chat", signed, capabilities=DEMANDING)[1]["tool_calls"]
    assert filled == [{**call, "extra_content": {"google": {"thought_signature": FILLER}}}, call]


def test_reasoning_items_are_left_out_and_what_was_compacted_never() -> None:
    items = [
        {"role": "user", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"},
        {"type": "reasoning", "id": "rs_0123456789abcdef01234567_0", "summary": []},
        {"type": "reasoning", "summary": [], "encrypted_content": SEALED},
        {"role": "assistant", "content": "y"},
    ]
    result, reported = left("openai-responses", {"input": items})
    assert result["input"] == [items[0], items[4]]
    assert reported == ["input[1]", "input[2]", "input[3]"]
    envelope = read_envelope(json.dumps({"input": [*items, {"type": "compaction", "encrypted_content": "s"}]}).encode())
    blocks = DIALECTS["openai-responses"].signed_blocks(envelope)
    assert [block.essential for block in blocks] == [False, False, False, True]


_NAMES = st.sampled_from(
    [
        "role",
        "parts",
        "content",
        "messages",
        "contents",
        "input",
        "type",
        "text",
        "thinking",
        "signature",
        "data",
        "thoughtSignature",
        "functionCall",
        "index",
        "reasoning_details",
        "extra_content",
        "google",
        "thought_signature",
        "tool_calls",
        "encrypted_content",
        "id",
        "citations",
        "tool_use_id",
        "encrypted_index",
        "tools",
    ]
)
_WORDS = st.sampled_from(
    [
        "assistant",
        "user",
        "model",
        "thinking",
        "redacted_thinking",
        "reasoning",
        "reasoning.text",
        "reasoning.encrypted",
        "tool_use",
        "tool_result",
        "server_tool_use",
        "web_search_tool_result",
        "enabled",
        "rs_1",
        "c2ln",
    ]
) | st.sampled_from([SEALED, "\ud800", 'a"]}'])
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | _WORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(_NAMES, _ANY, max_size=6), st.sampled_from([Capabilities(), DEMANDING, ADAPTIVE]))
def test_whatever_a_client_sends_it_can_be_read_and_what_is_left_is_json(
    body: Object, capabilities: Capabilities
) -> None:
    """A wrong type where a block should be is the provider's to refuse, and no fault of ours."""
    for dialect in DIALECTS:
        assert isinstance(left(dialect, body, capabilities)[0], dict)
