"""Every field of every request, reply and event, with a value of every JSON type in its place.

Requests go through the whole core, translated and passed on: what comes of one is a call or a 400-class answer that
names a field. A provider's reply is read, or is a ``ValueError``; its stream becomes deltas, whatever is in it.
"""

import contextlib
import copy
import itertools
import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import msgspec
import pytest

from gephyr_core.commands import CallUpstream, Command, Compute, Load, SendBody, StartResponse
from gephyr_core.computing import answer as answer_of
from gephyr_core.config import AccountConfig, AuthConfig, Config, ModelsConfig, TranslationConfig
from gephyr_core.conversation.report import Report
from gephyr_core.dialects import DIALECTS as READERS
from gephyr_core.dialects.decoding import read_object
from gephyr_core.events import ClientGone, Event, RequestBody, RequestEnded, RequestStarted
from gephyr_core.gateway import Gateway
from gephyr_core.sse import SseFramer, encode, parse
from tests.translation.full_requests import FULL
from tests.translation.recorded import DIALECTS, Recording, recordings
from tests.translation.translating import TRANSLATORS, read_deltas, write_reply, write_stream

ANYTHING: tuple[Any, ...] = (None, True, 10**30, 3.5, "", "x", ["x"], [{}], {"x": [1]})
PROVIDERS = {"openai": "m", "anthropic": "claude-x", "gemini": "gemini-3-pro", "groq": "m"}
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/to-{provider}:generateContent",
}
LARGEST = 10_000
"""Bytes of a recording that is used."""
TOLD_APART = 2
"""Steps of a path by which fields are told apart, each with the type of what it is in."""
Path = tuple[Any, ...]
_NAMED = re.compile(r'"message":"([A-Za-z_]+(?:[.\[][A-Za-z_0-9.\[\]]*)?): ')
"""How an error names a field."""


@attrs.frozen
class Place:
    """A field of a JSON object."""

    body: Any
    path: Path

    def put(self, value: Any) -> bytes:
        """The object with another value there."""
        inner = self.body
        for step in self.path[:-1]:
            inner = inner[step]
        was, inner[self.path[-1]] = inner[self.path[-1]], value
        changed = msgspec.json.encode(self.body)
        inner[self.path[-1]] = was
        return changed


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value inside another."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from paths_of(inner, (*path, step))


def kind_of(body: Any, path: Path) -> Path:
    """What tells a field from others: list positions do not."""
    steps: list[Any] = []
    for step in path:
        told = body.get("type") if isinstance(body, dict) else None
        steps.append("[]" if isinstance(step, int) else (told if isinstance(told, str) else "", step))
        body = body[step]
    return tuple(steps[-TOLD_APART:])


def places(bodies: Sequence[Any]) -> list[Place]:
    """Each kind of field that there is, once, where the body is the shortest."""
    found: dict[Path, Place] = {}
    for body in sorted(bodies, key=lambda body: len(json.dumps(body))):
        for path in paths_of(body):
            found.setdefault(kind_of(body, path), Place(body, path))
    return list(found.values())


def small(dialect: str, *, streamed: bool | None = None) -> list[Recording]:
    return [
        one
        for one in recordings(dialect)
        if len(one.request) < LARGEST and len(one.reply) < LARGEST and streamed in (None, one.streamed)
    ]


class Server:
    """A gateway with an account of each kind."""

    def __init__(self) -> None:
        accounts = tuple(
            AccountConfig(id=name, provider=name, api_key=f"account:{name}", base_url=f"https://{name}.test")
            for name in PROVIDERS
        )
        routes = {f"to-{name}": (f"{name}/{model}",) for name, model in PROVIDERS.items()}
        config = Config(
            accounts=accounts,
            auth=AuthConfig(mode="off"),
            models=ModelsConfig(routes=routes),
            translation=TranslationConfig(fetch_urls=False),
        )
        self._gateway = Gateway(config, random.Random(1))
        self._exchange = 0

    def ask(self, target: str, body: bytes) -> list[Command]:
        """Send a request, and leave."""
        self._exchange += 1
        exchange, now = self._exchange, 1000.0 * self._exchange
        commands: list[Command] = []
        events: list[Event] = [
            RequestStarted(exchange, "POST", target, [], (), "127.0.0.1"),
            RequestBody(exchange, body),
            RequestEnded(exchange),
        ]
        for event in events:
            told = self._gateway.receive(event, now)
            commands += told
            events += [answer_of(one) for one in told if isinstance(one, Compute)]
        if not any(isinstance(one, StartResponse) for one in commands):
            self._gateway.receive(ClientGone(exchange), now)
        return commands


def called(commands: Sequence[Command]) -> bool:
    """Whether somebody is asked: a provider, or the store."""
    return any(isinstance(one, CallUpstream | Load) for one in commands)


def answer(commands: Sequence[Command]) -> tuple[int, str]:
    """The status and the body of the gateway's own answer."""
    status = next(one.status for one in commands if isinstance(one, StartResponse))
    return status, b"".join(one.data for one in commands if isinstance(one, SendBody)).decode()


def ask(server: Server, dialect: str, provider: str, body: bytes) -> list[Command]:
    """Ask for a model of a provider."""
    return server.ask(PATHS[dialect].format(provider=provider), body)


