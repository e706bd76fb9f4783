"""The features of a request, and what became of each in a translation: where each stands in a prompt."""

import re
from collections.abc import Callable, Iterator

import attrs

from gephyr_core.conversation.parts import (
    Audio,
    Document,
    FileId,
    Image,
    Inline,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Prompt,
    Role,
)
from gephyr_core.conversation.report import Entry, Fate, Report
from tests.translation.comparing import within

Paths = Callable[[Prompt], Iterator[str]]
_OTHERS = r"^(?!.*(cache|citations|signature|strict|detail|name$|phase|context|title))"
"""Below a feature's path, these are features of their own."""


@attrs.frozen
class Feature:
    """Something that a client can ask for or say."""

    name: str
    paths: Paths = attrs.field(eq=False)
    """Where it stands in a prompt, as the client wrote it; nothing if the prompt has none."""
    below: str = _OTHERS
    """What of an entry's path may stand below a path for the entry to count."""

    def fate(self, prompt: Prompt, report: Report) -> str:
        """``exact``, ``emulated`` or ``lossy``: the worst that happened; empty if the prompt has no such feature."""
        paths = list(self.paths(prompt))
        met = [entry.fate for entry in report.entries if any(self._concerns(entry, path) for path in paths)]
        if not paths:
            return ""
        if Fate.DROPPED in met:
            return "lossy"
        return "emulated" if met else "exact"

    def concerns(self, path: str, prompt: Prompt) -> bool:
        """Whether *path*, for which the request was refused, is this feature's."""
        return any(within(path, own) or within(own, path) for own in self.paths(prompt))

    def _concerns(self, entry: Entry, path: str) -> bool:
        if within(path, entry.path):
            return True
        return within(entry.path, path) and bool(re.search(self.below, entry.path[len(path) :]))


def _every_part(prompt: Prompt) -> Iterator[Part]:
    for turn in prompt.turns:
        for part in turn.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.content


def _parts(test: Callable[[Part], bool]) -> Paths:
    return lambda prompt: (part.path for part in _every_part(prompt) if test(part))


def _media(kind: type[Part], source: type[object], text: bool = False) -> Paths:
    def matches(part: Part) -> bool:
        if not isinstance(part, kind) or not isinstance(part.source, source):  # type: ignore[attr-defined]
            return False
        return not isinstance(part.source, Inline) or part.source.media_type.startswith("text/") == text  # type: ignore[attr-defined]

    return _parts(matches)


def _results(test: Callable[[ToolResult], bool]) -> Paths:
    return _parts(lambda part: isinstance(part, ToolResult) and test(part))


def _setting(name: str, test: Callable[[Prompt], bool]) -> Paths:
    return lambda prompt: iter([prompt.path(name)] if test(prompt) else [])


def _sampling(name: str) -> Feature:
    return Feature(f"`{name}`", _setting(name, lambda prompt: getattr(prompt.sampling, name) not in (None, ())))


def _tools(test: Callable[[object], bool]) -> Paths:
    return lambda prompt: (tool.path for tool in prompt.tools if test(tool))


def _hosted(*kinds: str) -> Paths:
    return _tools(lambda tool: isinstance(tool, HostedTool) and tool.kind in kinds)


def _choice(*choices: Choice) -> Paths:
    return lambda prompt: iter(
        [prompt.tool_choice.path or prompt.path("tool_choice")]
        if prompt.tool_choice is not None and prompt.tool_choice.choice in choices
        else []
    )


def _system_turns(prompt: Prompt) -> Iterator[str]:
    return (part.path for turn in prompt.turns if turn.role is Role.SYSTEM for part in turn.parts)


def _prefill(prompt: Prompt) -> Iterator[str]:
    last = prompt.turns[-1] if prompt.turns else None
    if last is not None and last.role is Role.ASSISTANT and not any(isinstance(p, ToolCall) for p in last.parts):
        yield last.path


def _markers(prompt: Prompt) -> Iterator[str]:
    holders = [*prompt.system, *prompt.tools, *_every_part(prompt)]
    yield from (holder.path for holder in holders if getattr(holder, "cache", None) is not None)
    if prompt.cache is not None:
        yield prompt.path("cache")


def _reasoning(prompt: Prompt) -> Iterator[str]:
    asked = prompt.reasoning
    if (
        asked is not None
        and (asked.effort is not None or asked.kind)
        and asked.budget is None
        and asked.effort is not Effort.NONE
    ):
        yield prompt.path("reasoning")


