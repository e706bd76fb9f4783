"""What turns and replies are made of. A superset of the four dialects; values, compared without their ``path``."""

import attrs


def _path() -> str:
    path: str = attrs.field(default="", eq=False, kw_only=True, repr=False)
    return path


@attrs.frozen
class CacheMarker:
    """The prompt up to and with this part is to be cached by the provider."""

    ttl: str = ""
    """``5m``, ``1h`` (Anthropic), ``30m``, ``12h`` (OpenAI); empty: the provider's default."""
    path: str = _path()


@attrs.frozen
class Origin:
    """Who made a piece of signed reasoning. Empty where it is not known."""

    dialect: str
    model: str = ""
    organization: str = ""
    """Digest of the organisation, see :func:`gephyr_core.conversation.signatures.organization_digest`."""


@attrs.frozen
class Signature:
    """A provider's proof of reasoning, opaque: a ``signature``, ``encrypted_content`` or ``thoughtSignature``."""

    value: str
    origin: Origin
    id: str = ""
    """The id of the item that it belongs to, where its dialect has one (Responses' reasoning items)."""

    def of(self, organization: str) -> "Signature":
        """The same, made by *organization*, a digest."""
        return attrs.evolve(self, origin=attrs.evolve(self.origin, organization=organization))


# -- where media comes from ---------------------------------------------------------------------------------------


@attrs.frozen
class Inline:
    """Bytes in the request, in standard base64."""

    media_type: str
    data: str


@attrs.frozen
class Url:
    """A web address. *media_type* is empty where the client did not say."""

    url: str
    media_type: str = ""


@attrs.frozen
class FileId:
    """A file kept by a provider; means nothing to another (*dialect* is whose)."""

    id: str
    dialect: str
    media_type: str = ""


Source = Inline | Url | FileId


@attrs.frozen
class Citation:
    """What a piece of text rests on."""

    url: str = ""
    title: str = ""
    cited_text: str = ""
    start: int | None = None
    """Where in the text the cited passage begins, in characters; None where the dialect does not say."""
    end: int | None = None
    document: int | None = None
    """Index of the document of the request; None for a web page."""
    raw: str = ""
    """The citation as its dialect wrote it (JSON), for the way back to the same dialect; see ``dialect``."""
    dialect: str = ""


# -- parts ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Text:
    """Text of a user, an assistant or the operator (in a system prompt)."""

    text: str
    cache: CacheMarker | None = None
    citations: tuple[Citation, ...] = ()
    signature: Signature | None = None
    """Gemini signs text too."""
    phase: str = ""
    """Responses' ``commentary`` or ``final_answer``."""
    path: str = _path()


@attrs.frozen
class Refusal:
    """The model says that it will not."""

    text: str
    path: str = _path()


@attrs.frozen
class Image:
    """A picture."""

    source: Source
    detail: str = ""
    """OpenAI's ``low``, ``high``, ``auto``, ``original``."""
    cache: CacheMarker | None = None
    path: str = _path()


@attrs.frozen
class Document:
    """A PDF, a text or another file. A plain text document is ``Inline`` with a ``text/...`` type."""

    source: Source
    title: str = ""
    """Title or file name."""
    context: str = ""
    citations: bool = False
    """The answer is to cite it."""
    cache: CacheMarker | None = None
    path: str = _path()


@attrs.frozen
class Audio:
    """Sound. The media type's subtype is the format (``audio/wav``, ``audio/mpeg``)."""

    source: Source
    cache: CacheMarker | None = None
    path: str = _path()


@attrs.frozen
class Video:
    """Moving pictures; Gemini only."""

    source: Source
    cache: CacheMarker | None = None
    path: str = _path()


@attrs.frozen
class Thinking:
    """Reasoning. *text* is empty where the provider keeps it to itself; then only the signature counts."""

    text: str
    signature: Signature | None = None
    redacted: bool = False
    """Anthropic's ``redacted_thinking``: the signature's value is its ``data``."""
    summary: bool = False
    """The text sums the reasoning up (Responses' ``summary``) rather than being it."""
    path: str = _path()


@attrs.frozen
class ToolCall:
    """The model asks the client to run a tool."""

    id: str
    name: str
    arguments: str
    """A JSON object's text; ``{}`` when there are none; less than one where a limit cut the reply off, or the model
    wrote it badly. For a freeform tool the input itself, which is no JSON."""
    freeform: bool = False
    signature: Signature | None = None
    cache: CacheMarker | None = None
    path: str = _path()


@attrs.frozen
class ToolResult:
    """What a tool run by the client gave. Stands in a user turn."""

    call_id: str
    content: "tuple[Text | Image | Document | Audio | Video, ...]" = ()
    is_error: bool = False
    name: str = ""
    """The tool's name where the dialect tells it; else found by ``call_id``."""
    freeform: bool = False
    cache: CacheMarker | None = None
    path: str = _path()


@attrs.frozen
class HostedCall:
    """The provider runs one of its own tools."""

    id: str
    kind: str
    """As :attr:`gephyr_core.conversation.prompt.HostedTool.kind`."""
    name: str
    """The tool's name in its dialect."""
    arguments: str = "{}"
    """A JSON object's text: ``{"query": ...}`` for a web search, ``{"code": ..., "language": ...}`` for code."""
    signature: Signature | None = None
    path: str = _path()


@attrs.frozen
class WebSource:
    """One page that a web search found."""

    url: str
    title: str = ""
    text: str = ""
    """What was read of it, where the provider shows it."""
    raw: str = ""
    """The result as its dialect wrote it (JSON), for the way back to the same dialect; see ``HostedResult.dialect``."""


@attrs.frozen
class HostedResult:
    """What the provider's own tool gave."""

    call_id: str
    kind: str
    sources: tuple[WebSource, ...] = ()
    output: str = ""
    """What code printed, or another tool's result as text."""
    is_error: bool = False
    dialect: str = ""
    raw: str = ""
    """The whole result as its dialect wrote it (JSON)."""
    signature: Signature | None = None
    tools: tuple[str, ...] = ()
    """Names of the tools that a search of tools found."""
    path: str = _path()


Part = Text | Refusal | Image | Document | Audio | Video | Thinking | ToolCall | ToolResult | HostedCall | HostedResult
Media = Image | Document | Audio | Video
SIGNED = (Text, Thinking, ToolCall, HostedCall, HostedResult)
"""Parts that may carry a signature."""
