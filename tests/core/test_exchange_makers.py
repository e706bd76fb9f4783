"""A signature goes to the organisation that made it and to nobody else, block by block, whoever answered since.

Over any sequence of answerers: nobody is sent another's signed block, each is sent all of its own that the client sent,
and each sees the beginning of a conversation as it saw it before.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
import pytest
from conversing import OVERLOADED, Conversation, conversation, spoken
from hypothesis import given, settings
from hypothesis import strategies as st
from play import JSON, SSE, Play, account
from signing import ANTHROPIC, CHAT, GEMINI, RESPONSES, SPEECHES, Object, Speech, texts

from gephyr_core.commands import CallUpstream, Compute, EndResponse, Load, ReadBody, Save, SendBody, StartResponse
from gephyr_core.computing import answer
from gephyr_core.config import ModelsConfig, ProviderConfig, TranslationConfig
from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.decoding import digest
from gephyr_core.events import Loaded, RequestBody, RequestEnded, StateRestored
from gephyr_core.records import Pin, StoredObject


@pytest.mark.parametrize("calls", [False, True], ids=["turns", "tool loop"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
@pytest.mark.parametrize("answerers", ["abaab", "babba", "aoa", "oao", "aboab"])
def test_each_is_sent_its_own_blocks_and_nobody_elses(
    client: Speech, answerers: str, stream: bool, calls: bool
) -> None:
    """After a fail-over between two providers the first gets back what it signed, and only that."""
    talk = conversation(client)
    for answerer in (*answerers, "a", "b", "o"):
        talk.ask(answerer, stream=stream, calls=calls)
    assert set(talk.made.values()) == {"a", "b", "o"}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SPEECHES),
    st.lists(st.tuples(st.sampled_from("abo"), st.booleans(), st.booleans()), min_size=2, max_size=8),
    st.sampled_from(["never", "auto", "always"]),
)
def test_the_law_holds_over_any_sequence_of_answerers(
    client: Speech, turns: Sequence[tuple[str, bool, bool]], collect: str
) -> None:
    talk = conversation(client, collect=collect)
    for answerer, stream, calls in turns:
        talk.ask(answerer, stream=stream, calls=calls)
    assert len(talk.made) >= len(turns)


# -- who is asked ---------------------------------------------------------------------------------------------------


def asked_first(talk: Conversation) -> CallUpstream:
    """Ask once more, when everybody is well again, and return the first call."""
    talk.play.now += 100_000
    body = talk.client.request(talk.history, stream=False)
    return talk.play.request(body, talk.client.target(stream=False))


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
@pytest.mark.parametrize("answerers", ["ab", "ba", "oa", "abo"])
def test_whoever_signed_last_is_asked_first(client: Speech, answerers: str) -> None:
    talk = conversation(client)
    for answerer in answerers:
        talk.ask(answerer)
    assert asked_first(talk).account == answerers[-1]


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
def test_the_others_serve_a_conversation_whose_latest_signer_is_limited(client: Speech) -> None:
    """Nobody is refused for the sake of reasoning."""
    talk = conversation(client)
    talk.ask("a")
    talk.ask("b")
    limited = asked_first(talk)
    talk.play.answer(limited, OVERLOADED, 429, [*JSON, (b"retry-after", b"300")])
    talk.play.unclaimed = []
    body = talk.client.request(talk.history, stream=False)
    following = talk.play.request(body, talk.client.target(stream=False))
    talk.check(following)
    assert (limited.account, following.account) == ("b", "a")


# -- what nobody here made ------------------------------------------------------------------------------------------

UNKNOWN = base64.b64encode(b"made elsewhere").decode()


def history_of(client: Speech, value: str, number: int = 1) -> list[Object]:
    """A conversation whose first answer *value* signs."""
    return [client.user("begin"), *client.went_on(client.reply(value, number, calls=False), number)]


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
def test_a_block_of_unknown_origin_is_named_where_several_organisations_could_have_made_it(client: Speech) -> None:
    play = conversation(client).play
    body = client.request(history_of(client, UNKNOWN), stream=False)
    refused = play.refused(body, client.target(stream=False))
    places = {
        "anthropic": b"messages[1].content[0]",
        "gemini": b"contents[1].parts[1].thoughtSignature",
        "openai-chat": b"messages[1].reasoning_details[0]",
        "openai-responses": b"input[1].encrypted_content",
    }
    assert refused.status == 400
    assert places[client.dialect] in refused.body


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
def test_a_block_of_unknown_origin_passes_where_one_organisation_serves(client: Speech) -> None:
    accounts = [account(name, client.provider, organization="acme") for name in "ab"]
    body = client.request(history_of(client, UNKNOWN), stream=False)
    assert Play(*accounts).request(body, client.target(stream=False)).body == body


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
def test_beside_known_ones_it_is_taken_for_the_first_makers(client: Speech) -> None:
    """The conversation began before it was led through the gateway, or what came earlier was forgotten."""
    talk = conversation(client)
    talk.ask("a")
    earlier, talk.history = history_of(client, UNKNOWN, 99), []
    talk.history = [*earlier, *talk.client.went_on(last_reply(talk), 1)]
    call = asked_first(talk)
    assert (call.account, UNKNOWN in call.body.decode()) == ("a", True)
    talk.play.answer(call, OVERLOADED, 503)
    [other] = [one for one in talk.play.unclaimed if isinstance(one, CallUpstream)]
    assert other.account == "b"
    assert UNKNOWN not in other.body.decode()


def last_reply(talk: Conversation) -> Object:
    """The reply that the only answer of a conversation was."""
    value = next(iter(talk.made))
    return talk.client.reply(value, 1, calls=False)


# -- what stays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
def test_what_is_not_left_out_keeps_its_bytes(client: Speech) -> None:
    """Spaces, escapes, the order of members and unknown ones included: the request is not written anew."""
    talk = conversation(client)
    talk.ask("a")
    talk.ask("b")
    talk.ask("a")
    asked = {**json.loads(client.request(talk.history, stream=False)), "odd": ["\u00e9", 1.50]}
    foreign = [value for value, maker in talk.made.items() if maker != "a"]
    call = talk.play.request(json.dumps(asked, indent=1).encode(), client.target(stream=False))
    assert call.account == "a"
    assert call.body.decode() == json.dumps(_without(asked, foreign), indent=1)


def _without(value: Any, foreign: Sequence[str]) -> Any:
    """A JSON value without the objects that hold one of *foreign*. Of Gemini's parts only the signature goes."""
    if isinstance(value, list):
        return [_without(one, foreign) for one in value if not _is_of(one, foreign)]
    if not isinstance(value, dict):
        return value
    kept = {name: _without(one, foreign) for name, one in value.items()}
    return {name: one for name, one in kept.items() if one not in foreign and not (one == [] and value[name])}


