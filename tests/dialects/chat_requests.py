"""What the tests of Chat requests share."""

import json
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Inline, Origin, Signature, Text
from gephyr_core.conversation.prompt import Effort, Prompt, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.dialects.translator import Destination, Written

CHAT = ChatTranslator()
ABLE = Capabilities(efforts=tuple(Effort))
OPENAI = Destination("openai-chat", "openai", "gpt-5", ABLE)
ROUTER = Destination("openai-chat", "openrouter", "vendor/model", ABLE)
OTHER = Destination("openai-chat", "deepseek", "deepseek-chat", ABLE)
REQUEST = TypeAdapter(CompletionCreateParamsNonStreaming)
PIXEL = Inline("image/png", "AAAA")
SIGNED = Signature("proof", Origin("anthropic", "claude"))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def read(report: Report | None = None, **fields: Any) -> Prompt:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return CHAT.read_request(json.loads(json.dumps(body)), report or Report(), model="m", stream=False)


def parts(*messages: dict[str, Any]) -> list[Any]:
    return [part for turn in read(messages=list(messages)).turns for part in turn.parts]


def write(prompt: Prompt, destination: Destination = OPENAI, report: Report | None = None) -> Written:
    written = CHAT.write_request(prompt, destination, report or Report())
    if destination is OPENAI:
        REQUEST.validate_python(written.body)
    return written


def foreign(*turns: Turn, **fields: Any) -> Prompt:
    """A prompt of an Anthropic client."""
    return Prompt("anthropic", "m", turns=turns or (user(Text("Hi")),), **fields)


def user(*said: Any) -> Turn:
    return Turn(Role.USER, said)


def assistant(*said: Any) -> Turn:
    return Turn(Role.ASSISTANT, said)


def messages(*turns: Turn, destination: Destination = OPENAI, report: Report | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(foreign(*turns), destination, report).body["messages"]
    return found
