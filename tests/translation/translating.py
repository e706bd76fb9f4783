"""Translations of recorded and made requests, run as the gateway runs them but for its input and output."""

import functools
import json
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.reply import Delta, Ended, Failed, Reply
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination, ReplyContext, Written
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.sse import SseFramer
from gephyr_core.translation.writing import write_prompt
from tests.translation.recorded import Recording, recordings


def _destination(dialect: str, kind: str, model: str) -> Destination:
    return Destination(dialect, kind, model, capabilities_of(kind, dialect, model, {}, None))


DESTINATIONS = {
    "openai-chat": _destination("openai-chat", "openai", "gpt-6-sol"),
    "openai-responses": _destination("openai-responses", "openai", "gpt-6-sol"),
    "anthropic": _destination("anthropic", "anthropic", "claude-opus-5-5"),
    "gemini": _destination("gemini", "gemini", "gemini-3-pro"),
}
"""A current model of each provider."""
OLDER_CLAUDE = _destination("anthropic", "anthropic", "claude-sonnet-4-5")
"""A model that differs from the current one in nearly everything."""


@attrs.frozen(eq=False)
class Translation:
    """What became of one request."""

    source: str
    recording: Recording
    prompt: Prompt | None
    report: Report
    written: Written | None
    refusal: UntranslatableError | FieldError | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The request as the provider would be sent it."""
        assert self.written is not None
        decoded: dict[str, Any] = json.loads(msgspec.json.encode(self.written.body))
        return decoded


def translate(recording: Recording, destination: Destination) -> Translation:
    """Translate one request."""
    report = Report()
    prompt = None
    try:
        reader = TRANSLATORS[recording.dialect]
        prompt = reader.read_request(recording.body(), report, model=recording.model, stream=recording.stream)
        prompt = attrs.evolve(prompt, model=destination.model)
        written = write_prompt(prompt, destination, report)
    except (UntranslatableError, FieldError) as error:
        return Translation(recording.dialect, recording, prompt, report, None, error)
    return Translation(recording.dialect, recording, prompt, report, written)


@functools.cache
def translations(source: str, target: str) -> tuple[Translation, ...]:
    """Every recorded request of a dialect, translated for another's provider."""
    return tuple(translate(recording, DESTINATIONS[target]) for recording in recordings(source))


# -- replies ----------------------------------------------------------------------------------------------------------

CONTEXT = ReplyContext(key="k7", created=1_800_000_000, model="asked-for")


def read_reply(recording: Recording) -> Reply:
    """Read a recorded reply, whole or streamed. Raises ``ValueError`` when it is none."""
    if not recording.streamed:
        return TRANSLATORS[recording.dialect].read_reply(recording.reply, Report())
    assembler = Assembler()
    for delta in read_deltas(recording.dialect, recording.reply):
        assembler.add(delta)
    if assembler.failure is not None:
        raise ValueError(assembler.failure.message)
    return assembler.reply()


def write_reply(dialect: str, reply: Reply, context: ReplyContext = CONTEXT) -> bytes:
    """Write a whole reply for a client."""
    return TRANSLATORS[dialect].write_reply(reply, context)


def read_deltas(dialect: str, stream: bytes, cut: int = 1 << 16) -> list[Delta]:
    """Read a stream that comes in pieces of *cut* bytes."""
    framer = SseFramer(1 << 26)
    reader = TRANSLATORS[dialect].delta_reader(Report())
    deltas: list[Delta] = []
    for start in range(0, len(stream), cut):
        for event in framer.split(stream[start : start + cut]):
            deltas += reader.read(event)
    if tail := framer.rest():
        deltas += reader.read(tail)
    if not any(isinstance(delta, Ended | Failed) for delta in deltas):
        deltas += reader.finish()
    return deltas


def write_stream(dialect: str, deltas: Iterable[Delta], context: ReplyContext = CONTEXT) -> bytes:
    """Write deltas for a client."""
    writer = TRANSLATORS[dialect].delta_writer(context)
    return b"".join([writer.write(delta) for delta in deltas])
