"""Prompts of the neutral model for every branch of the writers: what is asked of reasoning, tools, media and settings."""

from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Citation,
    Document,
    FileId,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Origin,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
    WebSource,
)
from gephyr_core.conversation.prompt import (
    Choice,
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Native,
    OutputFormat,
    Reasoning,
    Role,
    Sampling,
    ToolChoice,
    Turn,
)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LOOK = FunctionTool("look", "Look.", SCHEMA, path="tools[0]")
GO = FunctionTool("go", path="tools[1]")
STRICT = FunctionTool("strict", "", {**SCHEMA, "additionalProperties": False}, strict=True, path="tools[0]")
LOOSE = FunctionTool("loose", "", SCHEMA, strict=False, cache=CacheMarker("1h"), path="tools[0]")
PATCH = FreeformTool("patch", "Apply.", "lark", "start: x", path="tools[0]")
PLAIN = FreeformTool("patch", path="tools[0]")
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
SIGNED = {dialect: Signature("c2lnbmVk", Origin(dialect), "rs_1") for dialect in DIALECTS}
CALL = ToolCall("call_1", "look", '{"city":"Oslo"}', path="messages[1].tool_calls[0]")
OTHER_CALL = ToolCall("call_2", "go", "", path="messages[1].tool_calls[1]")
FREE_CALL = ToolCall("call_1", "patch", "*** Begin", freeform=True, path="messages[1].tool_calls[0]")
PNG, PDF = Inline("image/png", "aGk="), Inline("application/pdf", "aGk=")
SOURCES = {
    "bytes": PNG,
    "an address": Url("https://a.test/b.png"),
    "an address with a type": Url("https://a.test/b", "image/webp"),
    "a bucket": Url("gs://bucket/b.png", "image/png"),
    "OpenAI's file": FileId("file-1", "openai-chat", "image/png"),
    "Anthropic's file": FileId("file_1", "anthropic"),
    "Gemini's file": FileId("https://generativelanguage.googleapis.com/v1beta/files/f", "gemini", "image/png"),
}
Case = dict[str, Any]


def user(*parts: Any, name: str = "") -> Turn:
    return Turn(Role.USER, tuple(Text(one) if isinstance(one, str) else one for one in parts), name, path="messages[0]")


def model(*parts: Any) -> Turn:
    said = tuple(Text(one) if isinstance(one, str) else one for one in parts)
    return Turn(Role.ASSISTANT, said, path="messages[1]")


def system(*parts: str) -> Turn:
    return Turn(Role.SYSTEM, tuple(Text(one) for one in parts), path="messages[2]")


def turns(*said: Turn, **more: Any) -> Case:
    return {"turns": said, **more}


def loop(*parts: Any, result: ToolResult | None = None, **more: Any) -> Case:
    """A tool loop under way."""
    answer = result or ToolResult("call_1", (Text("rain"),), name="look", path="messages[2]")
    return turns(user("Weather?"), model(*parts), user(answer), tools=(LOOK, GO), **more)


def cases() -> Iterator[tuple[str, Case]]:
    """Yield each with its name."""
    yield from _reasoning()
    yield from _tools()
    yield from _outputs()
    yield from _settings()
    yield from _media()
    yield from _turns()
    yield from _hosted()


def _reasoning() -> Iterator[tuple[str, Case]]:
    wanted = [
        *(Reasoning(effort) for effort in Effort),
        *(
            Reasoning(budget=budget)
            for budget in (-1, 0, 1, 512, 513, 1024, 1025, 8192, 8193, 24576, 24577, 32769, 10**6)
        ),
        *(Reasoning(kind=kind) for kind in ("enabled", "adaptive", "disabled", "between_tools")),
        Reasoning(kind="enabled", budget=3000),
        Reasoning(kind="disabled", budget=3000),
        Reasoning(kind="adaptive", effort=Effort.LOW),
        Reasoning(shown=True),
        Reasoning(shown=False),
        Reasoning(Effort.LOW, shown=True),
        Reasoning(Effort.LOW, shown=False),
        Reasoning(Effort.NONE, shown=True),
        *(Reasoning(Effort.HIGH, summary=summary) for summary in ("auto", "concise", "detailed")),
    ]
    for one in wanted:
        name = ", ".join(f"{key} {getattr(value, 'value', value)}" for key, value in _said(one))
        yield f"reasoning: {name}", {"reasoning": one}
    for limit in (1000, 1025, 9000, 100_000):
        for one in (Reasoning(Effort.MEDIUM), Reasoning(budget=8192), Reasoning(budget=999)):
            name = ", ".join(f"{key} {getattr(value, 'value', value)}" for key, value in _said(one))
            yield f"reasoning: {name}, of {limit} tokens", {"reasoning": one, "sampling": Sampling(max_tokens=limit)}
    hot = Sampling(temperature=0.5, top_p=0.9, top_k=3)
    for effort in (Effort.NONE, Effort.HIGH):
        yield f"reasoning: {effort.value}, with sampling", {"reasoning": Reasoning(effort), "sampling": hot}
        forced = {"tools": (LOOK,), "tool_choice": ToolChoice(Choice.REQUIRED, path="tool_choice")}
        yield f"reasoning: {effort.value}, with a forced call", {"reasoning": Reasoning(effort), **forced}
        yield f"reasoning: {effort.value}, going on", turns(user("a"), model("b"), reasoning=Reasoning(effort))
        yield f"reasoning: {effort.value}, a loop without it", loop(CALL, reasoning=Reasoning(effort))
        for dialect in DIALECTS:
            signed = Thinking("hm", SIGNED[dialect], path="messages[1].thinking")
            yield (
                f"reasoning: {effort.value}, a loop signed by {dialect}",
                loop(signed, CALL, reasoning=Reasoning(effort)),
            )


