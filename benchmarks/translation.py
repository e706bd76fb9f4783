"""Measure translations: ``python -m benchmarks.translation``.

Three figures for each pair of a client's and a provider's dialect: a streamed event of text, read and written by the
translators alone; the same event through the whole core, beside one that is passed through; and a coding agent's
request of 100 KB with 60 tools and 80 turns, read and written.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import attrs
import msgspec

from gephyr_core.commands import CallUpstream, Command
from gephyr_core.config import AccountConfig, AuthConfig, Config
from gephyr_core.conversation.parts import Text, ToolCall, ToolResult
from gephyr_core.conversation.prompt import FunctionTool, Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, Ended, PartEnded, PartStarted, Started, Stop, StopReason, TextAdded
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import Destination, ReplyContext, Translator
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.events import (
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    TimePassed,
    UpstreamBody,
    UpstreamStarted,
)
from gephyr_core.gateway import Gateway
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer

_EVENTS = 200
_ROUNDS = 30
_TOOLS, _TURNS = 60, 80
_SMALLEST_AGENT_REQUEST = 100_000
_KEY_DIGEST = "ab" * 32
_CONTEXT = ReplyContext(key="bench", created=1_800_000_000, model="m")
_PROVIDERS = {"openai-chat": "openai", "openai-responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
_PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
}


def reply_events(translator: Translator) -> list[bytes]:
    """Return a provider's stream: its beginning, ``_EVENTS`` events of text; the end is left out."""
    deltas: list[Delta] = [Started("reply-1", "m", Usage(input=412, output=1)), PartStarted(0, Text(""))]
    deltas += [TextAdded(0, f" tok{number:03}") for number in range(_EVENTS)]
    deltas += [PartEnded(0), Ended(Stop(StopReason.END), Usage(input=412, output=200))]
    writer = translator.delta_writer(_CONTEXT)
    return SseFramer.events(b"".join(map(writer.write, deltas)))


def texts_of(events: Sequence[bytes]) -> slice:
    """Where the events of text stand."""
    first = next(number for number, event in enumerate(events) if b" tok001" in event)
    return slice(first, first + _EVENTS - 2)