def _is_of(value: Any, foreign: Sequence[str]) -> bool:
    return isinstance(value, dict) and "thoughtSignature" not in value and any(one in foreign for one in value.values())


def test_a_request_that_holds_nothing_of_others_is_passed_on_untouched() -> None:
    talk = conversation(ANTHROPIC)
    talk.ask("a")
    talk.ask("a")
    body = json.dumps(json.loads(ANTHROPIC.request(talk.history, stream=False)), indent=2).encode()
    assert talk.play.request(body, "/v1/messages").body == body


# -- reasoning without a signature ----------------------------------------------------------------------------------


@attrs.define
class Unsigned(Conversation):
    """A conversation in which nobody but ``a`` signs: the others only think aloud."""

    def reply_to(self, call: CallUpstream, *, streams: bool, calls: bool) -> bytes:
        """What the account says."""
        speech = spoken(call)
        if call.account == "a":
            return Conversation.reply_to(self, call, streams=streams, calls=calls)
        reply = speech.reply("", self.turn, calls=calls)
        if speech is ANTHROPIC:
            reply["content"] = [one for one in reply["content"] if one["type"] != "redacted_thinking"]
        data = msgspec.json.encode(reply)
        return DIALECTS[speech.dialect].events_of(data) if streams else data


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("other", [GEMINI, CHAT, RESPONSES], ids=["gemini", "openai-chat", "openai-responses"])
def test_thinking_of_another_provider_that_is_not_signed_never_reaches_anthropic(other: Speech, stream: bool) -> None:
    """Anthropic refuses a block of thinking without a signature, or with one that it did not make."""
    accounts = account("a", "anthropic"), account("o", other.provider)
    routes = {ANTHROPIC.model: (f"anthropic/{ANTHROPIC.model}", f"{other.provider}/some-model")}
    if other is CHAT:
        accounts = account("a", "anthropic"), account("o", "openai-compatible", dialect="openai-chat")
        routes = {ANTHROPIC.model: (f"anthropic/{ANTHROPIC.model}", "openai-compatible/some-model")}
    talk = Unsigned(ANTHROPIC, Play(*accounts, models=ModelsConfig(routes=routes)))
    for answerer in "oaoa":
        call = talk.ask(answerer, stream=stream)
    blocks = [block for message in msgspec.json.decode(call.body)["messages"] for block in message["content"]]
    thoughts = [block for block in blocks if isinstance(block, dict) and block["type"] == "thinking"]
    assert [block["signature"] in talk.made for block in thoughts] == [True]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_nor_does_what_another_messages_provider_does_not_sign(stream: bool) -> None:
    talk = conversation(ANTHROPIC)
    talk = Unsigned(ANTHROPIC, talk.play)
    for answerer in "abab":
        talk.ask(answerer, stream=stream)
    call = asked_first(talk)
    thoughts = [one for one in texts(msgspec.json.decode(call.body)) if one.startswith("thought")]
    assert (call.account, thoughts) == ("a", ["thought 1", "thought 3"])


# -- replies that are written anew ----------------------------------------------------------------------------------


def asking(play: Play, target: str, body: bytes) -> None:
    """Feed a whole request."""
    play.start(target)
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body))
    play.expect()
    play.feed(RequestEnded(play.exchange))


