"""A local estimate of a prompt's tokens, for counts that no provider makes.

Text counts by its letters: about four to a token in Latin scripts, fewer elsewhere. Messages, tools and calls cost a
few tokens besides, pictures a flat number, documents by their size.

Against what OpenAI counted for 593 recorded prompts without media or hosted tools, the error is 13 % in the median and
50 % at the 90th percentile; the estimate is 1.07 times the truth in the median. With a picture or a document it can be
off by several times either way, since models count those differently (OpenAI's from 10 to 8,500 for one picture).
Anthropic counts some 500 tokens more where there are tools (the median of 125 recordings), for words of its own; it and
Google have endpoints that count, which are asked first.
"""

import msgspec

from gephyr_core.conversation.parts import (
    Audio,
    Document,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gephyr_core.conversation.prompt import ClientTool, FreeformTool, FunctionTool, Prompt, Tool

_ASCII_PER_TOKEN = 4.0
_OTHER_PER_TOKEN = 1.6
_PER_TURN = 4
_PER_TOOL = 12
_PER_CALL = 12
_IMAGE = 1_100
_DOCUMENT_BYTES_PER_TOKEN = 30
_BASE = 3
_ENCODE = msgspec.json.encode


def estimate_tokens(prompt: Prompt) -> int:
    """Return about how many input tokens *prompt* is. Takes time linear in its size."""
    total = float(_BASE)
    for text in prompt.system:
        total += _text(text.text)
    for turn in prompt.turns:
        total += _PER_TURN
        for part in turn.parts:
            total += _part(part)
    for tool in prompt.tools:
        total += _tool(tool)
    if prompt.output is not None and prompt.output.schema is not None:
        total += _text(_ENCODE(prompt.output.schema).decode())
    return round(total)


def _text(text: str) -> float:
    if text.isascii():
        return len(text) / _ASCII_PER_TOKEN
    plain = len(text.encode("ascii", "ignore"))
    return plain / _ASCII_PER_TOKEN + (len(text) - plain) / _OTHER_PER_TOKEN


def _part(part: Part) -> float:
    match part:
        case Text(text=text) | Refusal(text=text) | Thinking(text=text):
            return _text(text)
        case ToolCall(name=name, arguments=arguments) | HostedCall(name=name, arguments=arguments):
            return _PER_CALL + _text(name) + _text(arguments)
        case ToolResult(content=content):
            total = float(_PER_CALL)
            for inner in content:
                total += _part(inner)
            return total
        case HostedResult(output=output):
            return _text(output)
        case Image():
            return _IMAGE
        case Document(source=Inline(media_type, data)):
            if media_type.startswith("text/"):
                return len(data) * 0.75 / _ASCII_PER_TOKEN
            return len(data) * 0.75 / _DOCUMENT_BYTES_PER_TOKEN
        case Audio(source=Inline(data=data)):
            return len(data) * 0.75 / 1_000
    return _IMAGE


def _tool(tool: Tool) -> float:
    match tool:
        case FunctionTool():
            schema = _ENCODE(tool.schema).decode() if tool.schema else ""
            return _PER_TOOL + _text(tool.name) + _text(tool.description) + 0.6 * _text(schema)
        case FreeformTool():
            return _PER_TOOL + _text(tool.name) + _text(tool.description) + _text(tool.definition)
        case ClientTool(function=function):
            return _tool(function)
    return 300.0
