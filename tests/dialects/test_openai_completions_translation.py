"""Legacy Completions of clients, answered by other dialects."""

import json
from typing import Any

import pytest
from openai.types import Completion
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import Refusal, Text, Thinking
from gephyr_core.conversation.prompt import Prompt, Role, Sampling, Turn
from gephyr_core.conversation.reply import Failed, Reply, Started, Stop, StopReason
from gephyr_core.conversation.report import Fate, Report, UntranslatableError
from gephyr_core.dialects.openai_completions.translator import CompletionsTranslator
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage
from tests.recordings import traffic

COMPLETIONS = CompletionsTranslator()
CONTEXT = ReplyContext("key", 7, "asked")
WHOLE = TypeAdapter(Completion)
REPLY = Reply(
    "r", "told", (Thinking("Hm"), Text("a"), Text("b")), Stop(StopReason.MAX_TOKENS), Usage(input=3, output=2)
)


def read(report: Report | None = None, **body: Any) -> Prompt:
    return COMPLETIONS.read_request(body, report or Report(), model="m", stream=False)


def test_a_prompt_is_one_turn() -> None:
    report = Report()
    prompt = read(report, prompt=["Once"], max_tokens=5, stop="\n", user="me", best_of=3, logprobs=2, min_p=0.1)
    assert prompt.turns == (Turn(Role.USER, (Text("Once"),)),)
    assert prompt.sampling == Sampling(max_tokens=5, stop=("\n",))
    assert prompt.user == "me"
    assert prompt.native["min_p"].value == 0.1
    assert report.paths(Fate.EMULATED) == ["prompt"]
    assert report.paths(Fate.DROPPED) == ["logprobs", "best_of"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "n": 2}, "n"),
    ],
)
def test_what_would_change_the_reply_is_refused(body: dict[str, Any], path: str) -> None:
    with pytest.raises(UntranslatableError) as error:
        read(**body)
    assert error.value.path == path


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "prompt: is required"),
        ({"prompt": None}, "prompt: is required"),
        ({"prompt": 5}, "prompt: expected a string, got a number"),
        ({"prompt": "a", "max_tokens": "many"}, "max_tokens: expected a whole number, got a string"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(body: dict[str, Any], told: str) -> None:
    with pytest.raises(FieldError) as error:
        read(**body)
    assert str(error.value) == told


def test_a_reply_is_its_text() -> None:
    whole = json.loads(COMPLETIONS.write_reply(REPLY, CONTEXT))
    WHOLE.validate_python(whole)
    assert whole["choices"] == [{"text": "ab", "index": 0, "logprobs": None, "finish_reason": "length"}]
    assert (whole["id"], whole["model"], whole["usage"]["total_tokens"]) == ("cmpl-key", "told", 5)


def test_a_stream_is_its_text_in_pieces() -> None:
    writer = COMPLETIONS.delta_writer(CONTEXT)
    stream = b"".join(writer.write(delta) for delta in deltas_of(REPLY)).decode()
    assert stream.endswith("data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in stream.split("\n") if line.startswith("data: {")]
    assert [choice["text"] for chunk in chunks for choice in chunk["choices"]] == ["a", "b", ""]
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]] == [None, None, "length"]
    WHOLE.validate_python(chunks[-2])
    WHOLE.validate_python(chunks[-1])
    assert chunks[-1]["usage"]["prompt_tokens"] == 3


def test_a_refusal_is_text_and_a_failure_ends_the_stream() -> None:
    for parts, text in (((Refusal("No."),), "No."), ((), "why")):
        reply = Reply("r", "m", parts, Stop(StopReason.REFUSAL, detail="why"))
        assert json.loads(COMPLETIONS.write_reply(reply, CONTEXT))["choices"][0]["text"] == text
        writer = COMPLETIONS.delta_writer(CONTEXT)
        assert text.encode() in b"".join(writer.write(delta) for delta in deltas_of(reply))
    writer = COMPLETIONS.delta_writer(CONTEXT)
    writer.write(Started("r", "m"))
    assert b'"error"' in writer.write(Failed(ErrorKind.SERVER, "broken"))
    assert writer.write(Failed(ErrorKind.SERVER, "broken")) == b""


@pytest.mark.recordings
def test_every_recorded_request_for_one_reply_to_a_text_is_read() -> None:
    number = 0
    for record in traffic.records("openai-completions"):
        request = record["request"]
        said = request.get("prompt")
        if isinstance(said, list) and isinstance(said[0], str):
            said = said[0]
        if isinstance(said, str) and (request.get("n") or 1) == 1 and not request.get("suffix"):
            assert read(**request).turns[0].parts == (Text(said),)
            number += 1
    assert number > traffic.counted(whole=15, selected=12)
