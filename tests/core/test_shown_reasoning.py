"""A translated reply shows the reasoning that the client asked for, and none that it did not."""

from typing import Any

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, Command, SendBody
from gephyr_core.config import UpstreamConfig
from gephyr_core.dialects import DIALECTS
from gephyr_core.events import TimePassed
from gephyr_core.sse import SseFramer
from tests.core.play import Play, account
from tests.core.reasoning_cases import (
    ANTHROPIC,
    ASKED,
    CHAT,
    CLIENTS,
    FORMS,
    GEMINI,
    MODELS,
    PAIRS,
    PROOF,
    PROVIDERS,
    RESPONSES,
    TEXT,
    THOUGHT,
    answered,
    play,
    question,
    reply,
    told,
)

NOT_ASKED: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {},
        {"reasoning_effort": "none"},
        {"reasoning": {"exclude": True}},
        {"reasoning": {"effort": "high", "exclude": True}},
        {"reasoning": {"enabled": False}},
        {"include_reasoning": False},
        {"thinking": {"type": "disabled"}},
        {"enable_thinking": False},
        {"extra_body": {"google": {"thinking_config": {"thinking_budget": 1024}}}, "thinking": "on"},
    ],
    RESPONSES: [{}, {"reasoning": {"effort": "high"}}, {"include": ["message.output_text.logprobs"]}],
    ANTHROPIC: [{}, {"thinking": {"type": "disabled"}}, {"output_config": {"effort": "high"}}],
    GEMINI: [
        {},
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024}}},
        {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}},
    ],
}
ASKED_OTHERWISE: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {"reasoning_effort": "low"},
        {"reasoning": {"max_tokens": 2000}},
        {"reasoning": {"enabled": True}},
        {"include_reasoning": True},
        {"thinking": {"type": "enabled"}},
        {"enable_thinking": True},
        {"chat_template_kwargs": {"enable_thinking": True}},
        {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}},
        {"google": {"thinking_config": {"include_thoughts": True}}},
    ],
    RESPONSES: [{"reasoning": {"summary": "detailed"}}],
    ANTHROPIC: [{"thinking": {"type": "enabled", "budget_tokens": 1024}}],
    GEMINI: [{"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}}}],
}


def parts_of(client: str, whole: Any) -> list[tuple[str, str]]:
    """What a whole reply is made of, in order: each thing's kind, and its text."""
    if client == ANTHROPIC:
        return [(block["type"], block.get("text") or block.get("thinking") or "") for block in whole["content"]]
    if client == GEMINI:
        (candidate,) = whole["candidates"]
        return [("thinking" if p.get("thought") else "text", p.get("text", "")) for p in candidate["content"]["parts"]]
    if client == CHAT:
        message = whole["choices"][0]["message"]
        thought = message.get("reasoning_content") or "".join(
            detail.get("text", detail.get("summary", "")) for detail in message.get("reasoning_details", ())
        )
        known = {"role", "content", "refusal", "tool_calls", "annotations", "extra_content"}
        thoughts = [("thinking", thought)] if set(message) - known else []
        return [*thoughts, ("text", message["content"])]
    found = []
    for item in whole["output"]:
        text = "".join(part["text"] for part in item.get("content") or item.get("summary") or ())
        found.append(("thinking" if item["type"] == "reasoning" else "text", text))
    return found


@FORMS
@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_who_does_not_ask_gets_the_text_alone(client: str, provider: str, *, streamed: bool) -> None:
    """``content[0].text`` of an Anthropic client, ``parts[0].text`` of a Gemini client, ``output[0].content[0].text``
    of a Responses client are the answer, whoever gives it."""
    for asks in NOT_ASKED[client]:
        whole, data = told(play(provider), client, provider, asks, streamed=streamed)
        shown = [(kind, text) for kind, text in parts_of(client, whole) if text or kind != "text"]
        assert shown == [("text", TEXT)], asks
        assert THOUGHT.encode() not in data, asks


@FORMS
@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_who_asks_gets_the_reasoning_first(client: str, provider: str, *, streamed: bool) -> None:
    for asks in (ASKED[client], *ASKED_OTHERWISE[client]):
        whole, _ = told(play(provider), client, provider, asks, streamed=streamed)
        shown = [(kind, text) for kind, text in parts_of(client, whole) if text]
        assert shown == [("thinking", THOUGHT), ("text", TEXT)], asks


@FORMS
@pytest.mark.parametrize("client", CLIENTS)
def test_passthrough_stays_as_it_came(client: str, *, streamed: bool) -> None:
    one = play(client)
    body, path = question(client, stream=streamed)
    whole = reply(client)
    _, data = answered(one, one.request(body, path), client, whole, client, streamed=streamed)
    assert THOUGHT.encode() in data
    assert streamed or data == whole


@FORMS
def test_a_responses_client_that_asks_for_no_proof_is_given_none(*, streamed: bool) -> None:
    asks = {"reasoning": {"summary": "auto"}}
    _, data = told(play(ANTHROPIC), RESPONSES, ANTHROPIC, asks, streamed=streamed)
    assert b"encrypted_content" not in data


@FORMS
@pytest.mark.parametrize(
    ("client", "asks"),
    [
        (RESPONSES, {"include": ["reasoning.encrypted_content"]}),
        (ANTHROPIC, {"thinking": {"type": "adaptive", "display": "omitted"}}),
    ],
)
def test_who_wants_only_proofs_gets_those_without_a_text(client: str, asks: dict[str, Any], *, streamed: bool) -> None:
    """A text cannot be left out of a signed block: the block is kept back, and remembered, whole."""
    other = ANTHROPIC if client == RESPONSES else RESPONSES
    whole, data = told(play(other), client, other, asks, streamed=streamed)
    assert parts_of(client, whole) == [("text", TEXT)]
    bare = reply(other).replace(THOUGHT.encode(), b"").replace(b'{"type":"summary_text","text":""}', b"")
    one = play(other)
    body, path = question(client, stream=streamed, **asks)
    whole, data = answered(one, one.request(body, path), client, bare, other, streamed=streamed)
    assert [kind for kind, _ in parts_of(client, whole)] == ["thinking", "text"]
    assert b"Z2VwaHly" in data


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != GEMINI])
def test_a_failure_behind_hidden_reasoning_is_hidden_too(client: str) -> None:
    """What the client has seen nothing of can still be answered by somebody else."""
    accounts = [account("a", PROVIDERS[GEMINI]), account("b", PROVIDERS[GEMINI])]
    one = play(GEMINI, *accounts)
    body, path = question(client, stream=True)
    first = one.request(body, path)
    one.head(first, headers=[(b"content-type", b"text/event-stream")])
    one.unclaimed = []
    one.body(first, b'data: {"candidates":[{"content":{"parts":[{"text":"let me see","thought":true}]}}]}\n\n')
    one.expect()
    one.body(first, b'data: {"error":{"code":503,"message":"over","status":"UNAVAILABLE"}}\n\n')
    (second,) = [command for command in one.unclaimed if hasattr(command, "account") and hasattr(command, "target")]
    assert second.account != first.account
    assert MODELS[GEMINI] in second.target
    one.unclaimed = []
    _, data = answered(one, second, client, reply(GEMINI), GEMINI, streamed=True)
    assert TEXT.encode() in data