def agent_request(dialect: str) -> bytes:
    """Return a coding agent's request in the *dialect*."""
    properties = {
        name: {"type": "string", "description": f"The {name} to use. " * 3} for name in ("path", "pattern", "content")
    }
    schema = {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}
    tools = tuple(FunctionTool(f"tool_{n}", f"Does thing number {n}. " * 10, schema) for n in range(_TOOLS))
    turns: list[Turn] = []
    for number in range(_TURNS // 2):
        name, call = f"tool_{number % _TOOLS}", f"call_{number}"
        arguments = json.dumps({"path": f"src/module_{number}.py", "content": "x = 1\n" * 30})
        turns.append(Turn(Role.ASSISTANT, (Text("I look at the file. " * 10), ToolCall(call, name, arguments))))
        turns.append(Turn(Role.USER, (ToolResult(call, (Text("def f():\n    return 1\n" * 35),), name=name),)))
    begun = Turn(Role.USER, (Text("Mend the failing test."),))
    prompt = Prompt("made", "m", (Text("You are a coding agent. " * 200),), (begun, *turns), tools)
    body = TRANSLATORS[dialect].write_request(prompt, _destination(dialect), Report()).body
    data = msgspec.json.encode(body)
    assert len(data) >= _SMALLEST_AGENT_REQUEST, len(data)
    return data


def _destination(dialect: str) -> Destination:
    return Destination(dialect, _PROVIDERS[dialect], "m")


@attrs.frozen
class Pair:
    """A client's dialect and a provider's."""

    client: str
    provider: str

    def event(self) -> float:
        """Return the seconds of an event of text in the translators alone."""
        events = reply_events(TRANSLATORS[self.provider])
        where = texts_of(events)
        return min(self._events(events, where) for _ in range(_ROUNDS)) / (where.stop - where.start)

    def _events(self, events: Sequence[bytes], where: slice) -> float:
        read = TRANSLATORS[self.provider].delta_reader(Report()).read
        write = TRANSLATORS[self.client].delta_writer(_CONTEXT).write
        for event in events[: where.start]:
            for delta in read(event):
                write(delta)

        def work() -> None:
            for event in events[where]:
                for delta in read(event):
                    write(delta)

        return _seconds_of(work)

    def request(self) -> float:
        """Return the seconds of the agent's request, from bytes to bytes."""
        data = agent_request(self.client)
        reader, writer = TRANSLATORS[self.client], TRANSLATORS[self.provider]
        destination = _destination(self.provider)

        def work() -> None:
            report = Report()
            prompt = reader.read_request(msgspec.json.decode(data), report, model="m", stream=True)
            msgspec.json.encode(writer.write_request(prompt, destination, report).body)

        return min(_seconds_of(work) for _ in range(_ROUNDS))

    def core(self) -> float:
        """Return the seconds of an event of text in the whole core."""
        events = reply_events(TRANSLATORS[self.provider])
        where = texts_of(events)
        bench = Bench(self)
        return min(bench.stream(events, where) for _ in range(_ROUNDS)) / (where.stop - where.start)


class Bench:
    """Drives one gateway whose only account is the pair's provider's."""

    def __init__(self, pair: Pair) -> None:
        name = _PROVIDERS[pair.provider]
        account = AccountConfig(id="a", provider=name, api_key="account:a", dialect=pair.provider, models=("*",))
        config = Config(accounts=(account,), auth=AuthConfig(api_keys=(_KEY_DIGEST,)))
        self._gateway = Gateway(config, random.Random(1))
        self._path = _PATHS[pair.client]
        destination = _destination(pair.client)
        prompt = Prompt("made", "m", turns=(Turn(Role.USER, (Text("Hi"),)),), stream=True)
        body = TRANSLATORS[pair.client].write_request(prompt, destination, Report()).body
        self._body = msgspec.json.encode(body)
        self._exchanges = count(1)
        self._now = 1_800_000_000.0

    def stream(self, events: Sequence[bytes], where: slice) -> float:
        """Return the seconds of the events of text of one exchange."""
        number, attempt = self._started()
        for event in events[: where.start]:
            self._feed(UpstreamBody(number, attempt, event))
        # Made beforehand: what is measured is the core, not who feeds it.
        bodies = [UpstreamBody(number, attempt, event) for event in events[where]]
        receive, now = self._gateway.receive, self._now

        def work() -> None:
            for body in bodies:
                receive(body, now)

        return _seconds_of(work)

    def _started(self) -> tuple[int, int]:
        number = next(self._exchanges)
        headers = ((b"host", b"127.0.0.1"), (b"content-type", b"application/json"))
        self._feed(RequestStarted(number, "POST", self._path, headers, (_KEY_DIGEST,), "127.0.0.1"))
        self._feed(RequestBody(number, self._body))
        for command in self._feed(RequestEnded(number)):
            if isinstance(command, CallUpstream):
                reply = ((b"content-type", b"text/event-stream"),)
                self._feed(UpstreamStarted(number, command.attempt, 200, reply))
                return number, command.attempt
        raise AssertionError("the request did not lead to a call")

    def _feed(self, event: Event) -> Sequence[Command]:
        self._now += 1e-5
        if self._gateway.deadline <= self._now:
            self._gateway.receive(TimePassed(), self._now)
        return self._gateway.receive(event, self._now)


def _seconds_of(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def table() -> Iterator[str]:
    """Measure, and yield the lines of a table; budgets stand in its head."""
    passed = {dialect: Pair(dialect, dialect).core() for dialect in _PATHS}
    yield "| client | provider | event, translators | event, core | passed through | ratio (2.5) | request, ms (5) |"
    yield "|---|---|---|---|---|---|---|"
    for provider in _PATHS:
        for client in _PATHS:
            if client != provider:
                pair = Pair(client, provider)
                event, core, request = pair.event() * 1e6, pair.core() * 1e6, pair.request() * 1e3
                through = passed[provider] * 1e6
                yield (
                    f"| {client} | {provider} | {event:.2f} | {core:.2f} | {through:.2f} | "
                    f"{core / through:.1f} | {request:.2f} |"
                )


def main() -> None:
    """Run the benchmark."""
    for line in table():
        print(line, flush=True)


if __name__ == "__main__":
    main()
