"""Refusals that say less than that a credential is bad: no credit, or a credential that is not good for just this."""

import msgspec
import pytest
from play import Play, account
from scheduling import body, finish, served

from gephyr_core.commands import EndResponse, SendBody, StartResponse


def test_money_is_not_asked_for_again_and_again() -> None:
    """A stream that says inside a 200 that there is no credit benches as the status would."""
    play = Play(account("a"))
    no_credit = (
        b'data: {"error":{"message":"You have no credit","code":"insufficient_quota","type":"insufficient_quota"}}\n\n'
    )
    call = play.stream_request()
    play.head(call, 200, [(b"content-type", b"text/event-stream")])
    play.expect()
    play.body(call, no_credit)
    play.unclaimed.clear()
    assert play.refused(body()).status == 503


def test_a_request_that_the_credit_does_not_pay_leaves_the_account_to_smaller_ones() -> None:
    """OpenRouter's 402 for many ``max_tokens`` says nothing of a request for fewer."""
    play = Play(account("a", "openrouter"))
    low = b'{"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}}'
    play.answer(play.request(body()), low, 402)
    play.expect(StartResponse, SendBody, EndResponse)
    finish(play, play.request(body()))


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (403, "Project `proj_1` does not have access to model `m`", "model_not_found"),  # OpenAI
        (403, "You are not allowed to sample from model m", None),
        (403, "The team is not allowed to access model m", None),
        (401, "Your key does not have access to the model m", None),
    ],
)
def test_a_credential_that_is_not_good_for_one_model_serves_the_others(
    status: int, message: str, code: str | None
) -> None:
    """Else any client could have the only account left alone, by asking for what its key may not use."""
    play = Play(account("a"))
    error = msgspec.json.encode({"error": {"message": message, "code": code}})
    play.answer(play.request(body("m")), error, status)
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.refused(body("m")).status == 503
    assert served(play, "other") == "a"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "You have insufficient permissions for this operation. Missing scopes: api.responses.write."),
        (403, "Your API key does not have permission to use the specified resource."),
    ],
)
def test_a_credential_that_may_not_do_just_this_is_asked_for_the_next_request(status: int, message: str) -> None:
    """It is left alone where others can serve; the last account stays in play."""
    play = Play(account("a"))
    error = msgspec.json.encode({"error": {"message": message}})
    play.answer(play.request(body()), error, status)
    start, *_ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502
    assert served(play) == "a"