def _said(reasoning: Reasoning) -> list[tuple[str, Any]]:
    fields = ("effort", "budget", "kind", "shown", "summary")
    return [(name, getattr(reasoning, name)) for name in fields if getattr(reasoning, name) not in (None, "")]


_NAMES: dict[Choice, tuple[tuple[str, ...], ...]] = {
    Choice.NAMED: (("go",), ("gone",)),
    Choice.ALLOWED: (("go",), ("look", "go")),
    Choice.REQUIRED_OF: (("go",), ("look", "go")),
}
"""The tools that a choice is of."""


def _tools() -> Iterator[tuple[str, Case]]:
    tools = (LOOK, GO)
    for choice in Choice:
        for names in _NAMES.get(choice, ((),)):
            told = ToolChoice(choice, names, path="tool_choice")
            yield f"tool choice: {choice.value} {' '.join(names)}", {"tools": tools, "tool_choice": told}
            yield f"tool choice: {choice.value} {' '.join(names)}, without tools", {"tool_choice": told}
    for parallel in (True, False):
        yield f"parallel tools: {parallel}", {"tools": tools, "parallel_tools": parallel}
        for choice in (Choice.NONE, Choice.REQUIRED):
            told = ToolChoice(choice, path="tool_choice")
            name = f"parallel tools: {parallel}, {choice.value}"
            yield name, {"tools": tools, "parallel_tools": parallel, "tool_choice": told}
        yield f"parallel tools: {parallel}, without tools", {"parallel_tools": parallel}
    for name, tool in {"strict": STRICT, "not strict": LOOSE, "freeform": PATCH, "freeform, plain": PLAIN}.items():
        yield f"tool: {name}", {"tools": (tool,)}
        told = ToolChoice(Choice.NAMED, (tool.name,), path="tool_choice")
        yield f"tool: {name}, forced", {"tools": (tool,), "tool_choice": told}
    for name in ("a.b/c", "x" * 70, "1st", "größe", ""):
        yield f"tool: named {name[:10]!r}", {"tools": (FunctionTool(name, "d", SCHEMA, path="tools[0]"),)}
    twice = (FunctionTool("a.b", path="tools[0]"), FunctionTool("a/b", path="tools[1]"))
    yield "tools: whose names become one", {"tools": twice}


def _outputs() -> Iterator[tuple[str, Case]]:
    yield "output: any JSON", {"output": OutputFormat(path="response_format")}
    yield "output: any JSON, asked for", turns(user("as JSON"), output=OutputFormat(path="response_format"))
    for strict in (None, True, False):
        form = OutputFormat(SCHEMA, "place", "Where?", strict, path="response_format")
        yield f"output: a schema, strict {strict}", {"output": form}
    yield "output: a list", {"output": OutputFormat({"type": "array", "items": SCHEMA}, path="response_format")}
    yield "output: a schema without a name", {"output": OutputFormat(SCHEMA, path="response_format")}
    named = OutputFormat(SCHEMA, "a place!", path="response_format")
    yield "output: a schema beside tools", {"output": named, "tools": (LOOK, GO)}
    for choice in (Choice.NONE, Choice.REQUIRED, Choice.NAMED):
        told = ToolChoice(choice, ("go",) if choice is Choice.NAMED else (), path="tool_choice")
        yield f"output: a schema, tools {choice.value}", {"output": named, "tools": (LOOK, GO), "tool_choice": told}
    yield "output: a schema with reasoning", {"output": named, "reasoning": Reasoning(Effort.HIGH)}


