"""Replies of the neutral model for every branch of the writers, and streams that no whole reply would make."""

from collections.abc import Iterator

from gephyr_core.conversation.parts import (
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    Url,
    WebSource,
)
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Reply,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage
from tests.translation.neutral_cases import DIALECTS, PNG, SIGNED

CONTEXT = ReplyContext(key="k7", created=1_800_000_000, model="asked")
CONTEXTS = {
    "": CONTEXT,
    "no usage": ReplyContext(key="k7", created=1_800_000_000, model="asked", include_usage=False),
    "freeform": ReplyContext(key="k7", created=1_800_000_000, model="asked", freeform=("patch",)),
    "stored": ReplyContext(key="k7", created=1_800_000_000, model="asked", stored=True),
}
USAGE = Usage(input=10, cached=4, cache_write=3, output=6, reasoning=2)
END = Stop(StopReason.END)
CALL = ToolCall("call_1", "look", '{"city":"Oslo"}')


def reply(*parts: Part | str, stop: Stop = END, usage: Usage = USAGE, model: str = "told", tier: str = "") -> Reply:
    said = tuple(Text(part) if isinstance(part, str) else part for part in parts)
    return Reply("r_1", model, said, stop, usage, tier)


def replies() -> Iterator[tuple[str, Reply]]:
    """Yield each with its name."""
    yield "text", reply("Hi")
    yield "nothing", reply()
    yield "empty text", reply("")
    yield "two texts", reply("Hi", "ho")
    yield "a model that is not told", reply("Hi", model="")
    yield "a service tier", reply("Hi", tier="priority")
    for reason in StopReason:
        for parts in (("Hi",), (CALL,), ()):
            what = "text" if parts == ("Hi",) else "a call" if parts else "nothing"
            yield f"stop: {reason.value} after {what}", reply(*parts, stop=Stop(reason))
    yield "stop: at a sequence", reply("Hi", stop=Stop(StopReason.STOP_SEQUENCE, "END"))
    yield "stop: with a detail", reply("Hi", stop=Stop(StopReason.FILTERED, detail="SAFETY"))
    yield "stop: other, with a detail", reply("Hi", stop=Stop(StopReason.OTHER, detail="LANGUAGE"))
    usages = {
        "none": Usage(),
        "input and output": Usage(input=10, output=6),
        "output alone": Usage(output=6),
        "cached": Usage(input=10, cached=4, output=6),
        "all written": Usage(input=10, cached=0, cache_write=10, output=0),
        "long writes": Usage(input=10, cache_write=6, cache_write_long=2, output=6),
        "audio": Usage(input=10, output=6, audio_input=3, audio_output=2),
        "tools": Usage(input=10, output=6, tool_input=4, web_searches=2),
        "reasoning": Usage(input=10, output=6, reasoning=6),
        "nothing": Usage(input=0, cached=0, cache_write=0, output=0, reasoning=0),
    }
    for name, usage in usages.items():
        yield f"usage: {name}", reply("Hi", usage=usage)
    other = ToolCall("call_2", "go", "")
    yield "calls: one", reply(CALL, stop=Stop(StopReason.TOOL_CALL))
    yield "calls: two", reply("Wait.", CALL, other, stop=Stop(StopReason.TOOL_CALL))
    yield "calls: of one id", reply(CALL, CALL, stop=Stop(StopReason.TOOL_CALL))
    for arguments in ("", "{}", "[1]", "7", '{"a":', "no JSON"):
        call = ToolCall("call_1", "look", arguments)
        yield f"calls: arguments {arguments!r}", reply(call, stop=Stop(StopReason.TOOL_CALL))
    yield "calls: without an id", reply(ToolCall("", "look", "{}"), stop=Stop(StopReason.TOOL_CALL))
    yield "calls: cut off", reply(ToolCall("call_1", "look", '{"a":"b'), stop=Stop(StopReason.MAX_TOKENS))
    free = ToolCall("call_1", "patch", "*** Begin", freeform=True)
    yield "calls: freeform", reply(free, stop=Stop(StopReason.TOOL_CALL))
    yield (
        "calls: freeform, as a function",
        reply(ToolCall("call_1", "patch", '{"input":"*** Begin"}'), stop=Stop(StopReason.TOOL_CALL)),
    )
    yield "refusal", reply(Refusal("No."), stop=Stop(StopReason.REFUSAL))
    yield "refusal: after text", reply("Hm", Refusal("No."))
    yield "thinking", reply(Thinking("hm"), "Hi")
    yield "thinking: a summary", reply(Thinking("hm", summary=True), "Hi")
    yield "thinking: twice", reply(Thinking("hm"), Thinking("ho"), "Hi")
    for dialect in DIALECTS:
        signed = SIGNED[dialect]
        yield f"signed by {dialect}: thinking", reply(Thinking("hm", signed), "Hi")
        yield f"signed by {dialect}: nothing", reply(Thinking("", signed), "Hi")
        yield f"signed by {dialect}: hidden", reply(Thinking("", signed, redacted=True), "Hi")
        yield f"signed by {dialect}: text", reply(Text("Hi", signature=signed))
        yield (
            f"signed by {dialect}: a call",
            reply(ToolCall("call_1", "look", "{}", signature=signed), stop=Stop(StopReason.TOOL_CALL)),
        )
    for name, cited in CITATIONS.items():
        yield f"cited: {name}", reply(Text("Hi there", citations=(cited,)))
    both = (CITATIONS["an address"], CITATIONS["a document"])
    yield "cited: twice", reply(Text("Hi there", citations=both), Text("ho", citations=both[:1]))
    yield "an image", reply(Image(PNG))
    yield "an image: its address", reply(Image(Url("https://a.test/b.png")))
    for kind in ("web_search", "web_fetch", "code_execution", "file_search", "image_generation", "mcp"):
        call = HostedCall("ws_1", kind, kind, '{"query":"q"}')
        sources = (WebSource("https://a.test", "A", "text"), WebSource("https://b.test"))
        for error in (False, True):
            yield f"hosted: {kind}, error {error}", reply(call, HostedResult("ws_1", kind, sources, "out", error), "Hi")
        yield f"hosted: {kind}, without its result", reply(call, "Hi")
    yield "phase", reply(Text("a", phase="commentary"), Text("b", phase="final_answer"))


