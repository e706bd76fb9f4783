"""Items of OpenAI's own tools, both ways. Each is kept whole too, for the way back to this dialect."""

from typing import Any

import msgspec

from gephyr_core.conversation.parts import HostedCall, HostedResult, Image, Inline, Part, WebSource
from gephyr_core.conversation.prompt import TOOL_SEARCH
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.openai_responses.client_tools import flat_name
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.rendering import encode_json

KINDS = {
    "web_search_call": "web_search",
    "code_interpreter_call": "code_execution",
    "file_search_call": "file_search",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcp",
    "image_generation_call": "image_generation",
    "tool_search_call": "tool_search",
    "tool_search_output": "tool_search",
    "program": "program",
    "program_output": "program",
    "shell_call": "shell",
    "shell_call_output": "shell",
    "compaction": "compaction",
    "compaction_trigger": "compaction",
    "configuration_update": "configuration",
    "item_reference": "reference",
    "mcp_approval_request": "mcp",
    "mcp_approval_response": "mcp",
}
"""Types of items to the kinds of tools behind them."""
ESSENTIAL = {
    "compaction": "what was compacted can only be read by OpenAI",
    "compaction_trigger": "only OpenAI compacts a conversation",
    "item_reference": "the item that is referred to is not known here",
    "configuration_update": "settings that change in the middle of a conversation are OpenAI's own",
    "mcp_approval_request": "only OpenAI calls this MCP server",
    "mcp_approval_response": "only OpenAI calls this MCP server",
}
"""Items without which the conversation means something else, with the reason to refuse it elsewhere."""
QUESTIONS = ("mcp_approval_request", "mcp_approval_response")
"""Items that ask whether a hosted tool may be called, and answer."""
_NAMES = {"web_search": "web_search", "code_execution": "code_interpreter"}
_CALLED = ("web_search_call", "code_interpreter_call", "file_search_call", "mcp_call", "tool_search_call")
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def hosted_call(item: dict[str, Any], path: str = "") -> HostedCall | None:
    """The call that an item tells of; None for one that is no call."""
    kind = str(item.get("type"))
    if kind not in _CALLED or (kind == "tool_search_call" and item.get("execution") == "client"):
        return None
    tool = KINDS[kind]
    name = text(item.get("name")) or _NAMES.get(tool, tool)
    return HostedCall(text(item.get("id")) or "", tool, name, _arguments(kind, item), path=path)


def read_hosted(item: dict[str, Any], path: str = "") -> list[Part]:
    """Read an item of one of OpenAI's own tools: its call, where it is one, and what it gave."""
    kind = str(item.get("type"))
    if kind == "image_generation_call" and (image := text(item.get("result"))):
        form = text(item.get("output_format")) or "png"
        return [Image(Inline(f"image/{'svg+xml' if form == 'svg' else form}", image), path=path)]
    call = hosted_call(item, path)
    if call is not None and call.kind == TOOL_SEARCH:
        return [call]
    result = HostedResult(
        text(item.get("id")) or "",
        KINDS.get(kind, kind),
        _sources(item),
        _output(kind, item),
        is_error=item.get("status") == "failed" or item.get("error") is not None,
        dialect=NAME,
        raw=encode_json(item).decode(),
        tools=_found_tools(item) if kind == "tool_search_output" else (),
        path=path,
    )
    return [result] if call is None else [call, result]


def _arguments(kind: str, item: dict[str, Any]) -> str:
    if kind == "web_search_call":
        action = mapping(item.get("action")) or {}
        query = text(action.get("query"))
        told: Any = {"query": query} if query else {key: value for key, value in action.items() if key != "sources"}
    elif kind == "code_interpreter_call":
        told = {"code": text(item.get("code")) or "", "language": "python"}
    elif kind == "tool_search_call":
        told = item.get("arguments")
        if isinstance(told, str):
            return told or "{}"
        told = told if isinstance(told, dict) else {}
    elif kind == "file_search_call":
        told = {"queries": item.get("queries") or []}
    else:
        return text(item.get("arguments")) or "{}"
    return encode_json(told).decode()


