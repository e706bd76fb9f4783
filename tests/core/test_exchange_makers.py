"""A signature goes to the organisation that made it and to nobody else, block by block, whoever answered since.

Over any sequence of answerers: nobody is sent another's signed block, each is sent all of its own that the client sent,
and each sees the beginning of a conversation as it saw it before.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from conversing import OVERLOADED, Conversation, conversation
from hypothesis import given, settings
from hypothesis import strategies as st
from play import JSON, Play, account
from signing import ANTHROPIC, SPEECHES, Object, Speech

from gephyr_core.commands import CallUpstream


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
