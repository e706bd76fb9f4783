"""The nets over recorded traffic: for each recording, rows of a name and a text that says what the gateway does.

- ``requests``: what each recorded request becomes on its way to a provider of each dialect, its own included;
- ``replies``: what a client of each dialect gets of each recorded reply, cut in several ways;
- ``kept``: what becomes of a next request that refers to a response which the gateway keeps itself.
"""

import json
from collections.abc import Callable, Iterator

import attrs

from gephyr_core.commands import CallUpstream
from gephyr_core.pins import LIFETIME
from gephyr_core.records import Pin, StoredObject
from tests.nets.asking import (
    DIALECT_OF,
    DIALECTS,
    TARGETS,
    Provider,
    asked,
    cuttings,
    digest,
    head,
    minimal,
    own,
    signatures,
    with_stream,
)
from tests.nets.talking import START, Answer, Answering, Asked, Talk
from tests.replay.recordings import Exchange

Row = tuple[str, str]
"""A name, and what is to stay as it is."""


def requests(exchange: Exchange) -> Iterator[Row]:
    """The rows of a recorded request."""
    one = asked(exchange)
    pins = [_pin(name, "a", "there") for name in exchange.references]
    yield "as it is", _request(own(exchange), one, pins)
    yield "renamed", _request(own(exchange, "another-model"), one, [attrs.evolve(pin, upstream_id="x") for pin in pins])
    if exchange.file == "anthropic-messages" and (signed := signatures(exchange)):
        elsewhere = [_pin(digest(signature), "gone", "elsewhere") for signature in signed]
        yield "signed elsewhere", _request(own(exchange), one, elsewhere)
    if exchange.file in {*DIALECT_OF, "anthropic-count-tokens", "gemini-count-tokens"}:
        for name, provider in TARGETS.items():
            yield f"to {name}", _request(provider, one, pins)


def replies(exchange: Exchange) -> Iterator[Row]:
    """The rows of a recorded reply."""
    dialect = DIALECT_OF.get(exchange.file)
    if dialect is None or exchange.method != "POST":
        yield "as it is", _cut(own(exchange), asked(exchange), exchange)
        return
    pins = [_pin(name, "a", "there") for name in exchange.references]
    for stream in (False, True):
        form = "a stream" if stream else "a whole reply"
        one = with_stream(asked(exchange), dialect, stream=stream)
        yield f"{form} to its own client", _cut(own(exchange), one, exchange, pins)
        if dialect not in DIALECTS:
            continue
        provider = TARGETS[dialect]
        for client in DIALECTS:
            if client != dialect:
                yield f"{form} to {client}", _cut(provider, _as_asked_by(client, one, stream), exchange)
        older = with_stream(minimal("openai-completions"), "openai-completions", stream=stream)
        yield f"{form} to openai-completions", _cut(provider, older, exchange)
    if dialect in DIALECTS:
        array = with_stream(minimal("gemini"), "gemini", stream=True)
        array = attrs.evolve(array, target=array.target.partition("?")[0])
        yield "an array to gemini", _cut(TARGETS[dialect], array, exchange)


def kept(exchange: Exchange) -> Iterator[Row]:
    """The rows of a recorded reply that the gateway keeps for a client of Responses, since its provider keeps none."""
    dialect = DIALECT_OF.get(exchange.file)
    if dialect not in DIALECTS or dialect == "openai-responses" or exchange.status != 200:
        return
    stream = exchange.reply_headers["content-type"].startswith("text/event-stream")
    one = with_stream(asked(exchange), dialect, stream=stream)
    first = Talk(TARGETS[dialect].config(), _always(_whole(exchange)))
    first.ask(_stored(_as_asked_by("openai-responses", one, stream)))
    objects = {record.object_id: record for record in first.saved if isinstance(record, StoredObject)}
    pins = [record for record in first.saved if isinstance(record, Pin)]
    for name, record in objects.items():
        again = minimal("openai-responses")
        body = json.loads(again.body) | {"previous_response_id": name}
        again = attrs.evolve(again, body=json.dumps(body).encode())
        for target in DIALECTS:
            yield f"followed by {target}", _request(TARGETS[target], again, pins, objects)
        shown = Talk(TARGETS[dialect].config(), _leaving, pins=pins, kept=objects)
        shown.ask(Asked("GET", f"/v1/responses/{name}", (), b""))
        yield f"shown as {record.kind}", shown.text()


NETS: dict[str, Callable[[Exchange], Iterator[Row]]] = {"requests": requests, "replies": replies, "kept": kept}
"""What is made of each recording."""


def _request(provider: Provider, one: Asked, pins: list[Pin], objects: dict[str, StoredObject] | None = None) -> str:
    """What becomes of a request on its way there, and what is said of it; its client does not wait for the reply."""
    talk = Talk(provider.config(), _leaving, pins=pins, kept=objects)
    talk.ask(one)
    return talk.text()


def _cut(provider: Provider, one: Asked, exchange: Exchange, pins: list[Pin] | None = None) -> str:
    """What a client gets of a recorded reply, however it is cut. What is as before is not told again."""
    told: list[str] = []
    first: dict[str, list[str]] = {}
    config = provider.config(accounts=2)
    for how, answer in cuttings(exchange):
        talk = Talk(config, _first_then(answer, _whole(exchange)), pins=pins or [])
        talk.ask(one)
        parts = talk.parts(sizes=bool(answer.pauses))
        told.append(f"## {how}")
        for name, lines in parts.items():
            told += [f"{name}: as in one piece"] if lines and first.get(name) == lines else lines
        first = first or parts
    return "\n".join(told)


def _as_asked_by(client: str, one: Asked, stream: bool) -> Asked:
    """A request as a client of another dialect would have sent it: as the gateway writes it; else a small one."""
    talk = Talk(TARGETS[client].config(), _leaving)
    talk.ask(one)
    if not talk.calls:
        return with_stream(minimal(client), client, stream=stream)
    call = talk.calls[0]
    return Asked(call.method, call.target, ((b"content-type", b"application/json"),), call.body)


def _stored(one: Asked) -> Asked:
    """A request for Responses, whose reply is to be kept."""
    body = json.loads(one.body)
    body.pop("include", None)
    return attrs.evolve(one, body=json.dumps(body | {"store": True}, ensure_ascii=False).encode())


def _leaving(_call: CallUpstream) -> Answer | None:
    return None


def _always(answer: Answer) -> Answering:
    return lambda _call: answer


def _first_then(answer: Answer, then: Answer) -> Answering:
    """The first call meets one answer, those after it another."""
    return lambda call: answer if call.attempt == 1 else then


def _whole(exchange: Exchange) -> Answer:
    return Answer(exchange.status, head(exchange), [exchange.reply])


def _pin(name: str, account: str, organization: str) -> Pin:
    return Pin("", name, account, organization, START + LIFETIME / 2)
