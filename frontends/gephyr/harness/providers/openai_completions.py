"""OpenAI's older ``POST /v1/completions``: one prompt, or several, continued."""

from collections.abc import Iterator, Sequence

import msgspec

from gephyr.harness.providers.openai_chat import StreamOptions, choices_of, usage_of
from gephyr.harness.providers.openai_common import limit_of, stops_of
from gephyr.harness.providers.speech import (
    Answer,
    Question,
    Stop,
    answer,
    fragments,
    tokens_of,
    tokens_of_json,
)
from gephyr.harness.providers.wire import Object, Piece, Reply, Request, decode, route, sse, stream, whole

_FINISH = {Stop.END: "stop", Stop.SEQUENCE: "stop", Stop.LENGTH: "length"}
_DEFAULT_MAX_TOKENS = 16
_DONE = b"data: [DONE]\n\n"


class CompletionRequest(msgspec.Struct):
    """The fields of a request that matter here; others are ignored."""

    model: str
    prompt: str | list[str | int | list[int]] | None = None
    max_tokens: int | None = _DEFAULT_MAX_TOKENS
    stop: str | list[str] | None = None
    n: int | None = None
    echo: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


def completions(request: Request) -> Reply:
    """Continue the prompts, streamed or not. Prompts given as tokens are not read back as text."""
    asked = decode(request.body, CompletionRequest)
    said = [answer(_question(asked, prompt)) for prompt in _prompts(asked) for _ in range(choices_of(asked.n))]
    head = {
        "id": request.ids.new("cmpl-"),
        "object": "text_completion",
        "created": int(request.now),
        "model": asked.model,
    }
    usage = usage_of(said[0], len(said))
    if asked.stream:
        include_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return stream(_chunks(head, said, usage if include_usage else None))
    echo = _prompts(asked)[0] if asked.echo else ""
    choices = [_choice(index, echo + one.text, _FINISH[one.stop]) for index, one in enumerate(said)]
    return whole({**head, "choices": choices, "usage": usage}, tokens=said[0].output_tokens)


def _prompts(asked: CompletionRequest) -> list[str]:
    if isinstance(asked.prompt, list):
        texts = [prompt for prompt in asked.prompt if isinstance(prompt, str)]
        return texts or [""]
    return [asked.prompt or ""]


def _question(asked: CompletionRequest, prompt: str) -> Question:
    return Question(
        model=asked.model,
        text=prompt,
        input_tokens=tokens_of_json(asked.prompt),
        max_tokens=limit_of("max_tokens", asked.max_tokens),
        stop=stops_of(asked.stop),
    )


def _choice(index: int, text: str, finish_reason: str | None) -> Object:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}


def _chunks(head: Object, said: Sequence[Answer], usage: Object | None) -> Iterator[Piece]:
    extra = {} if usage is None else {"usage": None}
    for index, one in enumerate(said):
        for fragment in fragments(one.text):
            yield tokens_of(fragment), sse({**head, "choices": [_choice(index, fragment, None)], **extra})
        yield 0, sse({**head, "choices": [_choice(index, "", _FINISH[one.stop])], **extra})
    if usage is not None:
        yield 0, sse({**head, "choices": [], "usage": usage})
    yield 0, _DONE


ROUTES = (route("POST", "/v1/completions", completions),)
