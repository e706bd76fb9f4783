"""The laws of the core, checked from its events and commands alone."""

from collections.abc import Sequence

from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelUpstream,
    Command,
    DetachUpstream,
    EndResponse,
    Observe,
    SendBody,
    StartResponse,
)
from gephyr_core.events import ClientGone, Event, UpstreamEnded, UpstreamFailed
from gephyr_core.records import RequestRecord


def records_come_before_last_bytes(commands: Sequence[Command]) -> None:
    """Whoever has the last byte of a response finds its record: checked for what one step of the core says."""
    lasts: dict[int, int] = {}
    """Where the last byte of each exchange's response stands."""
    records = []
    for place, one in enumerate(commands):
        if isinstance(one, Observe) and isinstance(one.fact, RequestRecord):
            records.append(place)
        elif isinstance(one, StartResponse | SendBody):
            lasts[one.exchange] = place
        elif isinstance(one, EndResponse | AbortResponse):
            assert records, f"{one} without a record"
            assert records.pop() < lasts.get(one.exchange, place), f"the record comes after the last byte before {one}"


class LawBook:
    """Watches every event and command, and raises ``AssertionError`` at the first breach."""

    def __init__(self) -> None:
        self.live: dict[int, int] = {}
        """Exchange to its attempt under way."""
        self.last_attempt: dict[int, int] = {}
        self.started: dict[int, int] = {}
        self.ended: dict[int, str] = {}
        self.gone: dict[int, None] = {}
        self.declared: dict[int, int] = {}
        self.sent: dict[int, int] = {}

    def watch(self, event: Event, commands: Sequence[Command]) -> None:
        """Take one step of the core."""
        if isinstance(event, UpstreamEnded | UpstreamFailed) and self.live.get(event.exchange) == event.attempt:
            del self.live[event.exchange]
        if isinstance(event, ClientGone):
            self.gone[event.exchange] = None
        records_come_before_last_bytes(commands)
        for command in commands:
            self._command(command)

    def _command(self, command: Command) -> None:
        exchange = getattr(command, "exchange", None)
        if exchange is None:
            return
        assert exchange not in self.ended, f"{command} after {self.ended[exchange]}"
        match command:
            case CallUpstream(attempt=attempt):
                assert exchange not in self.live, "two attempts at once"
                assert attempt == self.last_attempt.get(exchange, 0) + 1, "attempt numbers only grow, one by one"
                self.last_attempt[exchange] = self.live[exchange] = attempt
            case CancelUpstream(attempt=attempt) | DetachUpstream(attempt=attempt):
                assert self.live.pop(exchange, None) == attempt, "only the attempt under way is given up, once"
            case StartResponse(status=status, headers=headers):
                assert exchange not in self.started, "one head"
                self.started[exchange] = status
                for name, value in headers:
                    if name == b"content-length":
                        self.declared[exchange] = int(value)
            case SendBody(data=data):
                assert exchange in self.started, "no body without a head"
                assert data, "no empty piece"
                self.sent[exchange] = self.sent.get(exchange, 0) + len(data)
            case EndResponse():
                assert exchange in self.started, "no end without a head"
                assert self.declared.get(exchange, self.sent.get(exchange, 0)) == self.sent.get(exchange, 0)
                self._over(exchange, "EndResponse")
            case AbortResponse():
                self._over(exchange, "AbortResponse")

    def _over(self, exchange: int, how: str) -> None:
        assert exchange not in self.live, "an exchange ends after its attempt"
        assert exchange not in self.gone, "nobody is answered who left"
        self.ended[exchange] = how

    def close(self, exchanges: Sequence[int]) -> None:
        """At the end of time: every exchange was answered, unless its client left."""
        for exchange in exchanges:
            assert exchange in self.ended or exchange in self.gone, f"exchange {exchange} never ended"
        assert not self.live
