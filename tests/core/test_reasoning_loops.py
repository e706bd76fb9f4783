"""Reasoning that a client never saw comes back to whoever signed it, over a restart too."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, Load, ReadBody, Save, StartResponse
from gephyr_core.config import TranslationConfig
from gephyr_core.events import Loaded, RequestBody, RequestEnded, StateRestored
from gephyr_core.http import header
from gephyr_core.records import Fate, RememberedReasoning, StoredObject
from tests.core.play import Play, account
from tests.core.reasoning_cases import (
    ANTHROPIC,
    CALL_ID,
    CHAT,
    FORMS,
    GEMINI,
    PAIRS,
    PROOF,
    PROVIDERS,
    RESPONSES,
    TEXT,
    THOUGHT,
    answered,
    commands_of,
    play,
    question,
    reply,
    told,
)

LOOPS: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": CALL_ID, "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}},
            ],
        },
        {"role": "tool", "tool_call_id": CALL_ID, "content": "ok"},
    ],
    RESPONSES: [
        {"type": "function_call", "call_id": CALL_ID, "name": "look", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": CALL_ID, "output": "ok"},
    ],
    ANTHROPIC: [
        {"role": "assistant", "content": [{"type": "tool_use", "id": CALL_ID, "name": "look", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": CALL_ID, "content": "ok"}]},
    ],
    GEMINI: [
        {"role": "model", "parts": [{"functionCall": {"id": CALL_ID, "name": "look", "args": {"a": 1}}}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"id": CALL_ID, "name": "look", "response": {"output": "ok"}}}],
        },
    ],
}
"""What a client that keeps nothing but the call sends after it."""
AGAIN: dict[str, list[dict[str, Any]]] = {
    CHAT: [{"role": "assistant", "content": TEXT}, {"role": "user", "content": "more"}],
    RESPONSES: [{"role": "assistant", "content": TEXT}, {"role": "user", "content": "more"}],
    ANTHROPIC: [{"role": "assistant", "content": f"{TEXT}\n"}, {"role": "user", "content": "more"}],
    GEMINI: [{"role": "model", "parts": [{"text": TEXT}]}, {"role": "user", "parts": [{"text": "more"}]}],
}
"""The same where the reply was a text."""


def _chat(body: Any) -> list[Any]:
    (said,) = [message for message in body["messages"] if message["role"] == "assistant"]
    return [said.get("reasoning_content")]


def _responses(body: Any) -> list[Any]:
    return [(i["id"], i["encrypted_content"], i["summary"]) for i in body["input"] if i.get("type") == "reasoning"]


def _anthropic(body: Any) -> list[Any]:
    (said,) = [message for message in body["messages"] if message["role"] == "assistant"]
    blocks = said["content"] if isinstance(said["content"], list) else []
    return [block for block in blocks[:1] if block["type"] == "thinking"]


def _gemini(body: Any) -> list[Any]:
    (said,) = [content for content in body["contents"] if content["role"] == "model"]
    return [
        part["thoughtSignature"] for part in said["parts"] if "thoughtSignature" in part and not part.get("thought")
    ]


SENT: dict[str, tuple[Callable[[Any], list[Any]], list[Any]]] = {
    CHAT: (_chat, [THOUGHT]),
    RESPONSES: (_responses, [("rs_1", PROOF, [{"type": "summary_text", "text": THOUGHT}])]),
    ANTHROPIC: (_anthropic, [{"type": "thinking", "thinking": THOUGHT, "signature": PROOF}]),
    GEMINI: (_gemini, [PROOF]),
}
"""How reasoning of an assistant's message is read out of a request, and what it has to be: as its maker wrote it."""


def next_call(one: Play, client: str, said: list[dict[str, Any]], *, streamed: bool = False) -> CallUpstream:
    """The client goes on."""
    body, path = question(client, *said, stream=streamed)
    return one.request(body, path)


def reasoning_in(call: CallUpstream, provider: str) -> list[Any]:
    read, _ = SENT[provider]
    return read(msgspec.json.decode(call.body))