def test_a_signature_that_is_not_shown_stays_out_of_the_clients_sight() -> None:
    _, data = told(play(ANTHROPIC), CHAT, ANTHROPIC, {}, streamed=False)
    assert PROOF.encode() not in data
    assert b"Z2VwaHly" not in data


def reasoning_only(provider: str) -> bytes:
    """A reply whose tokens were used up before the answer."""
    whole = msgspec.json.decode(reply(provider))
    if provider == CHAT:
        whole["choices"][0] |= {"finish_reason": "length"}
        whole["choices"][0]["message"]["content"] = ""
    elif provider == RESPONSES:
        whole["output"].pop()
        whole |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    elif provider == ANTHROPIC:
        whole["content"].pop()
        whole["stop_reason"] = "max_tokens"
    else:
        whole["candidates"][0]["content"]["parts"].pop()
        whole["candidates"][0]["finishReason"] = "MAX_TOKENS"
    return msgspec.json.encode(whole)


@FORMS
@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_a_reply_that_never_got_to_its_answer_is_empty_and_says_why(
    client: str, provider: str, *, streamed: bool
) -> None:
    """It is no failure: the tokens are spent, and another account would spend them again."""
    one = play(provider)
    body, path = question(client, stream=streamed)
    whole, data = answered(one, one.request(body, path), client, reasoning_only(provider), provider, streamed=streamed)
    assert THOUGHT.encode() not in data
    assert any(word in data for word in (b"max_tokens", b"MAX_TOKENS", b'"length"', b"max_output_tokens"))
    assert not [text for _, text in parts_of(client, whole) if text]
    assert (one.records[-1].outcome, len(one.records[-1].attempts)) == ("ok", 1)


def test_a_model_that_thinks_for_long_is_not_taken_for_a_silent_one() -> None:
    """What it says to itself counts as being heard, though the client sees nothing of it."""
    one = play(ANTHROPIC, upstream=UpstreamConfig(idle_timeout=30, first_byte_timeout=30))
    body, path = question(CHAT, stream=True)
    call = one.request(body, path)
    one.head(call, headers=[(b"content-type", b"text/event-stream")])
    events = SseFramer.events(DIALECTS[ANTHROPIC].events_of(reply(ANTHROPIC)))
    thinks = next(number for number, event in enumerate(events) if b"thinking_delta" in event)
    for event in [*events[:thinks], *[events[thinks]] * 20]:
        one.unclaimed = []
        one.now += 20
        if one.gateway.deadline <= one.now:
            one.feed(TimePassed())
        one.unclaimed = []
        one.body(call, event)
    one.unclaimed = []
    commands = [command for event in events[thinks + 1 :] for command in _fed(one, call, event)]
    data = b"".join(command.data for command in commands if isinstance(command, SendBody))
    assert TEXT.encode() in data
    assert one.records[-1].outcome == "ok"


def _fed(one: Play, call: CallUpstream, event: bytes) -> list[Command]:
    commands = [*one.body(call, event)] if one.gateway.open_exchanges else []
    one.unclaimed = []
    return commands
