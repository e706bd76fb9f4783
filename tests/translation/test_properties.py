"""What holds of every translation, whatever the client said."""

import json
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import Refusal, Text, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination
from tests.translation.comparing import losses
from tests.translation.laws import broken_law
from tests.translation.recorded import DIALECTS, PAIRS, recordings
from tests.translation.said import said
from tests.translation.sdk_params import problem
from tests.translation.sdk_replies import stream_problem, whole_problem
from tests.translation.strategies_of_prompts import prompts, replies
from tests.translation.translating import (
    DESTINATIONS,
    TRANSLATORS,
    read_deltas,
    translations,
    write_reply,
    write_stream,
)

over_dialects = pytest.mark.parametrize("dialect", DIALECTS)
_TURNS = {"openai-chat": "messages", "openai-responses": "input", "anthropic": "messages", "gemini": "contents"}


def written(prompt: Prompt, destination: Destination, report: Report | None = None) -> dict[str, Any]:
    """The request's body as it is sent."""
    writer = TRANSLATORS[destination.dialect]
    body = writer.write_request(prompt, destination, Report() if report is None else report).body
    decoded: dict[str, Any] = json.loads(msgspec.json.encode(body))
    return decoded


def read(dialect: str, body: dict[str, Any], report: Report | None = None) -> Prompt:
    """A request's prompt."""
    own = json.loads(json.dumps(body))
    model, stream = str(body.get("model", "m")), bool(body.get("stream"))
    return TRANSLATORS[dialect].read_request(own, Report() if report is None else report, model=model, stream=stream)


@over_dialects
@settings(max_examples=40)
@given(prompt=prompts())
def test_what_is_written_is_valid_and_read_as_it_was_meant(dialect: str, prompt: Prompt) -> None:
    """Read, written and read again, a request is the same one."""
    body = written(prompt, DESTINATIONS[dialect])
    assert problem(dialect, body) == ""
    once = read(dialect, body)
    again = read(dialect, written(once, DESTINATIONS[dialect]))
    assert again == once


@pytest.mark.recordings
@over_dialects
def test_a_recorded_request_is_stable_after_one_translation(dialect: str) -> None:
    """Likewise for what real clients wrote."""
    for recording in recordings(dialect)[::3]:
        try:
            body = written(read(dialect, recording.body()), DESTINATIONS[dialect])
        except UntranslatableError:
            continue
        once = read(dialect, body)
        again = read(dialect, written(once, DESTINATIONS[dialect]))
        assert again == once, recording.id


@over_dialects
@settings(max_examples=40)
@given(prompt=prompts())
def test_earlier_turns_are_written_the_same_whatever_comes_later(dialect: str, prompt: Prompt) -> None:
    """Providers cache by prefix: one changed byte in an old turn costs the whole conversation."""
    key = _TURNS[dialect]
    whole = written(prompt, DESTINATIONS[dialect])[key]
    for count in range(1, len(prompt.turns)):
        if prompt.turns[count - 1].role is Role.USER:
            prefix = written(attrs.evolve(prompt, turns=prompt.turns[:count]), DESTINATIONS[dialect])[key]
            assert whole[: len(prefix)] == prefix


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=30)
@given(prompt=prompts())
def test_there_and_back_again_nothing_is_lost(source: str, target: str, prompt: Prompt) -> None:
    """What the other dialect can say comes back."""
    there = written(prompt, DESTINATIONS[source])
    across = written(read(source, there), DESTINATIONS[target])
    back = written(read(target, across), DESTINATIONS[source])
    assert losses(said(source, there), said(source, back), Report()) == []


@pytest.mark.recordings
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_recorded_requests_come_back(source: str, target: str) -> None:
    """What was said comes back from the other dialect, or one of the reports tells why not."""
    for translation in translations(source, target)[::4]:
        if translation.written is None:
            continue
        report = Report()
        prompt = read(target, translation.body, report)
        assert prompt.turns or prompt.system, translation.recording.id
        try:
            back = written(prompt, DESTINATIONS[source], report)
        except UntranslatableError:
            continue
        kept = said(source, back)
        texts = {part.text.strip() for turn in prompt.turns for part in turn.parts if isinstance(part, Text)}
        calls = [part.name for turn in prompt.turns for part in turn.parts if isinstance(part, ToolCall)]
        assert len([item for item in kept if item.kind == "call"]) == len(calls), translation.recording.id
        assert bool(texts - {""}) <= any(item.kind == "text" for item in kept), translation.recording.id


@over_dialects
@settings(max_examples=60)
@given(reply=replies())
def test_a_reply_is_valid_whole_and_streamed_and_the_same_both_ways(dialect: str, reply: Reply) -> None:
    """What a client reads of the whole reply and of the stream means the same."""
    whole, stream = write_reply(dialect, reply), write_stream(dialect, deltas_of(reply))
    assert whole_problem(dialect, whole) == ""
    assert stream_problem(dialect, stream) == ""
    deltas = read_deltas(dialect, stream)
    assert broken_law(deltas) == ""
    assembler = Assembler()
    for delta in deltas:
        assembler.add(delta)
    collected, once = assembler.reply(), TRANSLATORS[dialect].read_reply(whole, Report())
    assert meaning(collected) == meaning(once)
    assert meaning(reply)[0] in meaning(once)[0]  # what has no place elsewhere is told in the text
    assert meaning(reply)[1] == meaning(once)[1]
    assert (once.usage.input, once.usage.output) == (reply.usage.input, reply.usage.output)


def meaning(reply: Reply) -> tuple[Any, ...]:
    """What a user sees of a reply; Anthropic tells a refusal as text."""
    text = "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))
    calls = [(part.name, json.loads(part.arguments)) for part in reply.parts if isinstance(part, ToolCall)]
    return text, calls, reply.stop.reason, reply.usage.input, reply.usage.output


@over_dialects
@settings(max_examples=30)
@given(reply=replies())
def test_any_chunking_of_a_stream_gives_the_same_deltas(dialect: str, reply: Reply) -> None:
    """Byte by byte, or all at once."""
    stream = write_stream(dialect, deltas_of(reply))
    whole = read_deltas(dialect, stream)
    for cut in (1, 2, 7, 64):
        assert read_deltas(dialect, stream, cut) == whole
    assert read_deltas(dialect, stream.replace(b"\n", b"\r\n")) == whole
    assert read_deltas(dialect, b"\xef\xbb\xbf: hello\n\n" + stream) == whole
