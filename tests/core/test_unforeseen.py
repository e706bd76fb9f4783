"""An exception that nobody foresaw ends its own exchange, in the client's dialect, and nobody else notices.

The faults here are real ones, at every place where the core calls a function of its own: a profiling hook raises.
"""

import json
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from faulty import CHUNKS, TARGETS, Table

from gephyr_core.dialects import rendering
from gephyr_core.errors import LocalProtocolError
from gephyr_core.events import (
    AdminChanged,
    ClientGone,
    DrainRequested,
    FrontEndFailed,
    RequestEnded,
    StateRestored,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamStarted,
)
from gephyr_core.records import InternalError
from tests.faulting import SECRET, fault_at_call


def streams() -> Table:
    """Two streams and a translated one side by side on one account, whose places are few: a fourth waits."""
    table = Table(a={"max_concurrency": 3})
    for dialect in ("openai-chat", "anthropic", "openai-responses", "gemini"):
        table.ask(dialect, stream=True)
    table.answer_all()
    return table


def wholes() -> Table:
    """Whole replies, collected from streams."""
    table = Table(a={"max_concurrency": 3})
    for dialect in ("openai-responses", "openai-chat", "anthropic", "gemini"):
        table.ask(dialect)
    table.answer_all()
    return table


def failing() -> Table:
    """A provider's errors, its silence, and an account that the operator takes away."""
    table = Table(a={}, b={})
    table.feed(StateRestored())
    table.ask("anthropic", stream=True)
    table.ask(stream=True)
    for call in table.take_calls():
        if call.exchange == 1:
            table.feed_live(call, UpstreamStarted(call.exchange, call.attempt, 500, []))
            table.feed_live(call, UpstreamBody(call.exchange, call.attempt, b"{}"))
            table.feed_live(call, UpstreamEnded(call.exchange, call.attempt))
        else:
            table.begin(call)
    table.feed(AdminChanged(table.accounts[:1]))
    table.now += 1000.0
    table.feed(TimePassed())
    return table


def leaving() -> Table:
    """One client leaves its stream; the gateway is drained while others run, and its time is over."""
    table = Table()
    left, _ = table.ask(stream=True), table.ask("anthropic", stream=True)
    for call in table.take_calls():
        table.begin(call)
    if left not in table.laws.ended:
        table.feed(ClientGone(left))
    table.feed(DrainRequested())
    table.now += 1000.0
    table.feed(TimePassed())
    return table


PLAYS: dict[str, Callable[[], Table]] = {one.__name__: one for one in (streams, wholes, failing, leaving)}


STEP = 97
"""Every how manieth call fails in the test. A prime: the calls of one kind stand at regular distances."""


@pytest.mark.parametrize("play", PLAYS)
def test_a_fault_anywhere_ends_its_own_exchange_alone(play: str) -> None:
    """At one call of the core's own functions after another: every law holds, all is given back, and at most one of
    the clients hears of it. The others get what they would have got."""
    well = _served(PLAYS[play]())
    number = 1
    while True:
        table = None
        with fault_at_call(number) as hit, suppress(ZeroDivisionError):  # raised where the table is laid
            table = PLAYS[play]()
        if not hit:
            break
        number += STEP
        if table is None:
            continue
        table.finish(serves=play != "leaving")
        assert len(table.faults) == 1, hit
        failed = [record for record in table.records if record.fault]
        assert [(record.outcome, record.error) for record in failed] == [("failed", "server")] * len(failed)
        assert len(failed) <= 1, hit
        assert _served(table) >= well - len(failed), hit
        assert SECRET not in repr(table.faults)
    assert number > 3 * STEP


def _served(table: Table) -> int:
    return sum(record.outcome == "ok" for record in table.records)


class Unlucky(random.Random):
    """Chance that raises where it is told to: at the draw with this number."""

    def __init__(self, bad_draw: int) -> None:
        super().__init__(3)
        self.left = bad_draw

    def getrandbits(self, count: int) -> int:
        self.left -= 1
        if self.left == 0:
            raise ArithmeticError(SECRET)
        return super().getrandbits(count)


@pytest.mark.parametrize("dialect", TARGETS)
def test_a_request_whose_head_is_too_much_is_answered_in_its_dialect(dialect: str) -> None:
    """There is no exchange for it yet, and still it is a 500 with a record and a place."""
    table = Table(Unlucky(BEFORE_FIRST_REQUEST + 1))
    number = table.ask(dialect)
    assert table.heads[number].status == 500
    error = json.loads(table.sent[number])["error"]
    assert "the gateway failed on this request" in error["message"]
    (fault,), (record,) = table.faults, table.records
    assert (fault.error, fault.during) == ("ArithmeticError", "RequestStarted")
    assert fault.file.startswith("gephyr_core/")
    assert record.fault == f"ArithmeticError at {fault.file}:{fault.line}"
    assert (record.dialect, record.outcome, record.status) == (dialect, "failed", 500)
    assert record.request_id == fault.request_id
    table.finish()


