"""Small promises of an exchange that are easily broken: what a head holds, what a record says, how long is waited."""

import attrs
import msgspec
import pytest
from play import JSON, OPEN, ROTATING, Play, account
from scheduling import body
from test_exchange_fetching import URLS, ask, gemini
from test_exchange_stored import HELLO, ask_store, begin_conversation, chat_only, decoded, keep

from gephyr_core.commands import (
    CallUpstream,
    CancelQuestions,
    EndResponse,
    ReadBody,
    SendBody,
    StartResponse,
)
from gephyr_core.config import ComplianceConfig, ServerConfig
from gephyr_core.errors import ErrorKind, Fault, Sent
from gephyr_core.events import Loaded, RequestBody, RequestEnded, TimePassed, UpstreamFailed
from gephyr_core.exchange.attempts import of_fault, outcome_of_error
from gephyr_core.http import header
from gephyr_core.providers import Verdict
from gephyr_core.scheduling.outcomes import Says
from tests.approved import check_table

EMBEDDING = b'{"model":"m","input":"hi"}'


@pytest.mark.parametrize(("status", "length"), [(200, b"2"), (204, None)])
def test_a_reply_without_a_body_has_a_length_only_where_it_might_have_one(status: int, length: bytes | None) -> None:
    """RFC 9110, section 8.6: a 204 has no Content-Length."""
    play = Play(account("a"))
    call = play.request(EMBEDDING, "/v1/embeddings")
    play.head(call, status, JSON)
    play.expect()
    if status == 200:
        play.body(call, b"{}")
        play.expect()
    commands = play.end(call)
    assert isinstance(commands[0], StartResponse)
    assert header(commands[0].headers, b"content-length") == length
    play.unclaimed = []


def test_an_answer_of_the_gateways_own_names_no_account() -> None:
    play = Play(account("a"), server=ServerConfig(expose_account=True))
    start, _, _ = play.refusal_of(b"no JSON", "/v1/chat/completions", headers=[(b"x-gephyr-explain", b"1")])
    assert start.status == 400
    assert header(start.headers, b"x-gephyr-account") is None
    assert header(start.headers, b"x-gephyr-decision-id") is None


def test_the_head_names_the_account_and_the_decision_where_they_are_asked_for() -> None:
    for exposed in (True, False):
        play = Play(account("a"), server=ServerConfig(expose_account=exposed))
        play.answer(play.request(EMBEDDING, "/v1/embeddings"), b"{}")
        start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert header(start.headers, b"x-gephyr-account") == (b"a" if exposed else None)
        assert header(start.headers, b"x-gephyr-decision-id") is None


def test_the_record_of_a_call_that_is_sent_again_says_why() -> None:
    play = Play(account("a"))
    call = play.request(body())
    assert not call.fresh
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "closed by the peer", reused=True))
    again = play.expect(CallUpstream)
    assert again.fresh
    play.answer(again, b'{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]}')
    play.unclaimed = []
    first, second = play.records[0].attempts
    assert (first.outcome, first.detail, first.stale) == ("stale_connection", "closed by the peer", True)
    assert (second.outcome, second.detail, second.stale) == ("ok", "", False)


def test_what_is_spent_of_an_accounts_tokens_is_what_was_read_and_written() -> None:
    play = Play(account("a", tokens_per_minute=100), scheduling=ROTATING)
    reply = b'{"id":"c","choices":[],"usage":{"prompt_tokens":40,"completion_tokens":35}}'
    play.answer(play.request(EMBEDDING, "/v1/embeddings"), reply)
    play.unclaimed = []
    large = msgspec.json.encode({"model": "m", "input": "x" * 140})  # about 40 tokens
    play.start("/v1/embeddings")
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, large))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    play.expect()
    small = play.request(b'{"model":"m","input":"x"}', "/v1/embeddings")
    assert small.account == "a"


def test_an_address_is_waited_for_a_little_longer_than_its_fetch_may_take() -> None:
    play = gemini()
    (asked,) = ask(play, URLS[0])
    assert play.gateway.deadline == play.now + asked.timeout + 5.0
    play.feed(TimePassed(), at=play.now + asked.timeout + 4.9)
    play.expect()
    play.feed(TimePassed(), at=play.gateway.deadline)
    play.expect(CancelQuestions, StartResponse, SendBody, EndResponse)


def test_what_gephyr_keeps_is_answered_as_a_success_and_recorded_as_one() -> None:
    play = chat_only()
    record, _ = keep(play)
    load = ask_store(play, f"/v1/responses/{record.object_id}")
    assert load.question == 0
    play.feed(Loaded(play.exchange, load.question, record))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 200
    assert (play.records[-1].outcome, play.records[-1].status) == ("ok", 200)


