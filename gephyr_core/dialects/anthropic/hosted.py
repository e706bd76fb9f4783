"""What Anthropic's own tools are asked and give, and citations: as blocks and as parts."""

from typing import Any

import msgspec

from gephyr_core.conversation.parts import Citation, HostedCall, HostedResult, Origin, Signature, WebSource
from gephyr_core.conversation.prompt import TOOL_SEARCH
from gephyr_core.conversation.signatures import SEAL, seal, unseal
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.decoding import decode_any, mapping, text
from gephyr_core.dialects.rendering import encode_json

BASH = "bash_code_execution"
BM25 = "tool_search_tool_bm25"
REGEX = "tool_search_tool_regex"
_KINDS = {
    "web_search": "web_search",
    "web_fetch": "web_fetch",
    "code_execution": "code_execution",
    BASH: "code_execution",
    "text_editor_code_execution": "code_execution",
    REGEX: TOOL_SEARCH,
    BM25: TOOL_SEARCH,
}
MCP_ID = "mcptoolu_"
"""How Anthropic's ids of calls of a remote server begin."""
CALLS = ("server_tool_use", "mcp_tool_use")
"""Blocks of calls that the provider answers itself."""
_RESULT = "_tool_result"
_WEB_CITATION = "web_search_result_location"
_WRITTEN_KINDS = ("web_search", "web_fetch", "code_execution", TOOL_SEARCH)
"""Kinds of foreign tools that have a shape here."""


# -- reading --------------------------------------------------------------------------------------------------------


def is_result(kind: object) -> bool:
    """Whether blocks of this type hold what a provider's own tool gave."""
    return isinstance(kind, str) and kind.endswith(_RESULT)


def read_call(block: dict[str, Any], path: str = "") -> HostedCall:
    """Read a call of the provider's own tool."""
    name = text(block.get("name")) or ""
    kind = "mcp" if block.get("type") == "mcp_tool_use" else _KINDS.get(name, name)
    arguments = call_arguments(name, block.get("input"))
    return HostedCall(text(block.get("id")) or "", kind, name, arguments, path=path)


def call_arguments(name: str, given: object) -> str:
    """The arguments of a call of a provider's own tool, with neutral names."""
    fields = mapping(given) or {}
    if name == BASH and "command" in fields:
        fields = {"code": fields["command"], "language": "bash", **_without(fields, "command")}
    return encode_json(fields).decode()


def read_result(block: dict[str, Any], path: str = "") -> HostedResult:
    """Read what a provider's own tool gave."""
    name = str(block.get("type")).removesuffix(_RESULT)
    kind = TOOL_SEARCH if name in ("tool_search", "tool_search_tool") else _KINDS.get(name, name)
    content = block.get("content")
    fields = mapping(content) or {}
    failed = bool(block.get("is_error") or "error_code" in fields or fields.get("return_code"))
    sources = _sources(content, fields)
    maker = _maker(sources)
    return HostedResult(
        text(block.get("tool_use_id")) or "",
        kind,
        sources if maker is None else tuple(_foreign(source) for source in sources),
        _output(kind, content, fields),
        failed,
        NAME if maker is None else maker,
        encode_json(block).decode() if maker is None else "",
        tools=_found_tools(fields) if kind == TOOL_SEARCH else (),
        path=path,
    )


def _sources(content: object, fields: dict[str, Any]) -> tuple[WebSource, ...]:
    if fields.get("type") == "web_fetch_result":
        document = mapping(fields.get("content")) or {}
        read = text((mapping(document.get("source")) or {}).get("data")) or ""
        return (WebSource(text(fields.get("url")) or "", text(document.get("title")) or "", read),)
    found = []
    for item in content if isinstance(content, list) else ():
        result = mapping(item) or {}
        if result.get("type") == "web_search_result":
            raw = encode_json(result).decode()
            found.append(WebSource(text(result.get("url")) or "", text(result.get("title")) or "", raw=raw))
    return tuple(found)


def _maker(sources: tuple[WebSource, ...]) -> str | None:
    """Whose results these are, where they were sealed here; None for Anthropic's own."""
    for source in sources:
        if sealed := _sealed(source):
            return sealed.origin.dialect
    return None


def _sealed(source: WebSource) -> Signature | None:
    value = msgspec.json.decode(source.raw).get("encrypted_content") if source.raw else None
    return unseal(value, NAME) if isinstance(value, str) and value.startswith(SEAL) else None


def _foreign(source: WebSource) -> WebSource:
    sealed = _sealed(source)
    return WebSource(source.url, source.title, raw="" if sealed is None else sealed.value)


def _output(kind: str, content: object, fields: dict[str, Any]) -> str:
    """What there is to tell as text."""
    if "error_code" in fields:
        return str(fields["error_code"])
    if "stdout" in fields or "stderr" in fields:
        return "".join(str(fields.get(name) or "") for name in ("stdout", "stderr"))
    if kind == TOOL_SEARCH:
        return ", ".join(_found_tools(fields))
    if isinstance(content, list):
        return "".join(told for item in content if (told := text((mapping(item) or {}).get("text"))))
    return text(content) or text(fields.get("text")) or ""


