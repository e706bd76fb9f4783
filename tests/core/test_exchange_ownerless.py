"""Clients that nothing tells from others: they are answered, nothing is kept for them, and nobody reads another's."""

from typing import Any

import msgspec
import pytest
from play import JSON, SSE, Play, account
from test_exchange_stored import CHUNK, HELLO

from gephyr_core.commands import CallUpstream, Command, EndResponse, ReadBody, Save, SendBody, StartResponse
from gephyr_core.config import AuthConfig
from gephyr_core.dialects.decoding import digest
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted
from gephyr_core.records import Pin

RESPONSES = "/v1/responses"
RESPONSE = (
    b'{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1",'
    b'"role":"assistant","content":[{"type":"output_text","text":"hi"}]}]}'
)
ASK: dict[str, Any] = {"model": "m", "input": "hi"}


def ask(
    play: Play,
    body: dict[str, Any] | bytes = b"",
    target: str = RESPONSES,
    method: str = "POST",
    *,
    caller: str = "",
    ownerless: bool = False,
    credentials: tuple[str, ...] = (),
) -> list[Command]:
    """Feed a whole request of an application's; return the commands at its end."""
    play.exchange += 1
    started = RequestStarted(play.exchange, method, target, [], credentials, "10.0.0.1", "http", caller, ownerless)
    commands = play.feed(started)
    if [type(command) for command in commands] != [ReadBody]:
        return commands
    play.expect(ReadBody)
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    if data:
        play.feed(RequestBody(play.exchange, data))
        play.expect()
    return play.feed(RequestEnded(play.exchange))


def refusal(play: Play, *arguments: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    """Have a request refused; return status and error."""
    ask(play, *arguments, **more)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    return start.status, msgspec.json.decode(sent.data)["error"]


def called(play: Play, *arguments: Any, **more: Any) -> CallUpstream:
    ask(play, *arguments, **more)
    call = play.expect(CallUpstream)
    assert isinstance(call, CallUpstream)
    return call


def answered(play: Play, *arguments: Any, reply: bytes = RESPONSE, **more: Any) -> list[Command]:
    """Have a request served by *reply*; return the commands that it leads to."""
    call = called(play, *arguments, **more)
    commands = list(play.answer(call, reply))
    play.unclaimed = []
    return commands


def saved(commands: list[Command]) -> list[Pin]:
    return [command.record for command in commands if isinstance(command, Save)]


# -- what is answered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"store": False}, {"store": None}, {"background": False}])
def test_a_request_without_store_is_answered_and_no_object_of_it_is_kept(more: dict[str, Any]) -> None:
    """Its body goes to the provider as it came: ``store: false`` in its place would have the provider refuse items
    that clients send back by their ids."""
    play = Play(account("a"))
    body = msgspec.json.encode({**ASK, **more})
    call = called(play, body, ownerless=True)
    assert call.body == body
    assert saved(list(play.answer(call, RESPONSE))) == []
    play.expect(StartResponse, SendBody, EndResponse)
    play.finish()


def test_a_stream_of_such_a_request_leaves_no_object_behind_either() -> None:
    play = Play(account("a"))
    call = called(play, {**ASK, "stream": True}, ownerless=True)
    play.head(call, headers=SSE)
    play.expect()
    created = b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1"}}\n\n'
    delta = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n'
    assert saved(play.body(call, created + delta)) == []
    play.unclaimed = []
    done = b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1"}}\n\n'
    assert saved(play.body(call, done)) == []


def test_where_no_provider_keeps_responses_the_gateway_keeps_none_either() -> None:
    """And says so in the response: ``store`` is what was done."""
    play = Play(account("m", "mistral", models=("*",)))
    for stream in (False, True):
        call = called(play, {**ASK, "stream": stream}, ownerless=True)
        if stream:
            play.head(call, headers=SSE)
            play.expect()
            commands = [*play.body(call, CHUNK)]
            play.unclaimed = []
            if play.gateway.open_exchanges:
                commands += play.end(call)
                play.unclaimed = []
            told = b"".join(command.data for command in commands if isinstance(command, SendBody))
            assert b'"store":false' in told
        else:
            commands = list(play.answer(call, msgspec.json.encode(HELLO)))
            *_, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
            assert msgspec.json.decode(sent.data)["store"] is False
        assert saved(commands) == []


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store", True),
        ("background", True),
        ("previous_response_id", "resp_1"),
        ("previous_response_id", "resp_gephyr_1"),
        ("conversation", "conv_1"),
        ("conversation", {"id": "conv_1"}),
        ("conversation", "conv_gephyr_1"),
    ],
)
@pytest.mark.parametrize("path", ["", "/compact", "/input_tokens"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_needs_an_owner_is_a_400_that_names_the_field_and_identify(
    field: str, value: object, path: str, stream: bool
) -> None:
    play = Play(account("a"))
    status, error = refusal(play, {**ASK, "stream": stream, field: value}, RESPONSES + path, ownerless=True)
    assert (status, error["param"]) == (400, field)
    assert "identify" in error["message"]
    play.finish()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_1"),
        ("GET", "/v1/responses/resp_1?stream=true"),
        ("GET", "/v1/responses/resp_gephyr_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1/input_items"),
        ("POST", "/v1/conversations"),
        ("GET", "/v1/conversations/conv_1"),
        ("POST", "/v1/conversations/conv_1"),
        ("DELETE", "/v1/conversations/conv_1"),
        ("GET", "/v1/conversations/conv_1/items"),
        ("POST", "/v1/conversations/conv_1/items"),
        ("GET", "/v1/conversations/conv_gephyr_1/items/item_1"),
        ("DELETE", "/v1/conversations/conv_1/items/item_1"),
    ],
)
def test_paths_of_stored_objects_are_a_400_that_names_identify(method: str, path: str) -> None:
    """Before a byte of the body is read."""
    play = Play(account("a"))
    answered(play, ASK, caller="u1")  # somebody's object, of this very name
    status, error = refusal(play, target=path, method=method, ownerless=True)
    assert status == 400
    assert "identify" in error["message"]


