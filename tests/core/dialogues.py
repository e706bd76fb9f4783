"""Dialogues of one request with a gateway of two accounts, written as text: what came, and what was done.

The first account does what the scenario says; the second, of a lower priority, is well or fails alike.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import msgspec
from play import OPEN, account
from provider_scripts import Script, answered, events, failures, head, streams, whole, wholes

from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelUpstream,
    Command,
    EndResponse,
    Observe,
    ReadBody,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.config import Config, ModelsConfig, SchedulingConfig, ServerConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    DrainRequested,
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)
from gephyr_core.gateway import Gateway
from gephyr_core.records import AccountEvent, RequestRecord

_TARGETS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
_PROVIDERS = {
    "openai-chat": "openai-compatible",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
_ASKED: dict[str, dict[str, Any]] = {
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai-responses": {"model": "m", "input": "hi", "store": False},
    "anthropic": {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
_SHOWN = (
    b"content-type",
    b"retry-after",
    b"x-should-retry",
    b"x-gephyr-dropped",
    b"cache-control",
    b"x-gephyr-account",
)


@attrs.frozen
class Way:
    """A client and the providers it is served by."""

    client: str
    provider: str
    stream: bool
    array: bool = False
    """A Gemini client that takes its stream as an array."""

    @property
    def name(self) -> str:
        how = "array" if self.array else "stream" if self.stream else "whole"
        return f"{self.client}-by-{self.provider}-{how}"

    def config(self) -> Config:
        kind = _PROVIDERS[self.provider]
        dialect = {"dialect": "openai-chat"} if self.provider == "openai-chat" else {}
        accounts = [account(name, kind, priority=priority, **dialect) for name, priority in (("a", 1), ("b", 0))]
        return Config(
            accounts=tuple(accounts),
            auth=OPEN,
            server=ServerConfig(expose_account=True),
            models=ModelsConfig(routes={"m": (f"{kind}/served",)}),
            scheduling=SchedulingConfig(last_used_lock_seconds=0),
        )

    def request(self) -> tuple[str, bytes]:
        target, body = _TARGETS[self.client], dict(_ASKED[self.client])
        if self.client == "gemini":
            if self.stream:
                target = target.replace("generateContent", "streamGenerateContent") + ("" if self.array else "?alt=sse")
        elif self.stream:
            body["stream"] = True
        return target, msgspec.json.encode(body)


class Dialogue:
    """One request, told step by step."""

    def __init__(self, way: Way) -> None:
        self.gateway = Gateway(way.config(), random.Random(7))
        self.now = 1000.0
        self.lines: list[str] = []
        self.calls: list[CallUpstream] = []
        self.over = False
        target, body = way.request()
        self.feed(RequestStarted(1, "POST", target, [(b"content-type", b"application/json")], (), "127.0.0.1"))
        self.feed(RequestBody(1, body))
        self.feed(RequestEnded(1))

    def feed(self, event: Event, what: str = "") -> None:
        """Feed an event, and write down what is done."""
        if what:
            self.lines.append(f"> {what}")
        for command in self.gateway.receive(event, self.now):
            if line := self._told(command):
                self.lines.append(line)

    def _told(self, command: Command) -> str:
        match command:
            case CallUpstream():
                self.calls.append(command)
                fresh = ", on a fresh connection" if command.fresh else ""
                return f"call {command.account} {command.method} {command.target}{fresh}"
            case CancelUpstream():
                return "cancel the call"
            case StartResponse(status=status, headers=headers):
                shown = [f"{name.decode()}: {value.decode()}" for name, value in headers if name in _SHOWN]
                return f"answer {status} {'; '.join(shown)}"
            case SendBody(data=data):
                return f"send {_shown(data)}"
            case EndResponse():
                self.over = True
                return "end"
            case AbortResponse(reason=reason):
                self.over = True
                return f"abort: {reason}"
            case Observe(fact=RequestRecord() as record):
                return self._recorded(record)
            case Observe(fact=AccountEvent() as event):
                until = "" if event.until is None else f" for {event.until - self.now:g} s"
                return f"account {event.account}: {event.what} {event.model!r} {event.reason}{until}, stated {event.stated}"
            case Save(record=record):
                return f"save {type(record).__name__}"
            case Observe() | ReadBody():
                return ""
        return f"{type(command).__name__}"

    @staticmethod
    def _recorded(record: RequestRecord) -> str:
        tries = ", ".join(f"{one.account} {one.outcome} {one.status} {one.detail!r}" for one in record.attempts)
        usage = record.usage
        spent = "" if usage is None else f", {usage.input} and {usage.output} tokens"
        return (
            f"record: {record.outcome} {record.status} {record.error} of {record.account} ({record.model_served}){spent}, "
            f"{record.keepalives} keep-alives; {tries}"
        )

    def play(self, script: Script) -> None:
        """Have a provider's script played on the call under way, as far as it is one."""
        call = self.calls[-1]
        for step in script:
            if self.over or self.calls[-1] is not call:
                return
            match step:
                case (int() as status, list() as headers):
                    self.feed(UpstreamStarted(1, call.attempt, status, list(headers)), f"{status}")
                case bytes():
                    self.feed(UpstreamBody(1, call.attempt, step), f"{len(step)} bytes")
                case "end":
                    self.feed(UpstreamEnded(1, call.attempt), "the reply ends")
                case (Fault() as fault, Sent() as sent, bool() as reused):
                    self.feed(
                        UpstreamFailed(1, call.attempt, fault, "why", reused, sent), f"{fault.value}, sent {sent.name}"
                    )
                case _:
                    self._beside(step)

    def _beside(self, step: float | str) -> None:
        """What the clock, the client or the operator does."""
        match step:
            case float():
                self.now += step
                self.feed(TimePassed(), f"{step:g} s pass")
            case "deadline":
                passed = self.gateway.deadline - self.now
                self.now = self.gateway.deadline
                self.feed(TimePassed(), f"{passed:g} s pass")
            case "the client leaves":
                self.feed(ClientGone(1), step)
                self.over = True
            case "the client is slow":
                self.feed(ClientBlocked(1), step)
            case "the client reads on":
                self.feed(ClientReady(1), step)
            case "the gateway stops":
                self.feed(DrainRequested(), step)


