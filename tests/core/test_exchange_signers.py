"""Whoever signed a conversation's reasoning is asked first; the others, without it, where that is no use."""

from typing import Any

import msgspec
import pytest
from play import Play, account
from test_exchange_signatures import FULL, SIGNED, history

from gephyr_core.commands import CallUpstream
from gephyr_core.config import ModelsConfig
from gephyr_core.conversation.parts import Origin, Signature
from gephyr_core.conversation.signatures import organization_digest, seal

LIMITED = b'{"error":{"message":"slow","code":"rate_limit_exceeded"}}'
RESPONSES = "/v1/responses"


def signed_by(organization: str) -> bytes:
    """An Anthropic client's request whose reasoning an organisation of OpenAI's signed."""
    sealed = seal(Signature("ENC", Origin("openai-responses", "", organization_digest(organization)), "rs_1"))
    return history({**SIGNED, "signature": sealed})


def serving(*names: str, **groups: str) -> Play:
    """Accounts of OpenAI, each its own organisation unless *groups* names one, that serve the client's model."""
    accounts = [account(name, organization=groups.get(name, "")) for name in names]
    return Play(*accounts, models=ModelsConfig(routes={"claude-opus-4-7": ("openai/gpt-5.6",)}))


def carries(call: CallUpstream) -> bool:
    """Whether the signed reasoning goes along."""
    return b"ENC" in call.body


def fail(play: Play, call: CallUpstream, status: int = 429) -> Any:
    """Have a call fail by a limit; return what comes of it."""
    play.answer(call, LIMITED, status, FULL)
    commands, play.unclaimed = play.unclaimed, []
    return commands


def test_the_signer_is_asked_first_and_the_others_without_the_reasoning() -> None:
    play = serving("a", "b", "c")
    first = play.request(signed_by("b"), "/v1/messages")
    assert (first.account, first.target, carries(first)) == ("b", RESPONSES, True)
    (second,) = fail(play, first)
    assert second.account in {"a", "c"}
    assert not carries(second)
    (third,) = fail(play, second)
    assert {second.account, third.account} == {"a", "c"}
    assert not carries(third)
    start, *_ = fail(play, third)
    assert start.status == 429


def test_the_signers_only_account_that_is_limited_does_not_keep_the_others_away() -> None:
    play = serving("a", "b")
    (second,) = fail(play, play.request(signed_by("b"), "/v1/messages"))
    assert (second.account, carries(second)) == ("a", False)
    play.answer(
        second, msgspec.json.encode({"id": "resp_1", "object": "response", "status": "completed", "output": []})
    )
    play.unclaimed = []
    again = play.request(signed_by("b"), "/v1/messages")
    assert (again.account, carries(again)) == ("a", False), "it is left alone until its time"


def test_all_accounts_of_the_signers_organisation_are_asked_before_any_other() -> None:
    play = serving("a", "b", "c", b="acme", c="acme")
    first = play.request(signed_by("acme"), "/v1/messages")
    assert first.account in {"b", "c"}
    assert carries(first)
    (second,) = fail(play, first, 503)
    assert {first.account, second.account} == {"b", "c"}
    assert carries(second)
    (third,) = fail(play, second, 503)
    assert (third.account, carries(third)) == ("a", False)


@pytest.mark.parametrize("name", ["a", "b"])
def test_where_everybody_is_of_the_signers_organisation_the_reasoning_goes_along(name: str) -> None:
    play = serving("a", "b", a="acme", b="acme")
    first = play.request(signed_by("acme"), "/v1/messages")
    (second,) = fail(play, first, 503)
    assert {first.account, second.account} == {"a", "b"}
    assert carries(first)
    assert carries(second)


def test_reasoning_of_a_signer_who_is_gone_is_left_out_everywhere() -> None:
    play = serving("a", "b")
    first = play.request(signed_by("gone"), "/v1/messages")
    (second,) = fail(play, first)
    assert {first.account, second.account} == {"a", "b"}
    assert not carries(first)
    assert not carries(second)


def test_a_signer_that_comes_second_on_the_route_is_asked_first() -> None:
    accounts = account("a", models=("first",)), account("b", models=("second",))
    routes = ModelsConfig(routes={"claude-opus-4-7": ("openai/first", "openai/second")})
    play = Play(*accounts, models=routes)
    first = play.request(signed_by("b"), "/v1/messages")
    assert (first.account, msgspec.json.decode(first.body)["model"], carries(first)) == ("b", "second", True)
    (second,) = fail(play, first)
    assert (second.account, msgspec.json.decode(second.body)["model"], carries(second)) == ("a", "first", False)


def test_without_signed_reasoning_the_order_is_the_routes() -> None:
    accounts = account("a", models=("first",)), account("b", models=("second",))
    routes = ModelsConfig(routes={"claude-opus-4-7": ("openai/first", "openai/second")})
    play = Play(*accounts, models=routes)
    assert play.request(history(), "/v1/messages").account == "a"


def test_a_leg_that_only_the_signer_serves_does_not_end_the_route() -> None:
    """The next model of the route is asked when the signer's fails, though nobody else serves the first."""
    accounts = account("a", models=("first",)), account("b", models=("second",))
    routes = ModelsConfig(routes={"claude-opus-4-7": ("openai/first", "openai/second")})
    play = Play(*accounts, models=routes)
    first = play.request(signed_by("a"), "/v1/messages")
    assert (first.account, carries(first)) == ("a", True)
    (second,) = fail(play, first)
    assert (second.account, msgspec.json.decode(second.body)["model"], carries(second)) == ("b", "second", False)