def _found_tools(fields: dict[str, Any]) -> tuple[str, ...]:
    references = fields.get("tool_references")
    named = [mapping(item) or {} for item in references] if isinstance(references, list) else []
    return tuple(name for item in named if (name := text(item.get("tool_name"))))


def read_citation(value: object) -> Citation | None:
    """Read a citation of a text; None where it is none."""
    fields = mapping(value)
    if fields is None:
        return None
    index = fields.get("encrypted_index")
    sealed = isinstance(index, str) and index.startswith(SEAL)
    document = fields.get("document_index")
    return Citation(
        text(fields.get("url")) or text(fields.get("source")) or "",
        text(fields.get("title")) or text(fields.get("document_title")) or "",
        text(fields.get("cited_text")) or "",
        document=document if isinstance(document, int) else None,
        raw="" if sealed else encode_json(fields).decode(),
        dialect="" if sealed else NAME,
    )


# -- writing --------------------------------------------------------------------------------------------------------


def call_object(call: HostedCall, call_id: str) -> dict[str, Any] | None:
    """Write a call of a provider's own tool; None where the Messages API has no shape for it."""
    fields = _decoded(call.arguments)
    if call.kind == "mcp":
        if not call_id.startswith(MCP_ID):
            return None
        return {"type": "mcp_tool_use", "id": call_id, "name": call.name, "server_name": "mcp", "input": fields}
    if call.kind == TOOL_SEARCH:
        return {"type": "server_tool_use", "id": call_id, **_search(call, fields)}
    name = call.name if call.name in _KINDS or call.kind == "advisor" else call.kind
    if call.kind == "code_execution" and (name == BASH or fields.get("language") == "bash"):
        name = BASH
        fields = {"command": fields.get("code", ""), **_without(fields, "code", "language")}
    if name not in _KINDS and call.kind != "advisor":
        return None
    return {"type": "server_tool_use", "id": call_id, "name": name, "input": fields}


def _search(call: HostedCall, fields: dict[str, Any]) -> dict[str, Any]:
    """The name and the input of a search of tools. OpenAI's names what it looks for in lists."""
    name, field, joint = (REGEX, "pattern", "|") if call.name == REGEX else (BM25, "query", " ")
    if field not in fields:
        listed = [word for value in fields.values() for word in (value if isinstance(value, list) else [value])]
        fields = {field: joint.join(word for word in listed if isinstance(word, str))}
    return {"name": name, "input": fields}


def result_object(result: HostedResult, call_id: str, *, bash: bool) -> dict[str, Any] | None:
    """Write what a provider's own tool gave; None where the Messages API has no shape for it."""
    if result.raw and result.dialect == NAME:
        return {**_decoded(result.raw), "tool_use_id": call_id}
    if result.kind not in _WRITTEN_KINDS:
        return None
    if result.kind == "code_execution":
        return {
            "type": f"{BASH if bash else result.kind}{_RESULT}",
            "tool_use_id": call_id,
            "content": _ran(result, bash),
        }
    if result.kind == TOOL_SEARCH:
        return {"type": "tool_search_tool_result", "tool_use_id": call_id, "content": _references(result)}
    failed = {"type": f"{result.kind}_tool_result_error", "error_code": "unavailable"}
    content: Any = failed
    if not result.is_error:
        content = (
            _fetched(result) if result.kind == "web_fetch" else [_found(source, result) for source in result.sources]
        )
    return {"type": f"{result.kind}{_RESULT}", "tool_use_id": call_id, "content": content}


def _references(result: HostedResult) -> dict[str, Any]:
    if result.is_error:
        return {"type": "tool_search_tool_result_error", "error_code": "unavailable"}
    references = [{"type": "tool_reference", "tool_name": name} for name in result.tools]
    return {"type": "tool_search_tool_search_result", "tool_references": references}


def _ran(result: HostedResult, bash: bool) -> dict[str, Any]:
    return {
        "type": f"{BASH if bash else 'code_execution'}_result",
        "stdout": "" if result.is_error else result.output,
        "stderr": result.output if result.is_error else "",
        "return_code": int(result.is_error),
        "content": [],
    }


def _found(source: WebSource, result: HostedResult) -> dict[str, Any]:
    sealed = seal(Signature(source.raw or source.text, Origin(result.dialect or "unknown")))
    return {
        "type": "web_search_result",
        "title": source.title or source.url,
        "url": source.url,
        "encrypted_content": sealed,
        "page_age": None,
    }


def _fetched(result: HostedResult) -> dict[str, Any]:
    source = result.sources[0] if result.sources else WebSource("")
    read = {"type": "text", "media_type": "text/plain", "data": source.text or result.output}
    document = {"type": "document", "source": read, "title": source.title or None, "citations": None}
    return {"type": "web_fetch_result", "url": source.url, "content": document, "retrieved_at": None}


def citation_object(citation: Citation) -> dict[str, Any] | None:
    """Write a citation; None for what cannot be told (the place of a document's passage that is not known)."""
    if citation.raw and citation.dialect == NAME:
        return _decoded(citation.raw)
    if not citation.url:
        return None
    return {
        "type": _WEB_CITATION,
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.cited_text,
        "encrypted_index": seal(Signature("", Origin(citation.dialect or "unknown"))),
    }


def _decoded(raw: str) -> dict[str, Any]:
    return mapping(decode_any(raw)) or {}


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