def repeated(lines: list[str]) -> list[str]:
    """Two lines that stand several times one after the other are told once, with how often."""
    told: list[str] = []
    at = 0
    while at < len(lines):
        pair, times = lines[at : at + 2], 1
        while len(pair) == 2 and lines[at + 2 * times : at + 2 * times + 2] == pair:
            times += 1
        told += pair if times > 1 else lines[at : at + 1]
        if times > 1:
            told.append(f"(both {times} times)")
        at += 2 * times if times > 1 else 1
    return told


def _shown(data: bytes) -> str:
    """Bytes that are sent: short ones as they are, longer ones by their beginning, their length and a digest."""
    text = repr(data.decode("utf-8", "backslashreplace"))
    if len(text) <= 200:
        return text
    return f"{text[:90]}... ({len(data)} bytes, {hashlib.sha256(data).hexdigest()[:8]})"


def told(way: Way, script: Script, then: Script) -> list[str]:
    """The whole dialogue: the script on the first call, *then* on each later one."""
    dialogue = Dialogue(way)
    if not dialogue.calls:
        return dialogue.lines
    dialogue.play(script)
    tried = 1
    while not dialogue.over and len(dialogue.calls) > tried and tried < 6:
        tried = len(dialogue.calls)
        dialogue.play(then)
    dialogue.lines = repeated(dialogue.lines)
    if not dialogue.over:
        dialogue.lines.append(f"(open: {dialogue.gateway.deadline - dialogue.now:g} s to the next deadline)")
    else:
        assert (dialogue.gateway.open_exchanges, dialogue.gateway.open_leases) == (0, 0)
    return dialogue.lines


def well(way: Way) -> Script:
    """What the second account does where it is well."""
    if way.array:
        return answered(whole(way.provider))
    return [head(stream=True), *events(way.provider), "end"] if way.stream else answered(whole(way.provider))


def scripts(way: Way) -> Iterable[tuple[str, Script]]:
    """Every script for a way."""
    yield from (streams(way.provider) if way.stream and not way.array else wholes(way.provider))
    yield from failures(way.provider)


def lines(way: Way) -> Iterator[str]:
    """All dialogues of a way. One is told again with a second account that fails alike where that differs."""
    for name, script in scripts(way):
        yield f"## {name}"
        first = told(way, script, well(way))
        yield from first
        if any(line.startswith("call b") for line in first):
            yield "# and the other alike"
            again = told(way, script, script)
            common = next((at for at, pair in enumerate(zip(first, again, strict=False)) if pair[0] != pair[1]), 0)
            yield from again[common:]