def test_a_conversation_that_is_begun_is_answered_as_a_success_and_recorded_as_one() -> None:
    play = chat_only()
    _, start, sent, _ = begin_conversation(play, b"{}")
    assert (start.status, decoded(sent.data)["object"]) == (200, "conversation")
    assert (play.records[-1].outcome, play.records[-1].error) == ("ok", None)


@pytest.mark.parametrize("failed", [False, True])
def test_what_the_store_does_not_have_or_cannot_tell_is_said(failed: bool) -> None:
    play = chat_only()
    load = ask_store(play, "/v1/responses/resp_gephyr1")
    play.feed(Loaded(play.exchange, load.question, None, failed=failed))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == (503 if failed else 404)
    assert (b"cannot be read" in sent.data) is failed


def test_the_store_is_given_ten_seconds() -> None:
    play = chat_only()
    ask_store(play, "/v1/responses/resp_gephyr1")
    assert play.gateway.deadline == play.now + 10.0
    play.wait()
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503
    assert b"does not answer" in sent.data


@pytest.mark.parametrize(
    ("accounts", "target", "asked", "status", "told"),
    [
        ((), "/v1/embeddings", EMBEDDING, 503, b"add one under [[accounts]]"),
        (("off",), "/v1/embeddings", EMBEDDING, 503, b"set enabled = true"),
        (("anthropic",), "/v1/embeddings", EMBEDDING, 404, b"that speaks openai-chat, and this is not translated"),
        (("anthropic",), "/v1/chat/completions", body(), 404, b"to have it translated, map the name"),
        (("other",), "/v1/embeddings", EMBEDDING, 404, b"'m' is not served by any account\\\""),
    ],
)
def test_why_no_account_can_be_asked_is_told(
    accounts: tuple[str, ...], target: str, asked: bytes, status: int, told: bytes
) -> None:
    configured = {
        "off": account("a", enabled=False),
        "anthropic": account("a", "anthropic"),
        "other": account("a", models=("n",)),
    }
    play = Play(*(configured[name] for name in accounts), auth=OPEN)
    refusal = play.refused(asked, target)
    assert refusal.status == status
    assert told.replace(b'\\"', b'"')[:-1] in refusal.body.replace(b'\\"', b'"')


def said_by(kind: ErrorKind, *, side: bool) -> Says:
    """What an error of this kind inside a 200 says about the account."""
    return outcome_of_error(Verdict(kind, "", fail_over=True), kind.http_status, side=side).says


def test_what_each_failure_says_of_the_account_and_of_others_is_as_was_approved() -> None:
    lines = []
    for fault in Fault:
        for sent in Sent:
            for repeatable in (True, False):
                for side in (True, False):
                    failure = of_fault(fault, "why", sent, repeatable=repeatable, side=side)
                    says = failure.outcome.says.value
                    lines.append(
                        f"{fault.value}, sent {sent.name}, repeatable {repeatable}, side {side}: {failure.kind.value}, "
                        f"fails over {failure.fail_over}, account {says}, told {failure.problem.message!r}"
                    )
    for kind in ErrorKind:
        lines += [f"{kind.value}, side {side}: {said_by(kind, side=side).value}" for side in (True, False)]
    check_table("failures", lines)


def test_no_error_of_a_side_route_says_anything_of_the_account() -> None:
    assert {said_by(kind, side=True) for kind in ErrorKind} == {Says.NOTHING}


@pytest.mark.parametrize(("most", "tries"), [(0, 1), (1, 2), (2, 3)])
def test_as_many_accounts_are_asked_as_may_be(most: int, tries: int) -> None:
    accounts = [account(name) for name in "abcd"]
    play = Play(*accounts, compliance=ComplianceConfig(enabled=True, max_retry_attempts=most))
    call = play.request(body())
    for _ in range(tries - 1):
        play.answer(call, b"{}", 500)
        call = play.expect(CallUpstream)
    play.answer(call, b"{}", 500)
    play.expect(StartResponse, SendBody, EndResponse)
    assert len(play.records[0].attempts) == tries


def test_the_stored_reply_is_the_one_that_the_client_was_told() -> None:
    play = chat_only()
    record, told = keep(play)
    assert attrs.asdict(record)["kind"] == "response"
    load = ask_store(play, f"/v1/responses/{record.object_id}")
    play.feed(Loaded(play.exchange, load.question, record))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert decoded(sent.data) == told
    assert told["output"][0]["content"][0]["text"] == HELLO["choices"][0]["message"]["content"]  # type: ignore[index]


def test_the_record_tells_when_the_first_byte_came() -> None:
    """Seconds after the request began: what an operator compares providers by."""
    play = Play(account("a"))
    call = play.request(body())
    play.now += 1.5
    play.head(call, headers=JSON)
    play.body(call, b"{}")
    play.now += 0.5
    play.end(call)
    play.expect(StartResponse, SendBody, EndResponse)
    assert (play.records[-1].first_byte, play.records[-1].duration) == (2.0, 2.0)