def accepted(server: Server, dialect: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
    """The request without what cannot be translated for the provider."""
    body = copy.deepcopy(body)
    if dialect != "gemini":
        body["model"] = f"to-{provider}"
    while not called(commands := ask(server, dialect, provider, msgspec.json.encode(body))):
        status, told = answer(commands)
        assert status == 400, told
        path = _NAMED.search(told)
        assert path is not None, told
        _without(body, [int(step) if step.isdigit() else step for step in re.findall(r"\w+", path[1])])
    return body


def _without(body: Any, path: list[Any]) -> None:
    """Take out what a path leads to, or the nearest thing that it is in."""
    holder, key = body, path[0]
    for step in path[1:]:
        inner = holder[key]
        if not (isinstance(inner, dict) and step in inner) and not isinstance(inner, list):
            break
        holder, key = inner, step
    del holder[key]


def wrong(server: Server, dialect: str, provider: str, place: Place) -> Iterator[str]:
    """What comes of a field's other values that should not."""
    for value in ANYTHING:
        commands = ask(server, dialect, provider, place.put(value))
        if not called(commands):
            status, told = answer(commands)
            named = _NAMED.search(told) or any(name in told for name in place.body)
            if not (400 <= status < 500 and named):
                yield f"{provider} {place.path} = {value!r}: {status} {told}"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_of_any_type_is_passed_on_or_a_400_that_names_one(dialect: str, provider: str) -> None:
    """``"role": ["user"]`` closed the connection: a type is the client's to choose, in every place."""
    server = Server()
    bodies = [accepted(server, dialect, provider, body) for body in FULL[dialect]]
    found = [problem for place in places(bodies) for problem in wrong(server, dialect, provider, place)]
    assert found == []


@pytest.mark.recordings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_recorded_field_of_any_type_is_passed_on_or_a_400_that_names_one(dialect: str) -> None:
    """The fields of recorded requests, each for one provider or another."""
    server, providers, found = Server(), itertools.cycle(PROVIDERS), []
    for place in places([one.body() for one in small(dialect)]):
        provider = next(providers)
        if dialect != "gemini":
            place = attrs.evolve(place, body={**place.body, "model": f"to-{provider}"})  # noqa: PLW2901
        found += wrong(server, dialect, provider, place)
    assert found == []


@pytest.mark.recordings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_of_any_type_in_a_reply_is_read_or_a_value_error(dialect: str) -> None:
    """A provider's fault must not be ours."""
    targets = itertools.cycle(DIALECTS)
    for place in places([json.loads(one.reply) for one in small(dialect, streamed=False)]):
        for value in ANYTHING:
            data = place.put(value)
            READERS[dialect].read_whole(data, generates=True)
            with contextlib.suppress(ValueError):
                reply = TRANSLATORS[dialect].read_reply(data, Report())
                write_reply(next(targets), reply)


@pytest.mark.recordings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_of_any_type_in_an_event_is_read(dialect: str) -> None:
    """As a delta or as a failure, and the next events too."""
    targets = itertools.cycle(DIALECTS)
    seen: dict[Path, None] = {}
    for recording in sorted(small(dialect, streamed=True), key=lambda one: len(one.reply)):
        events = SseFramer.events(recording.reply)
        for number, event in enumerate(events):
            told = parse(event)
            body = read_object(told.data)
            for place in places([body]) if body is not None else ():
                kind = (told.event, *kind_of(body, place.path))
                if kind in seen:
                    continue
                seen[kind] = None
                for value in ANYTHING:
                    other = encode(place.put(value), told.event)
                    stream = b"".join([*events[:number], other, *events[number + 1 :]])
                    write_stream(next(targets), read_deltas(dialect, stream))
                    reader = READERS[dialect].stream_reader(max_line=1 << 20)
                    reader.classify(other)
                    assert reader.usage is None or reader.usage.output is None or reader.usage.output >= 0


_DEEP = (
    "schema",
    "parameters",
    "parametersJsonSchema",
    "input_schema",
    "content",
    "args",
    "input",
    "response",
    "$defs",
)
DEPTHS = (120, 310, 480, 900)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_of_any_depth_is_passed_on_or_a_400(dialect: str, provider: str) -> None:
    """What can be read can be too deep to be written again, with the writers' own depth on top."""
    server = Server()
    bodies = [accepted(server, dialect, provider, body) for body in FULL[dialect]]
    for place in places(bodies):
        if len(place.path) > 1 and place.path[-1] not in _DEEP:
            continue
        for depth in DEPTHS:
            for opened, closed in (('{"properties":{"a":', "}}"), ('{"allOf":[', "]}")):
                deep = f"{opened * depth}1{closed * depth}"
                body = place.put("DEEP").replace(b'"DEEP"', deep.encode())
                commands = server.ask(PATHS[dialect].format(provider=provider), body)
                assert called(commands) or 400 <= answer(commands)[0] < 500, (place.path, depth, opened)


@pytest.mark.parametrize("role", [["user"], [], {}, {"a": 1}, 0, 1.5, True])
@pytest.mark.parametrize(
    ("dialect", "turns"), [("openai-chat", "messages"), ("anthropic", "messages"), ("gemini", "contents")]
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_role_that_is_no_text_is_a_400_that_names_it(provider: str, dialect: str, turns: str, role: Any) -> None:
    """Passed on or translated: nobody takes it."""
    turn = {"role": role, "content": "Hello", "parts": [{"text": "Hello"}]}
    body = msgspec.json.encode({"model": f"to-{provider}", "max_tokens": 9, turns: [turn]})
    status, told = answer(ask(Server(), dialect, provider, body))
    assert status == 400
    assert f"{turns}[0].role" in told