CITATIONS = {
    "an address": Citation("https://a.test", "A", "b", 0, 2),
    "an address alone": Citation("https://a.test"),
    "a document": Citation(title="D", cited_text="b", document=0, start=1, end=2),
    "its own": Citation(raw='{"type":"weird"}', dialect="anthropic"),
}


def streams() -> Iterator[tuple[str, list[Delta]]]:
    """Yield streams that begin, overlap or end as no whole reply does."""
    start, end = Started("r_1", "told"), Ended(Stop(StopReason.TOOL_CALL), USAGE)
    text = [PartStarted(0, Text("")), TextAdded(0, "a"), TextAdded(0, "b")]
    yield "usage at the start", [Started("r_1", "told", USAGE), *text, PartEnded(0), Ended(END, Usage())]
    yield "no end of the part", [start, *text, Ended(END, USAGE)]
    yield "a failure", [start, *text, Failed(ErrorKind.OVERLOADED, "too much", "overloaded")]
    for kind in ErrorKind:
        yield f"a failure at once: {kind.value}", [start, Failed(kind, "told why")]
    one, other = ToolCall("call_1", "look", ""), ToolCall("call_2", "go", "")
    yield (
        "calls that overlap",
        [
            start,
            PartStarted(0, one),
            PartStarted(1, other),
            ArgumentsAdded(0, '{"a"'),
            ArgumentsAdded(1, "{}"),
            ArgumentsAdded(0, ":1}"),
            PartEnded(0),
            PartEnded(1),
            end,
        ],
    )
    yield (
        "text that overlaps a call",
        [start, *text[:2], PartStarted(1, one), TextAdded(0, "b"), ArgumentsAdded(1, "{}"), end],
    )
    for dialect in DIALECTS:
        signed: Signature = SIGNED[dialect]
        thoughts = [PartStarted(0, Thinking("")), ThinkingAdded(0, "h"), ThinkingAdded(0, "m"), Signed(0, signed)]
        yield f"thinking signed late by {dialect}", [start, *thoughts, PartEnded(0), Ended(END, USAGE)]
        late = [start, *text, Signed(0, signed), PartEnded(0), Ended(END, USAGE)]
        yield f"text signed late by {dialect}", late
    yield "nothing but a call's name", [start, PartStarted(0, one), PartEnded(0), end]
    yield (
        "a refusal in pieces",
        [start, PartStarted(0, Refusal("")), TextAdded(0, "N"), TextAdded(0, "o"), PartEnded(0), end],
    )
