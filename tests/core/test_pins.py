"""Objects that live at one provider: who may use them, and which accounts can (decision 13)."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from strategies import json_objects, json_values

from gephyr_core import pins as module
from gephyr_core.dialects.openai_responses.objects import digest
from gephyr_core.envelope import Envelope, EnvelopeError, read_envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.pins import FREE, LIFETIME, Constraint, Pins, RequestRefused, constraint_of, rename
from gephyr_core.records import Pin

NOW = 1000.0
OWNER, OTHER = "0" * 64, "1" * 64


def pin(object_id: str, account: str = "a", organization: str = "org", **more: Any) -> Pin:
    """A pin of OWNER's."""
    return attrs.evolve(Pin(OWNER, object_id, account, organization, expires_at=NOW + 100), **more)


def pins(*known: Pin) -> Pins:
    """Pins that hold these."""
    held = Pins()
    for one in known:
        held.add(one)
    return held


def body(**fields: object) -> Envelope:
    """A request's envelope."""
    return read_envelope(json.dumps(fields).encode())


def constraint(held: Pins, envelope: Envelope | None = None, object_id: str | None = None) -> Constraint:
    """What OWNER's request is held to."""
    return constraint_of(held, OWNER, object_id, envelope, NOW)


def refused(held: Pins, envelope: Envelope | None = None, object_id: str | None = None) -> Problem:
    """The problem that OWNER's request must be refused with."""
    with pytest.raises(RequestRefused) as caught:
        constraint(held, envelope, object_id)
    return caught.value.problem


def test_a_pin_is_found_by_its_owner_alone() -> None:
    held = pins(pin("resp_1"))
    assert held.find(OWNER, "resp_1", NOW) == pin("resp_1")
    assert held.find(OTHER, "resp_1", NOW) is None
    assert held.find(OWNER, "resp_2", NOW) is None


def test_a_pin_expires() -> None:
    held = pins(pin("resp_1"))
    assert held.find(OWNER, "resp_1", NOW + 99.9) is not None
    assert held.find(OWNER, "resp_1", NOW + 100) is None


def test_the_oldest_pins_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One learned again counts as new."""
    monkeypatch.setattr(module, "_MOST_PINS", 2)
    held = pins(pin("1"), pin("2"), pin("1"), pin("3"))
    assert len(held) == 2
    assert [held.find(OWNER, name, NOW) is not None for name in "123"] == [True, False, True]


def test_restored_pins_are_clamped_and_the_expired_left_out() -> None:
    """Decision 24: a store written by a clock that ran ahead does not keep pins for ever."""
    held = Pins()
    held.restore([pin("ahead", expires_at=NOW + 10 * LIFETIME), pin("over", expires_at=NOW), pin("good")], NOW)
    ahead = held.find(OWNER, "ahead", NOW)
    assert ahead is not None
    assert ahead.expires_at == NOW + LIFETIME
    assert len(held) == 2
    assert held.find(OWNER, "good", NOW) == pin("good")


def test_a_request_without_references_is_free() -> None:
    assert constraint(pins()) is FREE
    assert constraint(pins(), body(input="hi", previous_response_id=None, conversation=None)) is FREE


@pytest.mark.parametrize(
    "envelope",
    [body(previous_response_id="x"), body(conversation="x"), body(conversation={"id": "x"})],
)
def test_a_reference_holds_the_request_to_the_account_that_made_it(envelope: Envelope) -> None:
    assert constraint(pins(pin("x", "b")), envelope) == Constraint(account="b")


def test_an_object_in_the_path_holds_the_request_too() -> None:
    assert constraint(pins(pin("resp_1", "b")), object_id="resp_1") == Constraint(account="b")


@pytest.mark.parametrize("held", [pins(), pins(pin("x", owner=OTHER)), pins(pin("x", expires_at=NOW))])
def test_an_object_of_somebody_else_does_not_exist(held: Pins) -> None:
    """404 without an upstream call, so that ids cannot be tried out."""
    problem = refused(held, body(previous_response_id="x"))
    assert (problem.kind, problem.param) == (ErrorKind.NOT_FOUND, "previous_response_id")
    assert problem.code == "previous_response_not_found"
    assert refused(held, body(conversation="x")).param == "conversation"
    assert refused(held, object_id="x").kind is ErrorKind.NOT_FOUND


def test_objects_of_two_accounts_cannot_meet_in_one_request() -> None:
    held = pins(pin("resp_1", "a"), pin("conv_1", "b"))
    assert refused(held, body(previous_response_id="resp_1", conversation="conv_1")).kind is ErrorKind.BAD_REQUEST


def test_an_id_that_changed_by_a_fail_over_is_renamed_on_its_way() -> None:
    held = pins(pin("resp_client", upstream_id="resp_provider"))
    found = constraint(held, body(previous_response_id="resp_client"))
    assert found.renamed == (("resp_client", "resp_provider"),)
    sent = rename(b'{"previous_response_id":"resp_client","input":"about resp_client"}', found.renamed)
    assert sent == b'{"previous_response_id":"resp_provider","input":"about resp_client"}'


def test_two_secrets_never_share_a_digest_for_their_encoding() -> None:
    assert digest("a") != digest("b")
    assert len(digest("\ud800")) == 64


@given(json_objects, json_values, json_values)
def test_any_request_is_free_held_or_refused(fields: dict[str, object], previous: object, conversation: object) -> None:
    """Whatever stands in the fields that refer to objects."""
    envelope = body(**(fields | {"previous_response_id": previous, "conversation": conversation}))
    try:
        found = constraint(pins(pin(digest("x"))), envelope)
    except (RequestRefused, EnvelopeError):
        return
    assert isinstance(found, Constraint)
