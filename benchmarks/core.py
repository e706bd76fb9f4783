"""Measure the core alone, without sockets: ``python -m benchmarks.core``.

Events go in, commands come out, and nothing else happens; so this shows what deciding costs, and it repeats within a
few percent. The traffic is that of the benchmarks over sockets, one exchange at a time and many at once.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from benchmarks.traffic import reply_body, reply_events, request_body
from gephyr_core.commands import CallUpstream, Command, Observe
from gephyr_core.config import AccountConfig, AuthConfig, Config
from gephyr_core.events import (
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamStarted,
)
from gephyr_core.gateway import Gateway

_KEY_DIGEST = "ab" * 32
_HEADERS = (
    (b"host", b"127.0.0.1:8045"),
    (b"user-agent", b"OpenAI/Python 3.54.0"),
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"x-stainless-lang", b"python"),
    (b"x-stainless-retry-count", b"0"),
    (b"content-length", b"1900"),
)
_REPLY_HEADERS = (
    (b"content-type", b"application/json"),
    (b"openai-processing-ms", b"412"),
    (b"x-ratelimit-remaining-requests", b"9999"),
    (b"x-request-id", b"req_0123456789abcdef"),
)
_STREAM_HEADERS = ((b"content-type", b"text/event-stream; charset=utf-8"), *_REPLY_HEADERS[1:])


class Bench:
    """Drives one gateway with several accounts, on a clock that the events move."""

    def __init__(self) -> None:
        accounts = tuple(
            AccountConfig(id=f"openai-{n}", provider="openai", api_key=f"account:openai-{n}") for n in range(4)
        )
        config = Config(accounts=accounts, auth=AuthConfig(api_keys=(_KEY_DIGEST,)))
        self._gateway = Gateway(config, random.Random(1))
        self._exchanges = count(1)
        self._now = 1_800_000_000.0
        self._plain, self._stream = request_body(stream=False), request_body(stream=True)
        self._reply, self._events = reply_body(), reply_events()

    def plain_request(self) -> None:
        """One request with a whole answer, from head to end."""
        number, attempt = self._started(self._plain)
        self._feed(UpstreamStarted(number, attempt, 200, _REPLY_HEADERS))
        self._feed(UpstreamBody(number, attempt, self._reply))
        self._ends_with(UpstreamEnded(number, attempt))

    def streamed_events(self, streams: int) -> float:
        """Return the CPU seconds of one streamed event, each read by itself, one of each stream in turn."""
        started = [self._started(self._stream) for _ in range(streams)]
        for number, attempt in started:
            self._feed(UpstreamStarted(number, attempt, 200, _STREAM_HEADERS))
        # Made beforehand: what is measured is the core, not who feeds it.
        *usual, last = self._events
        events = [UpstreamBody(number, attempt, data) for data in usual for number, attempt in started]
        receive, now = self._gateway.receive, self._now
        began = time.process_time()
        for event in events:
            receive(event, now)
        used = time.process_time() - began
        for number, attempt in started:
            self._ends_with(UpstreamBody(number, attempt, last))
        return used / len(events)

    def _started(self, body: bytes) -> tuple[int, int]:
        number = next(self._exchanges)
        self._feed(RequestStarted(number, "POST", "/v1/chat/completions", _HEADERS, (_KEY_DIGEST,), "127.0.0.1"))
        self._feed(RequestBody(number, body))
        for command in self._feed(RequestEnded(number)):
            if isinstance(command, CallUpstream):
                return number, command.attempt
        raise AssertionError("the request did not lead to a call")

    def _ends_with(self, event: Event) -> None:
        (fact,) = (c.fact for c in self._feed(event) if isinstance(c, Observe))
        assert fact.outcome == "ok", fact

    def _feed(self, event: Event) -> Sequence[Command]:
        self._now += 1e-5
        if self._gateway.deadline <= self._now:
            self._gateway.receive(TimePassed(), self._now)
        return self._gateway.receive(event, self._now)


def figures() -> Iterator[tuple[str, float, float]]:
    """Measure; yield what, the seconds it took, and the budget in microseconds.

    The least of several rounds counts, since all that disturbs adds.
    """
    bench = Bench()
    yield "a request with a whole answer", min(_seconds_of(bench.plain_request, 1000) for _ in range(5)), 60
    yield "a streamed event, one stream", min(bench.streamed_events(1) for _ in range(50)), 2
    yield "a streamed event, 200 streams in turn", min(bench.streamed_events(200) for _ in range(5)), 2


def _seconds_of(work: Callable[[], None], repeat: int) -> float:
    began = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - began) / repeat


def main() -> None:
    """Run the benchmark."""
    print(f"{'the core alone, microseconds of CPU':44}{'measured':>10}{'budget':>10}")
    for name, seconds, budget in figures():
        print(f"{name:44}{seconds * 1e6:>10.2f}{budget:>10g}")


if __name__ == "__main__":
    main()
