"""A client's legacy Completions request, read as a prompt of one turn."""

from typing import Any

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import Native, Prompt, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.request_reading import (
    keep_native,
    read_include_usage,
    read_sampling,
    read_user,
)

NAME = "openai-completions"


def read_request(body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
    """Read a request; see :class:`gephyr_core.dialects.translator.ClientTranslator`.

    Without ``max_tokens`` no limit is set: the 16 tokens that are this dialect's default would end most replies of
    today's models before they begin.
    """
    fields = Fields(body, "", report)
    fields.ignore("model", "stream")
    text = _prompt(fields)
    report.emulated("prompt", "the model answers the prompt as a user's message instead of going on with it")
    _refuse(fields)
    if fields.take("logprobs") is not None:
        report.dropped("logprobs", "probabilities of tokens are not carried between dialects")
    if (fields.integer("best_of") or 1) > 1:
        report.dropped("best_of", "one reply is asked for, not the best of several")
    native: dict[str, Native] = {}
    paths = {"include_usage": "stream_options.include_usage"}
    prompt = Prompt(
        NAME,
        model,
        turns=(Turn(Role.USER, (Text(text, path="prompt"),), path="prompt"),),
        sampling=read_sampling(fields, paths),
        user=read_user(fields, paths, native),
        stream=stream,
        include_usage=read_include_usage(fields),
        native=native,
        paths=paths,
    )
    keep_native(fields, native)
    return prompt


def _prompt(fields: Fields) -> str:
    """Take the one text that the model is to go on with."""
    value = fields.take("prompt")
    if value is None:
        raise FieldError("prompt", "is required")
    if isinstance(value, list) and any(not isinstance(item, str) for item in value):
        raise fields.report.refused("prompt", "token ids mean nothing to another provider's model: send text")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    elif isinstance(value, list):
        raise fields.report.refused("prompt", "only one prompt can be carried to another dialect at a time")
    if not isinstance(value, str):
        raise fields.wrong("prompt", "a string", value)
    if not value:
        raise fields.report.refused("prompt", "an empty prompt cannot be carried to another dialect")
    return value


def _refuse(fields: Fields) -> None:
    """Refuse what would change what the reply is."""
    if fields.text("suffix"):
        raise fields.report.refused("suffix", "text can be inserted by this dialect's providers only")
    if fields.flag("echo"):
        raise fields.report.refused("echo", "the prompt is not repeated in another dialect's reply")
    if (fields.integer("n") or 1) != 1:
        raise fields.report.refused("n", "only one reply is carried between dialects")
