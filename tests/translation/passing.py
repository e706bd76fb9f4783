"""Requests and replies taken from one dialect to another as ``gephyr translate`` and the gateway take them."""

import json
from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.report import Fate, Report
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.sse import SseFramer, parse
from gephyr_core.translation.dialects import CLIENTS, TRANSLATORS
from gephyr_core.translation.requests import RequestTranslation, TranslatedCall, read_request, reply_context
from gephyr_core.translation.restoring import Restorer, restored
from tests.translation.translating import DESTINATIONS

PROVIDERS = ("openai-chat", "openai-responses", "anthropic", "gemini")
PAIRS = [(source, target) for source in PROVIDERS for target in PROVIDERS if source != target]


@attrs.frozen(eq=False)
class Passage:
    """One request, written for a provider, and its replies, written for the client."""

    source: str
    """The client's dialect."""
    target: str
    translation: RequestTranslation
    call: TranslatedCall
    tools: Any = None
    """As the client wrote them."""

    @property
    def body(self) -> dict[str, Any]:
        """What the provider is sent."""
        decoded: dict[str, Any] = json.loads(self.call.body)
        return decoded

    def dropped(self) -> list[str]:
        """The paths of what the request lost."""
        return self.call.report.paths(Fate.DROPPED)

    def context(self, report: Report) -> ReplyContext:
        """What writing a reply knows of the request."""
        body = json.dumps({"tools": self.tools}).encode()
        made = reply_context(self.translation.prompt, key="k", created=7, model="m", stored=False, body=body)
        return attrs.evolve(made, report=report)

    def reply(self, reply: dict[str, Any], report: Report | None = None) -> dict[str, Any]:
        """What the client gets of the provider's whole reply."""
        report = report or Report()
        read = TRANSLATORS[self.target].read_reply(json.dumps(reply).encode(), report)
        told = restored(read, Restorer(self.call.written, "", "k"))
        whole: dict[str, Any] = json.loads(CLIENTS[self.source].write_reply(told, self.context(report)))
        return whole

    def stream(self, events: bytes, report: Report | None = None) -> list[dict[str, Any]]:
        """The events that the client gets of the provider's stream."""
        report = report or Report()
        reader, restorer = TRANSLATORS[self.target].delta_reader(report), Restorer(self.call.written, "", "k")
        writer = CLIENTS[self.source].delta_writer(self.context(report))
        deltas = [delta for event in SseFramer(1 << 20).split(events) for delta in reader.read(event)]
        written = [writer.write(told) for raw in [*deltas, *reader.finish()] for told in restorer.feed(raw)]
        return list(decoded_events(b"".join(written)))


def asked(source: str, target: str, body: dict[str, Any]) -> Passage:
    """Write a client's request for a current model of the target's maker."""
    tools = body.get("tools")
    translation = read_request(source, json.dumps(body).encode(), model="m", stream=False, headers=())
    call = translation.call(DESTINATIONS[target], stream=False)
    assert call is not None
    return Passage(source, target, translation, call, tools)


def told(source: str, target: str, reply: dict[str, Any], report: Report | None = None) -> dict[str, Any]:
    """Write a provider's whole reply for a client, as ``gephyr translate --reply`` does."""
    report = report or Report()
    context = ReplyContext("k", 7, "m", report=report)
    read = TRANSLATORS[source].read_reply(json.dumps(reply).encode(), report)
    whole: dict[str, Any] = json.loads(CLIENTS[target].write_reply(read, context))
    return whole


def streamed(source: str, target: str, events: bytes, report: Report | None = None) -> list[dict[str, Any]]:
    """Write a provider's stream for a client, as ``gephyr translate --stream`` does."""
    report = report or Report()
    reader = TRANSLATORS[source].delta_reader(report)
    writer = CLIENTS[target].delta_writer(ReplyContext("k", 7, "m", report=report))
    deltas = [delta for event in SseFramer(1 << 20).split(events) for delta in reader.read(event)]
    written = b"".join(writer.write(delta) for delta in [*deltas, *reader.finish()])
    return list(decoded_events(written))


def decoded_events(written: bytes) -> Iterator[dict[str, Any]]:
    """Decode a stream's events."""
    for event in SseFramer(1 << 20).split(written):
        data = parse(event).data
        if data and data != "[DONE]":
            yield json.loads(data)


def stream_of(source: str, reply: dict[str, Any]) -> bytes:
    """The stream that a provider's whole reply would have been, as this gateway would write it."""
    read = TRANSLATORS[source].read_reply(json.dumps(reply).encode(), Report())
    writer = CLIENTS[source].delta_writer(ReplyContext("k", 7, "m"))
    return b"".join(writer.write(delta) for delta in deltas_of(read))


def sse(*values: dict[str, Any]) -> bytes:
    """Events as a provider writes them."""
    named = ((f"event: {value['type']}\n" if "type" in value else "", json.dumps(value)) for value in values)
    return "".join(f"{name}data: {data}\n\n" for name, data in named).encode()
