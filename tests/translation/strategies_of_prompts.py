"""Prompts and replies for hypothesis: what every dialect can say, and what not all can."""

from typing import Any

from hypothesis import strategies as st

from gephyr_core.conversation.parts import (
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Origin,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    WebSource,
)
from gephyr_core.conversation.prompt import (
    Choice,
    Effort,
    FunctionTool,
    OutputFormat,
    Prompt,
    Reasoning,
    Role,
    Sampling,
    ToolChoice,
    Turn,
)
from gephyr_core.conversation.reply import Reply, Stop, StopReason
from gephyr_core.records import Usage
from tests.translation.feature_cases import PNG

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30).filter(str.strip)
NAMES = ("weather", "read_file", "run")
arguments = st.sampled_from(["{}", '{"city":"Oslo"}', '{"path":"/a b","lines":[1,2,{"x":null}]}', '{"q":"\\u00e9\\n"}'])
schemas = st.sampled_from(
    [
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        {"type": "object", "properties": {}},
        {
            "type": "object",
            "properties": {"n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            "additionalProperties": False,
        },
    ]
)
images = st.just(Image(Inline("image/png", PNG)))
said = texts.map(Text)


@st.composite
def turns(draw: Any) -> tuple[Turn, ...]:
    """A conversation in order: each call answered in the next turn, the user's the last word."""
    made = [Turn(Role.USER, tuple(draw(st.lists(said | images, min_size=1, max_size=2))))]
    for number in range(draw(st.integers(0, 4))):
        calls = tuple(
            ToolCall(f"call_{number}_{index}", name, draw(arguments))
            for index, name in enumerate(draw(st.lists(st.sampled_from(NAMES), max_size=3)))
        )
        spoken: tuple[Part, ...] = (draw(said),) if not calls or draw(st.booleans()) else ()
        made.append(Turn(Role.ASSISTANT, (*spoken, *calls)))
        results = tuple(ToolResult(call.id, (draw(said),), name=call.name) for call in calls)
        made.append(Turn(Role.USER, (*results, *(() if results else (draw(said),)))))
    return tuple(made)


@st.composite
def prompts(draw: Any) -> Prompt:
    """A request as a client of no dialect would make it."""
    tools = tuple(FunctionTool(name, draw(texts), draw(schemas)) for name in NAMES)
    return Prompt(
        dialect="made",
        model="m",
        system=tuple(draw(st.lists(said, max_size=1))),
        turns=draw(turns()),
        tools=tools,
        tool_choice=draw(st.sampled_from([None, ToolChoice(Choice.AUTO), ToolChoice(Choice.NONE)])),
        sampling=Sampling(
            max_tokens=draw(st.none() | st.integers(1024, 4096)), temperature=draw(st.none() | st.just(0.5))
        ),
        reasoning=draw(st.sampled_from([None, Reasoning(Effort.LOW), Reasoning(Effort.HIGH)])),
        output=draw(st.none() | schemas.map(lambda schema: OutputFormat(schema, "answer"))),
        stream=draw(st.booleans()),
    )


counts = st.integers(0, 10_000)


@st.composite
def usages(draw: Any) -> Usage:
    """Counts that add up: the cached ones are part of the input, the reasoning ones of the output."""
    cached, plain, output = draw(counts), draw(counts), draw(counts)
    return Usage(input=cached + plain, cached=cached, output=output, reasoning=draw(st.integers(0, output)))


def _citation(text: str) -> Citation:
    return Citation(url="https://a.example/x", title="A", cited_text=text, start=0, end=len(text))


thoughts = st.one_of(
    texts.map(Thinking),
    texts.map(lambda text: Thinking(text, Signature("c2lnbmVk", Origin("anthropic", "claude-opus-5-5")))),
    texts.map(lambda text: Thinking(text, Signature("Z0FBQUE=", Origin("openai-responses"), "rs_1"), summary=True)),
    st.just(Thinking("", Signature("cmVkYWN0ZWQ=", Origin("anthropic")), redacted=True)),
)
search = (
    HostedCall("srv_1", "web_search", "web_search", '{"query":"sky"}'),
    HostedResult("srv_1", "web_search", (WebSource("https://a.example/x", "A"),), dialect="made"),
)
code = (
    HostedCall("srv_2", "code_execution", "code_execution", '{"code":"print(1)","language":"python"}'),
    HostedResult("srv_2", "code_execution", output="1", dialect="made"),
)


@st.composite
def replies(draw: Any) -> Reply:
    """A whole reply, with anything that any provider puts into one."""
    thought = draw(st.lists(thoughts, max_size=2))
    hosted = draw(st.sampled_from([(), search, code, (*search, *code)]))
    spoken = draw(st.lists(said | texts.map(lambda text: Text(text, citations=(_citation(text),))), max_size=2))
    calls = [
        ToolCall(f"call_{index}", name, draw(arguments), signature=draw(st.none() | st.just(_GOOGLES)))
        for index, name in enumerate(draw(st.lists(st.sampled_from(NAMES), max_size=3)))
    ]
    refused = draw(st.lists(texts.map(Refusal), max_size=0 if calls or spoken else 1))
    pictures = draw(st.lists(images, max_size=0 if calls or refused else 1))
    if calls:
        stop = StopReason.TOOL_CALL
    elif refused:
        stop = StopReason.REFUSAL
    else:
        stop = draw(st.sampled_from(_OTHER_STOPS))
    return Reply("reply-1", "m", (*thought, *hosted, *spoken, *pictures, *calls, *refused), Stop(stop), draw(usages()))


_GOOGLES = Signature("Z29vZ2xl", Origin("gemini", "gemini-3-pro"))
_OTHER_STOPS = [reason for reason in StopReason if reason not in {StopReason.TOOL_CALL, StopReason.BAD_TOOL_CALL}]