def test_other_dialects_have_no_such_objects_and_are_served() -> None:
    """Chat Completions' ``store`` keeps nothing that could be fetched through the gateway."""
    play = Play(account("a"))
    body = {"model": "m", "messages": [], "store": True}
    answered(play, body, "/v1/chat/completions", ownerless=True, reply=msgspec.json.encode(HELLO))
    assert play.records[-1].status == 200


# -- owners -------------------------------------------------------------------------------------------------------


def test_named_callers_are_owners_each_of_their_own() -> None:
    play = Play(account("a"))
    (pin,) = saved(answered(play, ASK, caller="u1"))
    assert pin.object_id == "resp_1"
    assert called(play, {**ASK, "previous_response_id": "resp_1"}, caller="u1").account == "a"
    status, error = refusal(play, {**ASK, "previous_response_id": "resp_1"}, caller="u2")
    assert (status, error["param"]) == (404, "previous_response_id")
    assert refusal(play, target="/v1/responses/resp_1", method="GET", caller="u2")[0] == 404
    assert refusal(play, target="/v1/responses/resp_1", method="GET")[0] == 404


def test_with_keys_too_key_and_caller_together_are_the_owner() -> None:
    """Two users of one key are apart, and so is one user with two keys, which may be two programs."""
    play = Play(account("a"), auth=AuthConfig(mode="strict", api_keys=("k1", "k2")))
    answered(play, ASK, caller="u1", credentials=("k1",))
    body = {**ASK, "previous_response_id": "resp_1"}
    for caller, key in (("u2", "k1"), ("u1", "k2"), ("", "k1")):
        assert refusal(play, body, caller=caller, credentials=(key,))[0] == 404
    assert refusal(play, body, caller="u1", credentials=("k3",))[0] == 401
    called(play, body, caller="u1", credentials=("k1",))


