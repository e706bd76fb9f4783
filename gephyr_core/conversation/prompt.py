"""A request for a reply, in no dialect."""

import enum
from typing import Any

import attrs

from gephyr_core.conversation.parts import CacheMarker, Part, Text, _path


class Role(enum.Enum):
    """Who speaks. Tool results are the user's."""

    SYSTEM = "system"
    """The operator, in the middle of a conversation; the leading instructions are ``Prompt.system``."""
    USER = "user"
    ASSISTANT = "assistant"


@attrs.frozen
class Turn:
    """One message. Consecutive turns of one role are allowed; :mod:`gephyr_core.conversation.turns` merges them."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    """The participant's name (Chat)."""
    path: str = _path()


# -- tools ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class FunctionTool:
    """A tool with JSON arguments, run by the client."""

    name: str
    description: str = ""
    schema: dict[str, Any] | None = None
    """JSON Schema of the arguments as the client wrote it; None for a function without parameters. Not to be changed:
    cleaning makes a copy."""
    strict: bool | None = None
    cache: CacheMarker | None = None
    own_name: str = ""
    """The client's own name, where another is used here: a namespace's function has its namespace's name in it, and of
    two tools of one name one is called otherwise."""
    deferred: bool | None = None
    """The model is only told of it once a search of tools found it."""
    path: str = _path()


@attrs.frozen
class FreeformTool:
    """A tool whose input is plain text (OpenAI's ``custom``), run by the client."""

    name: str
    description: str = ""
    syntax: str = ""
    """``lark`` or ``regex`` for a grammar; empty for any text."""
    definition: str = ""
    cache: CacheMarker | None = None
    own_name: str = ""
    """As a function's."""
    deferred: bool | None = None
    """As a function."""
    path: str = _path()


@attrs.frozen
class ClientTool:
    """A tool whose shape the provider knows by its type (``bash_20250124``, ``local_shell``), run by the client."""

    type: str
    dialect: str
    """Whose type it is: carried as it is to that dialect only."""
    options: dict[str, Any]
    """The tool as the client wrote it."""
    function: FunctionTool
    """What stands in for it elsewhere: calls with this name and these arguments mean the same."""
    cache: CacheMarker | None = None
    path: str = _path()


TOOL_SEARCH = "tool_search"
"""The kind of the hosted tool that searches the request's other tools."""


@attrs.frozen
class HostedTool:
    """A tool that the provider runs."""

    kind: str
    """``web_search``, ``web_fetch``, ``code_execution``, ``file_search``, ``image_generation``, ``mcp``, ``maps``,
    ``tool_search``, ``computer``; else its own type."""
    type: str
    """The type as its dialect writes it."""
    dialect: str
    options: dict[str, Any]
    """The tool as the client wrote it, for the same dialect."""
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    max_uses: int | None = None
    location: dict[str, str] | None = None
    """``city``, ``region``, ``country``, ``timezone`` of the user."""
    cache: CacheMarker | None = None
    path: str = _path()


Tool = FunctionTool | FreeformTool | ClientTool | HostedTool


def called(tool: Tool) -> str:
    """The name by which a choice speaks of *tool*: a hosted one that has no name is spoken of by its type (OpenAI)."""
    if isinstance(tool, HostedTool):
        names = (tool.options.get(name) for name in ("name", "server_label"))
        return next((name for name in names if isinstance(name, str) and name), tool.type)
    return tool.function.name if isinstance(tool, ClientTool) else tool.name


def is_search(tool: Tool) -> bool:
    """Whether *tool* searches the others."""
    return isinstance(tool, HostedTool) and tool.kind == TOOL_SEARCH


class Choice(enum.Enum):
    """Which tools the model may or must use."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"
    """Exactly the one of ``ToolChoice.names``."""
    ALLOWED = "allowed"
    """Text, or one of ``ToolChoice.names``."""
    REQUIRED_OF = "required_of"
    """One of ``ToolChoice.names``."""


@attrs.frozen
class ToolChoice:
    """The choice, with the names it speaks of."""

    choice: Choice
    names: tuple[str, ...] = ()
    path: str = _path()


# -- settings -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Sampling:
    """How tokens are drawn, and how many. None (or empty): not said."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logit_bias: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    candidates: int | None = None
    """Chat's ``n``, Gemini's ``candidateCount``."""


