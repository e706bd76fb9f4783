"""Google's own tools: their names, and what they were asked and gave."""

from typing import Any

from gephyr_core.conversation.parts import HostedCall, HostedResult, Signature
from gephyr_core.dialects.decoding import decode_any, mapping, text
from gephyr_core.dialects.gemini.messages import NAME, enum_word
from gephyr_core.dialects.rendering import encode_json

TOOL_KINDS = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "enterpriseWebSearch": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "web_fetch",
    "fileSearch": "file_search",
    "googleMaps": "maps",
    "computerUse": "computer",
    "mcpServers": "mcp",
}
"""Fields of a ``Tool`` to the kind of the tool."""
OFFERED = {"web_search": "googleSearch", "code_execution": "codeExecution", "web_fetch": "urlContext"}
"""Kinds of tools that other dialects have too, to the field of a ``Tool``."""
_CALL_KINDS = {
    "GOOGLE_SEARCH_WEB": "web_search",
    "GOOGLE_SEARCH_IMAGE": "web_search",
    "GOOGLE_SEARCH": "web_search",
    "URL_CONTEXT": "web_fetch",
    "FILE_SEARCH": "file_search",
    "GOOGLE_MAPS": "maps",
    "CODE_EXECUTION": "code_execution",
    "COMPUTER_USE": "computer",
    "MCP_SERVER": "mcp",
}
"""``toolType`` of a ``toolCall``."""
_CALL_TYPES = {"web_search": "GOOGLE_SEARCH_WEB", "web_fetch": "URL_CONTEXT"}
CODE = "code_execution"
_OUTCOMES = ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED")
_LANGUAGES = ("LANGUAGE_UNSPECIFIED", "PYTHON")


def read_code(fields: dict[str, Any], call_id: str, signature: Signature | None, path: str = "") -> HostedCall:
    """Read ``executableCode``; *call_id* where it has no id."""
    asked = {
        "code": text(fields.get("code")) or "",
        "language": (enum_word(fields.get("language"), _LANGUAGES) or "PYTHON").lower(),
    }
    arguments = encode_json(asked).decode()
    return HostedCall(text(fields.get("id")) or call_id, CODE, CODE, arguments, signature, path=path)


def read_code_result(fields: dict[str, Any], call_id: str, signature: Signature | None, path: str = "") -> HostedResult:
    """Read ``codeExecutionResult``; *call_id*: the code's, where it has no id."""
    failed = enum_word(fields.get("outcome"), _OUTCOMES) not in (None, _OUTCOMES[0], _OUTCOMES[1])
    return HostedResult(
        text(fields.get("id")) or call_id,
        CODE,
        output=text(fields.get("output")) or "",
        is_error=failed,
        dialect=NAME,
        raw=encode_json({"codeExecutionResult": fields}).decode(),
        signature=signature,
        path=path,
    )


def read_call(fields: dict[str, Any], call_id: str, signature: Signature | None, path: str = "") -> HostedCall:
    """Read a ``toolCall``."""
    name = text(fields.get("toolType") or fields.get("tool_type")) or "TOOL_TYPE_UNSPECIFIED"
    arguments = encode_json(mapping(fields.get("args")) or {}).decode()
    return HostedCall(text(fields.get("id")) or call_id, _kind(name), name, arguments, signature, path=path)


def read_response(fields: dict[str, Any], call_id: str, signature: Signature | None, path: str = "") -> HostedResult:
    """Read a ``toolResponse``."""
    name = text(fields.get("toolType") or fields.get("tool_type")) or "TOOL_TYPE_UNSPECIFIED"
    response = fields.get("response")
    return HostedResult(
        text(fields.get("id")) or call_id,
        _kind(name),
        output=encode_json(response).decode() if response else "",
        dialect=NAME,
        raw=encode_json({"toolResponse": fields}).decode(),
        signature=signature,
        path=path,
    )


def is_beside(part: HostedCall | HostedResult) -> bool:
    """Whether a reply tells of it beside its content: searches and fetches, but for calls that Google itself showed."""
    if part.kind not in ("web_search", "web_fetch"):
        return False
    if isinstance(part, HostedCall):
        return part.name not in _CALL_KINDS
    return not (part.dialect == NAME and part.raw.startswith('{"toolResponse"'))


def has_part(part: HostedCall | HostedResult) -> bool:
    """Whether Gemini has a part for what a tool was asked or gave: its own, and others' that do the same."""
    if part.kind == CODE or part.kind in _CALL_TYPES:
        return True
    return part.name in _CALL_KINDS if isinstance(part, HostedCall) else part.dialect == NAME and bool(part.raw)


def call_part(call: HostedCall) -> dict[str, Any]:
    """Write a call of a tool of Google's, or of another provider's that does the same."""
    asked = arguments_of(call)
    identity = {"id": call.id} if call.id else {}
    if call.kind == CODE:
        code = asked.get("code")
        code = code if isinstance(code, str) else text(asked.get("command")) or call.arguments
        return {"executableCode": {**identity, "language": _LANGUAGES[1], "code": code}}
    if call.kind == "web_search" and isinstance(asked.get("query"), str):
        asked = {"queries": [asked["query"]]}
    name = call.name if call.name in _CALL_KINDS else _CALL_TYPES.get(call.kind, "TOOL_TYPE_UNSPECIFIED")
    return {"toolCall": {**identity, "toolType": name, "args": asked}}


def result_part(result: HostedResult) -> dict[str, Any]:
    """Write what a tool gave: as it came, if it came from Google."""
    raw = _object(result.raw) if result.dialect == NAME and result.raw else {}
    if "codeExecutionResult" in raw or "toolResponse" in raw:
        return raw
    identity = {"id": result.call_id} if result.call_id else {}
    if result.kind == CODE:
        outcome = _OUTCOMES[2] if result.is_error else _OUTCOMES[1]
        return {"codeExecutionResult": {**identity, "outcome": outcome, "output": result.output}}
    sources = [{"title": source.title, "url": source.url} for source in result.sources]
    response: dict[str, Any] = {"results": sources} if sources else {}
    if result.output:
        response["error" if result.is_error else "output"] = result.output
    name = _CALL_TYPES.get(result.kind, "TOOL_TYPE_UNSPECIFIED")
    return {"toolResponse": {**identity, "toolType": name, "response": response}}


def arguments_of(call: HostedCall) -> dict[str, Any]:
    """What a tool was asked; empty for what is no object."""
    return _object(call.arguments)


def _kind(tool_type: str) -> str:
    return _CALL_KINDS.get(tool_type, tool_type.lower())


def _object(json: str) -> dict[str, Any]:
    """An object's text, decoded; empty for what is none."""
    return mapping(decode_any(json)) or {}