_HOSTED = {
    "web search": ("web_search",),
    "web fetch": ("web_fetch",),
    "code execution": ("code_execution",),
    "file search": ("file_search",),
    "remote MCP servers": ("mcp",),
    "image generation": ("image_generation",),
    "maps": ("maps",),
    "search of tools": ("tool_search",),
}

FEATURES = (
    Feature("text", _parts(lambda part: isinstance(part, Text))),
    Feature("system prompt", lambda prompt: (text.path for text in prompt.system)),
    Feature("system message in the middle", _system_turns),
    Feature("assistant prefill", _prefill),
    Feature("participant's name", lambda p: (t.path for t in p.turns if t.name), r"name$"),
    Feature("cache marker", _markers, "cache"),
    Feature("refusal in the history", _parts(lambda part: isinstance(part, Refusal))),
    Feature("image, bytes", _media(Image, Inline)),
    Feature("image, URL", _media(Image, Url)),
    Feature("image, file id", _media(Image, FileId)),
    Feature("document, bytes", _media(Document, Inline)),
    Feature("document, text", _media(Document, Inline, text=True)),
    Feature("document, URL", _media(Document, Url)),
    Feature("document, file id", _media(Document, FileId)),
    Feature("audio", _parts(lambda part: isinstance(part, Audio))),
    Feature("video", _parts(lambda part: isinstance(part, Video))),
    Feature(
        "signed reasoning in the history", _parts(lambda p: isinstance(p, Thinking) and p.signature is not None), ""
    ),
    Feature("function tool", _tools(lambda tool: isinstance(tool, FunctionTool))),
    Feature("freeform tool", _tools(lambda tool: isinstance(tool, FreeformTool))),
    Feature("typed client tool", _tools(lambda tool: isinstance(tool, ClientTool))),
    *(Feature(f"hosted: {name}", _hosted(*kinds)) for name, kinds in _HOSTED.items()),
    Feature("tool choice: auto", _choice(Choice.AUTO)),
    Feature("tool choice: none", _choice(Choice.NONE)),
    Feature("tool choice: required", _choice(Choice.REQUIRED)),
    Feature("tool choice: named", _choice(Choice.NAMED)),
    Feature("tool choice: allowed list", _choice(Choice.ALLOWED, Choice.REQUIRED_OF)),
    Feature("one call at a time", _setting("parallel_tools", lambda prompt: prompt.parallel_tools is False)),
    Feature("tool call", _parts(lambda part: isinstance(part, ToolCall) and not part.freeform)),
    Feature("freeform tool call", _parts(lambda part: isinstance(part, ToolCall) and part.freeform)),
    Feature("tool result", _results(lambda result: not result.is_error)),
    Feature("tool result with media", _results(lambda result: any(not isinstance(p, Text) for p in result.content))),
    Feature("tool result, error", _results(lambda result: result.is_error), ""),
    *(
        _sampling(name)
        for name in (
            *("max_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed"),
            *("stop", "logit_bias", "candidates"),
        )
    ),
    Feature("logprobs", _setting("logprobs", lambda p: bool(p.sampling.logprobs or p.sampling.top_logprobs)), ""),
    Feature("reasoning effort", _reasoning),
    Feature(
        "reasoning budget", _setting("reasoning", lambda p: p.reasoning is not None and p.reasoning.budget is not None)
    ),
    Feature(
        "reasoning off", _setting("reasoning", lambda p: p.reasoning is not None and p.reasoning.effort is Effort.NONE)
    ),
    Feature("output: any JSON object", _setting("output", lambda p: p.output is not None and p.output.schema is None)),
    Feature("output: JSON schema", _setting("output", lambda p: p.output is not None and p.output.schema is not None)),
    Feature("verbosity", _setting("verbosity", lambda prompt: bool(prompt.verbosity))),
    Feature("end user's id", _setting("user", lambda prompt: bool(prompt.user))),
    Feature("metadata", _setting("metadata", lambda prompt: bool(prompt.metadata))),
    Feature("service tier", _setting("service_tier", lambda prompt: bool(prompt.service_tier))),
    Feature("cache key", _setting("cache_key", lambda prompt: bool(prompt.cache_key))),
    Feature("fields of one dialect that tune", lambda p: (path for path, n in p.native.items() if not n.essential), ""),
    Feature("fields of one dialect that mean", lambda p: (path for path, n in p.native.items() if n.essential), ""),
)