class Effort(enum.Enum):
    """How much reasoning is wanted; the table is ``docs/mapping.md#reasoning``."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"
    ADAPTIVE = "adaptive"
    """As much as the model finds fit."""


_THINKING = ("enabled", "adaptive", "between_tools")


@attrs.frozen
class Reasoning:
    """What the client wants of reasoning."""

    effort: Effort | None = None
    budget: int | None = None
    """Tokens; -1 where the model decides."""
    kind: str = ""
    """Anthropic's ``thinking.type``: ``enabled``, ``adaptive``, ``disabled``, ``between_tools``; empty elsewhere."""
    shown: bool | None = None
    """Whether thoughts (or their summary) are wanted in the reply; None: the provider's default."""
    summary: str = ""
    """OpenAI's ``auto``, ``concise``, ``detailed``."""

    @property
    def is_wanted(self) -> bool:
        """Whether the model is to reason at all."""
        return self.effort is not Effort.NONE and self.kind != "disabled" and self.budget != 0

    @property
    def wants_thoughts(self) -> bool:
        """Whether the client expects to see thoughts: it said so, or its dialect shows them unless told not to."""
        if self.shown is not None:
            return self.shown
        return bool(self.summary) or self.kind in _THINKING

    @property
    def is_off(self) -> bool:
        """Whether the client wants no reasoning. Anthropic's effort beside ``disabled`` is one of the answer."""
        return self.kind == "disabled" or self.effort is Effort.NONE or (self.effort is None and self.budget == 0)

    @property
    def is_left_to_model(self) -> bool:
        """Whether the client wants reasoning and leaves it to the model how much."""
        if self.effort is not None:
            return self.effort is Effort.ADAPTIVE
        if self.budget is not None:
            return self.budget < 0
        return self.kind in _THINKING or self.shown is True


@attrs.frozen
class OutputFormat:
    """The reply is to be JSON."""

    schema: dict[str, Any] | None = None
    """None: any JSON object."""
    name: str = ""
    description: str = ""
    strict: bool | None = None
    path: str = _path()


@attrs.frozen
class Native:
    """A field that only the client's own dialect has."""

    value: Any
    essential: bool = False
    """Losing it changes the meaning of the request: refused elsewhere. Else it is dropped and reported."""
    hosted: bool = False
    """It is one of the provider's own tools, or sets one up: it may be left out where a hosted tool may."""


@attrs.frozen
class Prompt:
    """Everything a client asked for."""

    dialect: str
    """The dialect it was read from."""
    model: str
    system: tuple[Text, ...] = ()
    turns: tuple[Turn, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    sampling: Sampling = attrs.field(factory=Sampling)
    reasoning: Reasoning | None = None
    output: OutputFormat | None = None
    verbosity: str = ""
    """``low``, ``medium``, ``high``."""
    user: str = ""
    """The end user's identity (``user``, ``safety_identifier``, ``metadata.user_id``)."""
    metadata: dict[str, Any] | None = None
    service_tier: str = ""
    cache_key: str = ""
    """OpenAI's ``prompt_cache_key``."""
    cache: CacheMarker | None = None
    """Anthropic's top-level ``cache_control``: cache as much as possible."""
    stream: bool = False
    include_usage: bool = True
    """Chat's ``stream_options.include_usage``; the other dialects always tell."""
    version: str = attrs.field(default="", repr=False)
    """The version of its API that the client states (Anthropic's ``anthropic-version``); empty where it states none."""
    native: dict[str, Native] = attrs.field(factory=dict)
    """Path in the request to what stands there."""
    paths: dict[str, str] = attrs.field(factory=dict, eq=False, repr=False)
    """Where the client wrote what has a neutral name: ``{"max_tokens": "generationConfig.maxOutputTokens"}``."""

    def path(self, name: str) -> str:
        """Where the client wrote the setting that is called *name* here (``temperature``, ``reasoning``)."""
        return self.paths.get(name, name)
