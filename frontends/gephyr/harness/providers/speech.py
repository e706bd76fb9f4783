"""What the simulated model says: the same answer to the same question, in any dialect.

Tokens are estimated: one for each four bytes of UTF-8, rounded up. That is a rule of thumb for English text, not a
tokenizer; it is the same here for input and output, so that usage, limits and pace fit together.
"""

import base64
import enum
import hashlib
import re

import attrs
import msgspec

from gephyr.harness.providers.schema_samples import sample
from gephyr.harness.providers.wire import Object, RequestError

BYTES_PER_TOKEN = 4
_MAX_QUOTE = 1_000
"""Characters of the user's words that an answer repeats."""
_MOST_SAMPLED_TOOLS = 6
"""Offered tools beyond which the client is taken for an agent."""


@attrs.frozen
class OfferedTool:
    """A tool that the client runs."""

    name: str
    schema: Object | None
    """JSON Schema of its arguments; None for a freeform tool, which takes text."""


class Choice(enum.Enum):
    """Whether tools are to be called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


class Stop(enum.Enum):
    """Why the model stopped."""

    END = "end"
    LENGTH = "length"
    SEQUENCE = "sequence"
    TOOL_CALL = "tool_call"


@attrs.frozen
class Question:
    """A request, reduced to what the simulated model looks at."""

    model: str
    text: str
    """The user's last words; empty when there are none."""
    input_tokens: int
    result: str | None = None
    """What tools answered, when the last turn is their results."""
    tools: tuple[OfferedTool, ...] = ()
    choice: Choice = Choice.AUTO
    parallel: bool = True
    """Several tools may be called in one answer."""
    json: bool = False
    """The answer is to be JSON."""
    schema: Object | None = None
    """The schema which that JSON has to satisfy."""
    thinks: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


@attrs.frozen
class ToolCall:
    """A call of one offered tool."""

    name: str
    arguments: str
    """JSON text of an object, or the input of a freeform tool."""
    freeform: bool


@attrs.frozen
class Answer:
    """What the model said. *output_tokens* counts *reasoning_tokens* too."""

    thought: str
    text: str
    calls: tuple[ToolCall, ...]
    stop: Stop
    stop_sequence: str | None
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def tokens_of_json(*values: object) -> int:
    """Estimate the tokens of structured input: those of its compact JSON text. Fields that are None are free."""
    return sum(-(-len(msgspec.json.encode(value)) // BYTES_PER_TOKEN) for value in values if value is not None)


def fragments(text: str) -> list[str]:
    """Cut a text into the fragments that it is streamed in: words with the space before them."""
    return re.findall(r"\s*\S{1,24}|\s+", text)


def signature_of(thought: str) -> str:
    """Return the opaque text (base64) that goes with a thought, and proves that it is unchanged when it comes back."""
    return base64.b64encode(hashlib.sha256(b"gephyr simulated provider\n" + thought.encode()).digest()).decode()


def answer(question: Question) -> Answer:
    """Answer the question within its limits."""
    thought = _thought(question) if question.thinks else ""
    calls = _calls(question)
    text = "" if calls else _text(question)
    text, sequence = _cut_at_stop(text, question.stop)
    stop = Stop.TOOL_CALL if calls else Stop.SEQUENCE if sequence is not None else Stop.END
    if question.max_tokens is not None:
        room = question.max_tokens
        fits = tokens_of(thought) + _spent(text, calls) <= room
        if not fits:
            stop, sequence, calls = Stop.LENGTH, None, ()
            thought = _first_tokens(thought, room)
            text = _first_tokens(text, room - tokens_of(thought))
    reasoning = tokens_of(thought)
    return Answer(
        thought=thought,
        text=text,
        calls=calls,
        stop=stop,
        stop_sequence=sequence,
        input_tokens=question.input_tokens,
        output_tokens=reasoning + _spent(text, calls),
        reasoning_tokens=reasoning,
    )


def _spent(text: str, calls: tuple[ToolCall, ...]) -> int:
    return tokens_of(text) + sum(tokens_of(call.name) + tokens_of(call.arguments) for call in calls)


def _thought(question: Question) -> str:
    if question.result is not None:
        return "The tool has answered, so I can tell the user what it said."
    return f"The user says {_quote(question.text)}. A short and friendly answer will do."


def _text(question: Question) -> str:
    if question.json:
        return msgspec.json.encode(_structured(question)).decode()
    parts = [f"Hello from {question.model}, a simulated model."]
    if question.text:
        parts.append(f"You said: {_quote(question.text)}.")
    if question.result is not None:
        parts.append(f"The tool answered: {_quote(question.result)}.")
    parts.append("No provider was asked for this answer.")
    return " ".join(parts)


def _structured(question: Question) -> object:
    if question.schema is not None:
        return _sample(question.schema)
    return {"answer": f"You said: {_quote(question.text)}."}


def _quote(text: str) -> str:
    words = text.strip()
    return f'"{words}"' if len(words) <= _MAX_QUOTE else f'"{words[:_MAX_QUOTE]}..."'


def _calls(question: Question) -> tuple[ToolCall, ...]:
    """Call the first tool, and a second where that is allowed. Tools that the user names come first.

    An agent's tools act on the machine it runs on, and a sample of arguments is no reason to: of a whole tool box only
    what the user names is called.
    """
    tools = question.tools
    if not tools or question.choice is Choice.NONE:
        return ()
    if question.choice is Choice.AUTO and question.result is not None:
        return ()
    if question.choice is Choice.AUTO and len(tools) > _MOST_SAMPLED_TOOLS:
        tools = tuple(tool for tool in tools if tool.name in question.text)
    named_first = sorted(tools, key=lambda tool: tool.name not in question.text)
    return tuple(_call(tool) for tool in named_first[: 2 if question.parallel else 1])


def _call(tool: OfferedTool) -> ToolCall:
    if tool.schema is None:
        return ToolCall(tool.name, "example", freeform=True)
    arguments = _sample({"type": "object", **tool.schema})
    return ToolCall(tool.name, msgspec.json.encode(arguments).decode(), freeform=False)


def _sample(schema: Object) -> object:
    """Make a value for *schema*. Raises :class:`RequestError` (400) where the schema itself makes no sense."""
    try:
        return sample(schema)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise RequestError(400, f"Invalid schema: {error}") from None


def _cut_at_stop(text: str, sequences: tuple[str, ...]) -> tuple[str, str | None]:
    """Cut before the stop sequence that comes first."""
    found = [(text.index(sequence), sequence) for sequence in sequences if sequence and sequence in text]
    if not found:
        return text, None
    at, sequence = min(found)
    return text[:at], sequence


def _first_tokens(text: str, tokens: int) -> str:
    return text.encode()[: max(0, tokens) * BYTES_PER_TOKEN].decode("utf-8", "ignore")