def test_a_key_that_nobody_checked_is_no_owner() -> None:
    """SDKs send some key always; whoever knows another's placeholder would read what it made."""
    play = Play(account("a"))
    answered(play, ASK, ownerless=True, credentials=("p1",))
    assert refusal(play, {**ASK, "previous_response_id": "resp_1"}, ownerless=True, credentials=("p1",))[0] == 400
    assert refusal(play, {**ASK, "previous_response_id": "resp_1"}, credentials=("p1",))[0] == 404


def test_sessions_of_one_name_share_no_more_than_an_account() -> None:
    """Of clients that cannot be told apart, a binding says which account is asked; callers that can have their own."""
    play = Play(account("a"), account("b"))
    body = {"model": "m", "messages": [], "session_id": "s"}
    sessions = []
    for who in ({"ownerless": True}, {"ownerless": True}, {"caller": "u1"}, {"caller": "u2"}):
        answered(play, body, "/v1/chat/completions", reply=msgspec.json.encode(HELLO), **who)
        sessions.append(play.records[-1].session)
    assert sessions[0] == sessions[1]
    assert len(set(sessions)) == 3


SECRET = "gAAAA-encrypted"
SEALED = msgspec.json.encode(
    {"id": "resp_2", "object": "response", "output": [{"type": "reasoning", "id": "rs_1", "encrypted_content": SECRET}]}
)


def test_an_encrypted_item_finds_its_maker_and_only_who_has_it_can_send_it() -> None:
    """Its digest is all that is kept. Without it the next turn would go to an organisation that cannot read the item."""
    play = Play(account("a"), account("b"))
    call = called(play, ASK, ownerless=True)
    maker = call.account
    pins = saved(list(play.answer(call, SEALED)))
    play.unclaimed = []
    assert [pin.object_id for pin in pins] == [digest(SECRET)]
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SECRET}
    for _ in range(4):
        assert called(play, {**ASK, "input": [item]}, ownerless=True).account == maker


CALL_WITH_SIGNATURE = msgspec.json.encode(
    {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "the user's secret plan", "thought": True, "thoughtSignature": "c2ln"},
                        {"functionCall": {"id": "call_1", "name": "f", "args": {}}, "thoughtSignature": "c2ln"},
                    ],
                },
                "finishReason": "STOP",
            }
        ]
    }
)


@pytest.mark.parametrize(
    ("first", "second", "remembered"),
    [
        ({"caller": "u1"}, {"caller": "u1"}, True),
        ({"caller": "u1"}, {"caller": "u2"}, False),
        ({"ownerless": True}, {"ownerless": True}, False),
        ({"caller": "u1"}, {"ownerless": True}, False),
    ],
)
def test_reasoning_that_a_client_dropped_is_put_back_for_its_owner_alone(
    first: dict[str, Any], second: dict[str, Any], remembered: bool
) -> None:
    """Ids of tool calls may be guessed, and what is remembered by them is somebody's text."""
    play = Play(account("g", "gemini", models=("gemini-2.5-pro",)))
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    base = {"model": "gemini-2.5-pro", "tools": tools}
    user = {"role": "user", "content": "go"}
    call = called(play, {**base, "messages": [user]}, "/v1/chat/completions", **first)
    play.head(call, headers=JSON)
    play.expect()
    play.body(call, CALL_WITH_SIGNATURE)
    play.expect()
    play.end(call)
    *_, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    (tool_call,) = msgspec.json.decode(sent.data)["choices"][0]["message"]["tool_calls"]
    forgetful = {name: tool_call[name] for name in ("id", "type", "function")}
    history = [user, {"role": "assistant", "tool_calls": [forgetful]}]
    history.append({"role": "tool", "tool_call_id": forgetful["id"], "content": "done"})
    again = called(play, {**base, "messages": history}, "/v1/chat/completions", **second)
    assert (b"c2ln" in again.body) is remembered
