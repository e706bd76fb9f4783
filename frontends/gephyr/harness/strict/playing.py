"""What the players of all dialects share: cutting arguments into fragments, counting tokens, reading images."""

import base64
import binascii
from typing import Any

import msgspec

from gephyr.harness.providers.speech import fragments, tokens_of, tokens_of_json
from gephyr.harness.strict.script import Step, image_seen

__all__ = [
    "argument_fragments",
    "arguments_of",
    "fragments",
    "image_of",
    "image_of_url",
    "input_tokens_of",
    "output_tokens_of",
    "tokens_of",
]

_FRAGMENT = 7


def argument_fragments(text: str) -> list[str]:
    """Cut arguments as models do: without regard for what is JSON."""
    return [text[start : start + _FRAGMENT] for start in range(0, len(text), _FRAGMENT)]


def arguments_of(text: str) -> Any:
    """Read the arguments of a call in the history; what is no JSON stays text, as nobody demands it to be."""
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return text


def input_tokens_of(body: object) -> int:
    """Estimate the input tokens of a request."""
    return tokens_of_json(body)


def output_tokens_of(step: Step, *, thinking: bool) -> int:
    """Estimate the output tokens of a reply, those of its thinking with them."""
    made = tokens_of(step.text) + sum(tokens_of(call.name) + tokens_of_json(call.arguments) for call in step.calls)
    return made + (tokens_of(step.thought) if thinking else 0)


def image_of(media_type: object, data: object) -> str:
    """Name an image that came as base64."""
    try:
        text = str(data).replace("-", "+").replace("_", "/")
        return image_seen(str(media_type), base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return f"image {media_type} unreadable"


def image_of_url(url: str) -> str:
    """Name an image that came as a data URL, or by its address."""
    if not url.startswith("data:"):
        return f"image at {url}"
    head, _, data = url.partition(",")
    return image_of(head.removeprefix("data:").removesuffix(";base64"), data)
