"""What clients and providers write is repeated in part only: in messages to clients, and in records."""

import json

from play import JSON, Play, account
from scheduling import body

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.errors import LONGEST_QUOTE, Fault, Sent
from gephyr_core.events import UpstreamFailed

LONG = "x" * (LONGEST_QUOTE + 50)
QUOTED = "x" * LONGEST_QUOTE


def told(body: bytes) -> str:
    return str(json.loads(body)["error"]["message"])


def test_a_long_model_is_repeated_in_part() -> None:
    play = Play(account("a", models=("m",)))
    message = told(play.refused(json.dumps({"model": LONG, "messages": []}).encode()).body)
    assert QUOTED in message
    assert LONG not in message


def test_a_long_path_is_repeated_in_part() -> None:
    play = Play(account("a"))
    play.start(f"/v1/{LONG}")
    message = told(play.expect(StartResponse, SendBody, EndResponse)[1].data)
    assert f"/v1/{LONG}"[:LONGEST_QUOTE] in message
    assert f"/v1/{LONG}"[: LONGEST_QUOTE + 1] not in message


def test_a_record_has_a_part_of_what_a_provider_said() -> None:
    play = Play(account("a"))
    said = json.dumps({"error": {"message": LONG, "type": "server_error"}}).encode()
    play.answer(play.request(body()), said, 500, JSON)
    assert play.records[-1].attempts[0].detail == QUOTED


def test_a_record_has_a_part_of_why_a_call_failed() -> None:
    play = Play(account("a"))
    call = play.request(body())
    assert isinstance(call, CallUpstream)
    play.feed(UpstreamFailed(call.exchange, call.attempt, Fault.TLS, LONG, sent=Sent.NONE))
    assert play.records[-1].attempts[0].detail == QUOTED