def _settings() -> Iterator[tuple[str, Case]]:
    values: dict[str, tuple[Any, ...]] = {
        "max_tokens": (0, 1, 15, 16, 4096, 10**6),
        "temperature": (0.0, 0.7, 1.0, 1.5, 2.0, 2.5),
        "top_p": (0.0, 0.5, 1.0),
        "top_k": (0, 1, 40, 41, 500),
        "frequency_penalty": (-2.5, -2.0, 0.0, 1.9, 2.0),
        "presence_penalty": (-2.0, 0.0, 0.5, 2.0),
        "seed": (0, 7, 2**31, 2**40),
        "stop": (("a",), ("a", "b", "c", "d"), tuple("abcdef"), (" ",), ("\n\n", "END")),
        "logit_bias": ({}, {"1": 5}),
        "logprobs": (True, False),
        "top_logprobs": (0, 5, 20, 21),
        "candidates": (1, 2),
    }
    for name, some in values.items():
        for value in some:
            yield f"{name}: {value!r}", {"sampling": Sampling(**{name: value})}
    yield "temperature and top_p", {"sampling": Sampling(temperature=0.5, top_p=0.5)}
    yield "logprobs and how many", {"sampling": Sampling(logprobs=True, top_logprobs=3)}
    others: dict[str, tuple[Any, ...]] = {
        "verbosity": ("low", "medium", "high"),
        "user": ("ada", "u" * 65, "u" * 600),
        "metadata": ({}, {"a": "b"}, {"user_id": "u"}),
        "service_tier": ("auto", "default", "flex", "priority", "standard_only", "scale"),
        "cache_key": ("k",),
        "cache": (CacheMarker(), CacheMarker("1h"), CacheMarker("24h")),
        "stream": (True,),
        "include_usage": (False,),
    }
    for name, some in others.items():
        for value in some:
            yield f"{name}: {str(value)[:70]}", {name: value}
    yield "stream without usage", {"stream": True, "include_usage": False}
    for essential in (False, True):
        yield f"a field of its own, essential {essential}", {"native": {"weird": Native({"a": 1}, essential)}}
    yield "system", {"system": (Text("Be brief."), Text("Be kind.", CacheMarker("1h", path="system[1]")))}


def _media() -> Iterator[tuple[str, Case]]:
    for name, source in SOURCES.items():
        for kind in (Image, Document, Audio, Video):
            part = kind(source, path="messages[0].content[0]")
            yield f"{kind.__name__}: {name}", turns(user("See", part))
    for detail in ("low", "high", "auto", "original"):
        yield f"image: detail {detail}", turns(user(Image(PNG, detail, CacheMarker(), path="messages[0].content[0]")))
    for media in ("audio/wav", "audio/mpeg", "audio/flac", "text/plain", "image/tiff", "image/gif", "application/json"):
        for kind in (Image, Document, Audio):
            part = kind(Inline(media, "aGk="), path="messages[0].content[0]")
            yield f"{kind.__name__}: {media}", turns(user(part))
    about = Document(PDF, "a.pdf", "old", True, CacheMarker(), path="messages[0].content[0]")
    yield "document: all that can be said of it", turns(user(about, "?"))
    for kind in (Image, Document, Audio):
        source = Inline("audio/wav", "aGk=") if kind is Audio else PDF if kind is Document else PNG
        result = ToolResult("call_1", (Text("a"), kind(source, path="messages[2].content[1]")), path="messages[2]")
        yield f"{kind.__name__}: in a tool's result", loop(CALL, result=result)
    yield "image: the model's own", turns(user("Draw"), model(Image(PNG, path="messages[1].image")), user("Again"))