@FORMS
@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_in_a_tool_loop_the_provider_sees_its_reasoning_again(client: str, provider: str, *, streamed: bool) -> None:
    """Claude refuses a loop without it, Gemini 3 a call without its signature, and DeepSeek without its text."""
    one = play(provider)
    _, data = told(one, client, provider, {}, streamed=streamed, calls=True)
    assert THOUGHT.encode() not in data
    call = next_call(one, client, LOOPS[client], streamed=streamed)
    assert reasoning_in(call, provider) == SENT[provider][1]


@FORMS
@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_a_text_is_followed_up_with_the_reasoning_before_it(client: str, provider: str, *, streamed: bool) -> None:
    """So that the provider finds its prefix in its cache, and its own thoughts in the conversation. DeepSeek wants its
    reasoning back in a tool loop, and nowhere else."""
    one = play(provider)
    told(one, client, provider, {}, streamed=streamed)
    sent = reasoning_in(next_call(one, client, AGAIN[client]), provider)
    assert sent == ([None] if provider == CHAT else SENT[provider][1])


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_the_restart_of_a_gateway_in_the_middle_is_not_noticed(client: str, provider: str) -> None:
    before = play(provider)
    told(before, client, provider, {}, streamed=True, calls=True)
    kept = [record for record in before.saved if isinstance(record, RememberedReasoning)]
    after = play(provider)
    after.feed(StateRestored(reasoning=kept))
    after.expect()
    assert reasoning_in(next_call(after, client, LOOPS[client]), provider) == SENT[provider][1]


def test_a_conversation_looks_the_same_to_its_provider_at_each_turn() -> None:
    """What was sent is sent again, byte for byte, with something behind it: that is what a prompt cache serves."""
    one = play(ANTHROPIC)
    told(one, CHAT, ANTHROPIC, {}, streamed=False, calls=True)
    first = next_call(one, CHAT, LOOPS[CHAT])
    answered(one, first, CHAT, reply(ANTHROPIC), ANTHROPIC, streamed=False)
    second = next_call(one, CHAT, [*LOOPS[CHAT], *AGAIN[CHAT]])
    before, after = (msgspec.json.decode(call.body)["messages"] for call in (first, second))
    assert after[: len(before)] == before
    assert [block["type"] for block in after[len(before)]["content"]] == ["thinking", "text"]


@FORMS
def test_a_response_that_gephyr_keeps_shows_what_its_client_was_shown_and_goes_on_with_the_rest(
    *, streamed: bool
) -> None:
    """``GET /v1/responses/ID`` tells no more than the reply did; what follows on it has all that was thought."""
    one = play(ANTHROPIC)
    body, path = question(RESPONSES, stream=streamed)
    call = one.request(body.replace(b'"store":false', b'"store":true'), path)
    commands = commands_of(one, call, reply(ANTHROPIC, calls=True), ANTHROPIC, streamed=streamed)
    saved = [command.record for command in commands if isinstance(command, Save)]
    (kept,) = [record for record in saved if isinstance(record, StoredObject)]
    assert THOUGHT.encode() not in kept.data
    following = {"model": "m", "previous_response_id": kept.object_id, "input": LOOPS[RESPONSES][1:]}
    one.start("/v1/responses")
    one.expect(ReadBody)
    one.feed(RequestBody(one.exchange, msgspec.json.encode(following)))
    one.expect()
    one.feed(RequestEnded(one.exchange))
    load = one.expect(Load)
    one.feed(Loaded(one.exchange, load.question, kept))
    call = one.expect(CallUpstream)
    assert reasoning_in(call, ANTHROPIC) == SENT[ANTHROPIC][1]


@pytest.mark.parametrize("client", [CHAT, RESPONSES, GEMINI])
def test_another_provider_is_not_sent_it(client: str) -> None:
    """A conversation that goes on with another model: nobody can read another's reasoning."""
    one = play(ANTHROPIC, account("a", PROVIDERS[ANTHROPIC]), account("d", PROVIDERS[CHAT], dialect=CHAT))
    told(one, client, ANTHROPIC, {}, streamed=False, calls=True)
    body, path = question(client, *LOOPS[client])
    if client == CHAT:
        return_to = body.replace(b'"m"', b'"deepseek/deepseek-chat"'), path
    elif client == GEMINI:
        return_to = body, path.replace("models/m:", "models/deepseek%2Fdeepseek-chat:")
    else:
        return_to = body.replace(b'"model":"m"', b'"model":"deepseek/deepseek-chat"'), path
    call = one.request(*return_to)
    assert call.account == "d"
    assert THOUGHT.encode() not in call.body
    assert PROOF.encode() not in call.body