def kept_conversation() -> StoredObject:
    """A conversation that was begun when no account kept any."""
    play = Play(account("m", "mistral", models=("*",)))
    asking(play, "/v1/conversations", b"{}")
    record = play.expect(Save, StartResponse, SendBody, EndResponse)[0].record
    assert isinstance(record, StoredObject)
    return record


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("collect", ["auto", "always"])
def test_what_is_signed_in_a_reply_that_is_written_anew_is_known_too(collect: str, stream: bool) -> None:
    """A conversation that Gephyr keeps has to be written anew, for a provider of the client's own dialect too."""
    record = kept_conversation()
    play = Play(account("a"), account("b"), providers={"openai": ProviderConfig(collect=collect)})
    talk = Conversation(RESPONSES, play)
    body = {**RESPONSES.settings, "model": "m", "input": "begin", "conversation": record.object_id, "stream": stream}
    asking(play, "/v1/responses", msgspec.json.encode(body))
    play.expect(Load)
    play.feed(Loaded(play.exchange, 0, record))
    call = play.expect(CallUpstream)
    reply = talk.reply_to(call, streams=stream or collect == "always", calls=False)
    commands = [*play.head(call, headers=SSE if reply.startswith(b"event") else JSON)]
    for step in (lambda: play.body(call, reply), lambda: play.end(call)):
        play.unclaimed = []
        commands += step() if play.gateway.open_exchanges else []
    pins = [one.record for one in commands if isinstance(one, Save) and isinstance(one.record, Pin)]
    assert [pin.object_id for pin in pins] == [digest(value) for value in talk.made]
    assert [pin.account for pin in pins] == [call.account]
    body["input"] = [*RESPONSES.reply(next(iter(talk.made)), 1, calls=False)["output"], RESPONSES.user("go on")]
    play.unclaimed = []
    asking(play, "/v1/responses", msgspec.json.encode(body))
    play.expect(Load)
    play.feed(Loaded(play.exchange, 0, record))
    again = play.expect(CallUpstream)
    play.answer(again, OVERLOADED, 503)
    [other] = [one for one in play.unclaimed if isinstance(one, CallUpstream)]
    assert (again.account == call.account, other.account == call.account) == (True, False)
    assert [b'encrypted_content":' in one.body for one in (again, other)] == [True, False]


def test_a_strict_gateway_leaves_nothing_out() -> None:
    """``translation.strict`` refuses what would be dropped, where the request is passed on too."""
    talk = conversation(ANTHROPIC)
    talk.play = Play(account("a", "anthropic"), account("b", "anthropic"), translation=TranslationConfig(strict=True))
    talk.ask("a")
    call = asked_first(talk)
    talk.play.answer(call, OVERLOADED, 503)
    start, sent, _ = talk.play.expect(StartResponse, SendBody, EndResponse)
    assert call.account == "a"
    assert (start.status, b"overloaded" in sent.data) == (503, True)


def test_a_large_request_is_changed_beside_the_others() -> None:
    """As a job for the front end, like all that takes long."""
    talk = conversation(ANTHROPIC)
    talk.ask("a")
    talk.ask("b")
    plain = asked_first(talk)
    talk.play.answer(plain, OVERLOADED, 503)
    [expected] = [one for one in talk.play.unclaimed if isinstance(one, CallUpstream)]
    heavy = Play(account("a", "anthropic"), account("b", "anthropic"), heavy=1)
    pins = [Pin("", digest(value), maker, maker, heavy.now + 1000) for value, maker in talk.made.items()]
    heavy.feed(StateRestored(pins))
    asking(heavy, "/v1/messages", ANTHROPIC.request(talk.history, stream=False))
    calls: list[CallUpstream] = []
    while not calls:
        job = heavy.expect(Compute)
        calls = [one for one in heavy.feed(answer(job)) if isinstance(one, CallUpstream)]
    heavy.unclaimed = []
    assert (calls[0].account, calls[0].body) == ("b", plain.body)
    commands = heavy.answer(calls[0], OVERLOADED, 503)
    heavy.unclaimed = []
    commands = heavy.feed(answer(next(one for one in commands if isinstance(one, Compute))))
    assert [one.body for one in commands if isinstance(one, CallUpstream)] == [expected.body]


@pytest.mark.parametrize("client", SPEECHES, ids=[speech.dialect for speech in SPEECHES])
@pytest.mark.parametrize("collect", ["never", "always"])
def test_a_model_of_another_name_is_asked_by_it_where_blocks_are_left_out(client: Speech, collect: str) -> None:
    """And a stream is asked for, where the whole reply is collected from one."""
    named = attrs.evolve(client, model="some-name")
    accounts = account("a", client.provider), account("b", client.provider)
    models = ModelsConfig(routes={"some-name": (f"{client.provider}/{client.model}",)})
    play = Play(*accounts, models=models, providers={client.provider: ProviderConfig(collect=collect)})
    talk = Conversation(named, play)
    for answerer in "aba":
        call = talk.ask(answerer)
    body = msgspec.json.decode(call.body)
    assert client.model in (body.get("model"), call.target.split("/")[-1].split(":")[0])
    streams = body.get("stream") is True or "streamGenerateContent" in call.target
    assert streams == (collect == "always")