def _turns() -> Iterator[tuple[str, Case]]:
    a, b = user("a"), model("b")
    yield "turns: none", turns()
    yield "turns: the model's first", turns(b, a)
    yield "turns: two of the user", turns(a, user("c"))
    yield "turns: two of the model", turns(a, b, model("c"), a)
    yield "turns: the model's last", turns(a, b)
    yield "turns: the model's last, blank at its end", turns(a, model("b \n"))
    yield "turns: an empty one", turns(a, model(), user(), a)
    yield "turns: empty text", turns(user(""), model(""), a)
    yield "turns: a name", turns(user("a", name="ada"), b, user("c", name="b b"))
    yield "turns: the system in the middle", turns(a, b, system("now"), a)
    yield "turns: the system last", turns(a, b, system("now"))
    yield "turns: the system alone", turns(system("now"))
    yield "turns: markers", turns(user(Text("a", CacheMarker("5m")), Text("b", CacheMarker("1h"))), b, a)
    for text in ("no", ""):
        yield f"refusal: {text!r}", turns(a, model(Refusal(text, path="messages[1].refusal")), a)
    for dialect in DIALECTS:
        signed = SIGNED[dialect]
        yield f"signed by {dialect}: thinking", turns(a, model(Thinking("hm", signed, path="messages[1].r"), "b"), a)
        hidden = Thinking("", signed, redacted=True, path="messages[1].r")
        yield f"signed by {dialect}: hidden thinking", turns(a, model(hidden, "b"), a)
        yield f"signed by {dialect}: text", turns(a, model(Text("b", signature=signed)), a)
        call = ToolCall("call_1", "look", "{}", signature=signed, path="messages[1].c")
        yield f"signed by {dialect}: a call", loop(call)
    yield "thinking: not signed", turns(a, model(Thinking("hm", path="messages[1].r"), "b"), a)
    yield "thinking: a summary", turns(a, model(Thinking("hm", summary=True, path="messages[1].r"), "b"), a)
    yield "thinking: alone", turns(a, model(Thinking("hm", path="messages[1].r")), a)
    two = user(
        ToolResult("call_2", (Text("gone"),), path="messages[2]"),
        ToolResult("call_1", (Text("rain"),), path="messages[3]"),
    )
    yield "calls: two, answered the other way round", turns(a, model("b", CALL, OTHER_CALL), two, tools=(LOOK, GO))
    yield "calls: one without an answer", turns(a, model(CALL), user("never mind"), tools=(LOOK,))
    yield "calls: an answer without one", turns(user(ToolResult("call_9", (Text("x"),), path="messages[0]")), b, a)
    yield (
        "calls: said beside the answer",
        turns(a, model(CALL), user(ToolResult("call_1", (Text("x"),)), "and?"), tools=(LOOK,)),
    )
    for arguments in ("", "{}", "[1]", "7", '"a"', "no JSON", '{"a":'):
        yield f"calls: arguments {arguments!r}", loop(ToolCall("call_1", "look", arguments, path="messages[1].c"))
    for call_id in ("a.b c", "x" * 70, ""):
        answer = ToolResult(call_id, (Text("x"),), path="messages[2]")
        yield f"calls: id {call_id[:9]!r}", loop(ToolCall(call_id, "look", "{}", path="messages[1].c"), result=answer)
    for told in ((), (Text(""),), (Text("a"), Text("b")), (Text('{"a":1}'),), (Text("7"),), (Text("[1]"),)):
        for error in (False, True):
            answer = ToolResult(
                "call_1", told, error, "look", cache=CacheMarker() if error else None, path="messages[2]"
            )
            yield f"results: {[one.text for one in told]}, error {error}", loop(CALL, result=answer)
    free = ToolResult("call_1", (Text("done"),), freeform=True, path="messages[2]")
    yield "freeform: a call", turns(a, model(FREE_CALL), user(free), tools=(PATCH,))
    yield (
        "freeform: of a function",
        turns(a, model(FREE_CALL), user(free), tools=(FunctionTool("patch", path="tools[0]"),)),
    )
    for cited in (Citation("https://a.test", "A", "b", 0, 1), Citation(title="D", cited_text="b", document=0)):
        yield f"cited: {cited.url or cited.title}", turns(a, model(Text("b", citations=(cited,))), a)
    yield "phase", turns(a, model(Text("b", phase="commentary"), Text("c", phase="final_answer")), a)


def _hosted() -> Iterator[tuple[str, Case]]:
    a = user("a")
    for kind in ("web_search", "web_fetch", "code_execution", "file_search", "image_generation", "mcp", "computer"):
        for dialect in ("openai-responses", "anthropic", "gemini"):
            tool = HostedTool(kind, kind, dialect, {"x": 1}, path="tools[0]")
            yield f"hosted: {kind} of {dialect}", {"tools": (tool,)}
        alone = HostedTool(kind, kind, "anthropic", {}, path="tools[0]")
        yield f"hosted: {kind} beside a function", {"tools": (alone, GO)}
        told = ToolChoice(Choice.NAMED, (kind,), path="tool_choice")
        yield f"hosted: {kind}, forced", {"tools": (alone, GO), "tool_choice": told}
        call = HostedCall("ws_1", kind, kind, '{"query":"q"}', path="messages[1].content[0]")
        sources = (WebSource("https://a.test", "A", "text"), WebSource("https://b.test"))
        for error in (False, True):
            answer = HostedResult("ws_1", kind, sources, "out", error, path="messages[1].content[1]")
            yield f"hosted: {kind} called, error {error}", turns(a, model(call, answer, "b"), a)
    bounds = {"allowed_domains": ("a.test",), "max_uses": 3, "location": {"country": "NO", "city": "Oslo"}}
    for name, value in {**bounds, "blocked_domains": ("b.test",)}.items():
        tool = HostedTool("web_search", "web_search", "anthropic", {}, path="tools[0]", **{name: value})
        yield f"hosted: {name}", {"tools": (tool,)}