def elsewhere(**sections: Any) -> Play:
    """A conversation that goes on at another provider than the one whose reasoning is remembered."""
    one = play(ANTHROPIC, account("a", PROVIDERS[ANTHROPIC]), account("d", PROVIDERS[CHAT], dialect=CHAT), **sections)
    told(one, GEMINI, ANTHROPIC, {}, streamed=False, calls=True)
    return one


def test_that_another_provider_is_not_sent_it_stands_in_the_report() -> None:
    one = elsewhere()
    body, path = question(GEMINI, *LOOPS[GEMINI])
    call = one.request(body, path.replace("models/m:", "models/deepseek%2Fdeepseek-chat:"))
    answered(one, call, GEMINI, reply(CHAT), CHAT, streamed=False)
    lost = [entry for entry in one.records[-1].translation if entry.fate is Fate.DROPPED]
    assert [entry.path for entry in lost] == ["contents[1].reasoning"]


def test_what_the_client_never_sent_is_not_refused_by_strict_translation() -> None:
    """It can do nothing about reasoning that only Gephyr knows of."""
    one = elsewhere(translation=TranslationConfig(strict=True))
    body, path = question(GEMINI, *LOOPS[GEMINI])
    assert one.request(body, path.replace("models/m:", "models/deepseek%2Fdeepseek-chat:")).account == "d"


def test_strict_translation_still_refuses_what_the_client_sent_beside_it() -> None:
    one = elsewhere(translation=TranslationConfig(strict=True))
    body, path = question(GEMINI, *LOOPS[GEMINI], generationConfig={"topK": 3})
    refused = one.refused(body, path.replace("models/m:", "models/deepseek%2Fdeepseek-chat:"))
    assert refused.status == 400
    assert b"topK" in refused.body
    assert b"contents[1]" not in refused.body


@FORMS
def test_with_the_memory_off_what_cannot_come_back_is_reported(*, streamed: bool) -> None:
    one = play(ANTHROPIC, translation=TranslationConfig(remember_reasoning=False))
    body, path = question(CHAT, stream=streamed)
    call = one.request(body, path)
    commands = commands_of(one, call, reply(ANTHROPIC, calls=True), ANTHROPIC, streamed=streamed)
    (start,) = [command for command in commands if isinstance(command, StartResponse)]
    assert header(start.headers, b"x-gephyr-dropped") == (None if streamed else b"reply.reasoning.signature")
    assert not any(isinstance(record, RememberedReasoning) for record in one.saved)
    lost = [entry for entry in one.records[-1].translation if entry.fate is Fate.DROPPED]
    assert [entry.path for entry in lost] == ["reply.reasoning.signature"]
    assert reasoning_in(next_call(one, CHAT, LOOPS[CHAT]), ANTHROPIC) == []


@pytest.mark.parametrize(
    ("client", "asks"),
    [
        (CHAT, {"reasoning": {"effort": "high"}}),
        (RESPONSES, {"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}),
        (GEMINI, {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}),
    ],
)
def test_with_the_memory_off_what_the_reply_carries_is_no_loss(client: str, asks: dict[str, Any]) -> None:
    one = play(ANTHROPIC, translation=TranslationConfig(remember_reasoning=False))
    told(one, client, ANTHROPIC, asks, streamed=False, calls=True)
    assert not [entry for entry in one.records[-1].translation if entry.path.startswith("reply.")]


def test_a_signature_that_a_chat_client_carries_needs_no_memory() -> None:
    """Google's own place for it in Chat is on the call."""
    one = play(GEMINI, translation=TranslationConfig(remember_reasoning=False))
    whole, _ = told(one, CHAT, GEMINI, {}, streamed=False, calls=True)
    assert not [entry for entry in one.records[-1].translation if entry.path.startswith("reply.")]
    message = whole["choices"][0]["message"]
    call = next_call(one, CHAT, [message, LOOPS[CHAT][1]])
    assert reasoning_in(call, GEMINI) == [PROOF]