def _sources(item: dict[str, Any]) -> tuple[WebSource, ...]:
    action = mapping(item.get("action")) or {}
    found = action.get("sources")
    return tuple(
        WebSource(url, text(source.get("title")) or "", raw=encode_json(source).decode())
        for source in (found if isinstance(found, list) else ())
        if isinstance(source, dict) and (url := text(source.get("url")))
    )


def _output(kind: str, item: dict[str, Any]) -> str:
    if kind == "mcp_call":
        return text(item.get("output")) or ""
    listed = item.get("outputs") if kind == "code_interpreter_call" else item.get("results")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    field = "logs" if kind == "code_interpreter_call" else "text"
    return "\n".join(told for one in found if (told := text(one.get(field))))


def _found_tools(item: dict[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    listed = item.get("tools")
    for tool in listed if isinstance(listed, list) else ():
        fields = mapping(tool) or {}
        namespace = text(fields.get("name")) or "" if fields.get("type") == "namespace" else ""
        inner = fields.get("tools") if namespace else [fields]
        named = [text((mapping(one) or {}).get("name")) for one in (inner if isinstance(inner, list) else ())]
        found += [flat_name(namespace, name) for name in named if name]
    return tuple(found)


def search_call(call: HostedCall, **identity: Any) -> dict[str, Any]:
    """Write the call of a search of tools."""
    asked = mapping(decode(_ANY, call.arguments or "{}")) or {}
    return {"type": "tool_search_call", **identity, "status": "completed", "arguments": asked}


def search_output(tools: list[Any], **identity: Any) -> dict[str, Any]:
    """Write what a search of tools found: their definitions."""
    return {"type": "tool_search_output", **identity, "status": "completed", "tools": tools}


def raw_item(result: HostedResult) -> dict[str, Any] | None:
    """The item as this dialect wrote it; None where another did."""
    return mapping(decode(_ANY, result.raw)) if result.dialect == NAME else None


def told_item(result: HostedResult) -> dict[str, Any] | None:
    """The item as this dialect wrote it, for a client: without sources of kinds that its SDK does not know."""
    item = raw_item(result)
    action = mapping(item.get("action")) if item is not None else None
    if item is None or action is None or not isinstance(sources := action.get("sources"), list):
        return item
    known = [source for source in sources if isinstance(source, dict) and source.get("type") == "url"]
    return {**item, "action": {**action, "sources": known}}


def write_hosted(item_id: str, call: HostedCall, result: HostedResult | None, status: str) -> dict[str, Any] | None:
    """Write a call of another dialect's tool with its result, if that came; None for what this dialect has no item
    for."""
    told = mapping(decode(_ANY, call.arguments or "{}")) or {}
    if call.kind in ("web_search", "web_fetch"):
        return {"id": item_id, "type": "web_search_call", "status": status, "action": _action(call, told, result)}
    if call.kind == "code_execution":
        output = result.output if result is not None else ""
        return {
            "id": item_id,
            "type": "code_interpreter_call",
            "status": status,
            "code": text(told.get("code")) or text(told.get("command")) or "",
            "container_id": f"cntr_{item_id}",
            "outputs": [{"type": "logs", "logs": output}] if output else [],
        }
    return None


def _action(call: HostedCall, told: dict[str, Any], result: HostedResult | None) -> dict[str, Any]:
    found = result.sources if result is not None else ()
    if call.kind == "web_fetch":
        return {"type": "open_page", "url": text(told.get("url")) or (found[0].url if found else "")}
    queries = told.get("queries")
    listed = [one for one in queries if isinstance(one, str)] if isinstance(queries, list) else []
    query = text(told.get("query")) or (listed[0] if listed else "")
    action: dict[str, Any] = {"type": "search", "query": query, "queries": listed or [query]}
    if found:
        action["sources"] = [{"type": "url", "url": source.url} for source in found]
    return action