def _draws_before_the_first_request() -> int:
    chance = Unlucky(-1)
    before = chance.left
    Table(chance)
    return before - chance.left


BEFORE_FIRST_REQUEST = _draws_before_the_first_request()


@pytest.mark.parametrize("dialect", TARGETS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_is_told_in_the_clients_dialect(dialect: str, stream: bool) -> None:
    """Before the head as a 500, behind it as the stream's one terminal event, in a form that the dialect's SDK reads
    as an error. Nothing of the exception's own words leaves."""
    table = Table()
    number = table.ask(dialect, stream=stream)
    (call,) = table.take_calls()
    if stream:
        table.begin(call)
    with fault_at_call(1, ("gephyr_core.exchange.receiving",)):
        if stream:
            table.feed(UpstreamBody(call.exchange, call.attempt, CHUNKS[1]))
        else:
            table.head(call)
    end = table.sent[number]
    if stream:
        assert table.heads[number].status == 200
        end = end.strip().splitlines()[-1].removeprefix(b"data: ")
    else:
        assert table.heads[number].status == 500
    told = json.loads(end)
    error = told["response"]["error"] if "response" in told else told.get("error", told)
    assert "the gateway failed on this request" in error["message"]
    assert SECRET.encode() not in table.sent[number]
    (record,) = table.records
    assert [attempt.outcome for attempt in record.attempts] == ["gateway"]
    assert record.fault.startswith("ZeroDivisionError at gephyr_core/exchange/")
    table.finish()


def test_a_fault_blames_no_account() -> None:
    """However often it comes, the account serves the next request."""
    table = Table()
    for _ in range(10):
        table.ask()
        (call,) = table.take_calls()
        with fault_at_call(1, ("gephyr_core.exchange.receiving",)):
            table.head(call)
    table.finish()
    assert len(table.faults) == 10


def test_a_fault_beside_all_exchanges_is_told_and_time_goes_on() -> None:
    """What was to be done for the time's sake is tried again after a second, not at once and for ever."""
    table = Table()
    with fault_at_call(1, ("gephyr_core.operations",)):
        table.feed(StateRestored())
    (fault,) = table.faults
    assert (fault.during, fault.request_id) == ("StateRestored", "")
    table.finish()


def test_misuse_is_still_the_callers() -> None:
    table = Table()
    table.ask()
    with pytest.raises(LocalProtocolError):
        table.gateway.receive(RequestEnded(1), table.now)
    table.finish()
    assert not table.faults


@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_of_the_front_end_ends_its_exchange_like_one_of_the_core(stream: bool) -> None:
    table = Table()
    failed, other = table.ask(stream=stream), table.ask(stream=stream)
    if stream:
        table.begin(table.calls[0])
    table.feed(FrontEndFailed(failed, InternalError("KeyError", "gephyr/server/x.py", 7, "data_received", 0.0)))
    assert table.heads[failed].status == (200 if stream else 500)
    assert b"the gateway failed on this request" in table.sent[failed]
    (fault,) = table.faults
    assert (fault.at, fault.request_id) == (table.now, table.records[0].request_id)
    assert table.records[0].fault == "KeyError at gephyr/server/x.py:7"
    table.finish()
    assert table.records[1].outcome == "ok"
    assert other in table.laws.ended


def test_a_fault_of_the_front_end_that_concerns_no_exchange_is_told() -> None:
    table = Table()
    over = table.ask()
    table.answer_all()
    for exchange in (0, over):
        table.feed(FrontEndFailed(exchange, InternalError("KeyError", "gephyr/server/x.py", 7, "expire", 0.0)))
    assert [(fault.place, fault.request_id) for fault in table.faults] == [("KeyError at gephyr/server/x.py:7", "")] * 2
    table.finish()


def test_a_client_whose_error_cannot_be_told_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder fails at the provider's error, and again at our own: the connection is cut, all is given back."""
    table = Table()
    exchange = table.ask("anthropic")
    [call] = table.take_calls()
    with monkeypatch.context() as patched:
        patched.setattr(rendering, "encode_json", _broken_encoder)
        table.feed(UpstreamStarted(call.exchange, call.attempt, 400, []))
        table.feed_live(call, UpstreamBody(call.exchange, call.attempt, b"{}"))
        table.feed_live(call, UpstreamEnded(call.exchange, call.attempt))
    assert (table.aborted, table.heads) == ([exchange], {})
    assert [(record.outcome, record.error) for record in table.records] == [("failed", "server")]
    assert len(table.faults) == 1
    table.finish()


def _broken_encoder(_value: object) -> bytes:
    raise ZeroDivisionError(SECRET)
