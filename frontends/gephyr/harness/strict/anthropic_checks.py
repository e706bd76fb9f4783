"""What Anthropic refuses in a request for a message, ``messages`` apart. Wordings: recorded and published answers."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.anthropic_history import check_history
from gephyr.harness.strict.anthropic_versions import check_version
from gephyr.harness.strict.models import Claude, claude
from gephyr.harness.strict.refusal import RefusalError, objects
from gephyr.harness.strict.signatures import Verifier
from gephyr_core.http import Headers, header

FIELDS = (
    *("cache_control", "container", "diagnostics", "inference_geo", "max_tokens", "messages", "metadata", "model"),
    *("output_config", "service_tier", "speed", "stop_sequences", "stream", "system", "temperature", "thinking"),
    *("tool_choice", "tools", "top_k", "top_p", "user_profile_id", "workspace_id"),
)
BETA_FIELDS = (
    *("billing_policy", "compaction", "context_management", "fallback_credit_token", "fallbacks", "mcp_servers"),
    *("output_format", "thread"),
)
"""Taken when the ``anthropic-beta`` header is there."""

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_FIELDS = (
    *("type", "name", "description", "input_schema", "cache_control", "strict", "defer_loading", "allowed_callers"),
    *("eager_input_streaming", "input_examples"),
)
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_MAX_CACHE_MARKERS = 4
_LEAST_BUDGET = 1024
_THINKING_DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


def check_messages(given: Object, headers: Headers, organization: str, verifier: Verifier) -> None:
    """Raise :class:`RefusalError` for what Anthropic would not take from an account of *organization*."""
    check_version(given, headers)
    only(given, (*FIELDS, *BETA_FIELDS) if header(headers, b"anthropic-beta") else FIELDS)
    for field in ("model", "messages", "max_tokens"):
        if field not in given:
            raise RefusalError(f"{field}: Field required")
    model = claude(given["model"])
    _check_limit(given, model)
    _check_thinking(given, model)
    _check_sampling(given, model)
    names = _check_tools(given)
    _check_choice(given, model, names)
    _check_output(given, model)
    check_system(given.get("system"))
    check_history(given, model, organization, verifier)
    _check_cache_markers(given)


def only(given: Object, fields: Collection[str], path: str = "") -> None:
    """Refuse a field that is not among *fields*."""
    for name in given:
        if name not in fields:
            raise RefusalError(f"{path}{name}: Extra inputs are not permitted")


def check_system(system: Any) -> None:
    """Refuse a system prompt that is no text, or has an empty block."""
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise RefusalError("system: Input should be a valid list")
    for index, block in enumerate(system):
        if block.get("type") != "text":
            raise RefusalError(f"system.{index}.type: Input should be 'text'")
        only(block, ("type", "text", "cache_control", "citations"), f"system.{index}.")
        if not block.get("text"):
            raise RefusalError("system: text content blocks must be non-empty")


def _check_limit(given: Object, model: Claude) -> None:
    limit = given["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise RefusalError("max_tokens: Input should be a valid integer")
    if limit < 0:  # Zero is legal: it warms the prompt cache.
        raise RefusalError("max_tokens: Input should be greater than or equal to 0")
    if limit > model.max_tokens:
        raise RefusalError(
            f"max_tokens: {limit} > {model.max_tokens}, which is the maximum allowed number of output tokens for "
            f"{given['model']}"
        )
    stops = given.get("stop_sequences") or ()
    for index, stop in enumerate(stops):
        if not isinstance(stop, str) or not stop.strip():
            raise RefusalError(f"stop_sequences: each stop sequence must contain non-whitespace (at {index})")


def thinks(given: Object, model: Claude) -> bool:
    """Whether the model thinks in its answer to this request."""
    kind = (given.get("thinking") or {}).get("type")
    return model.always_thinks if kind is None else kind != "disabled"


def _check_thinking(given: Object, model: Claude) -> None:
    thinking = given.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in {"enabled", "disabled", "adaptive", "between_tools"}:
        tags = "'disabled', 'enabled', 'adaptive', 'between_tools'"
        raise RefusalError(
            f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        )
    only(thinking, ("type", "budget_tokens", "display", "block_binding"), f"thinking.{kind}.")
    if kind not in model.thinking:
        if "adaptive" in model.thinking:
            raise RefusalError(
                f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            )
        if kind == "adaptive" and model.thinking:
            raise RefusalError("adaptive thinking is not supported on this model")
        if kind != "disabled":
            raise RefusalError(f"'{given['model']}' does not support thinking.")
    if kind == "enabled":
        _check_budget(given, thinking.get("budget_tokens"))
    elif "budget_tokens" in thinking:
        raise RefusalError(f"thinking.{kind}.budget_tokens: Extra inputs are not permitted")


def _check_budget(given: Object, budget: Any) -> None:
    if budget is None:
        raise RefusalError("thinking.enabled.budget_tokens: Field required")
    if budget < _LEAST_BUDGET:
        raise RefusalError(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
    if budget >= given["max_tokens"]:
        raise RefusalError(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
            f"{_THINKING_DOCS}#max-tokens-and-context-window-size"
        )


def _check_sampling(given: Object, model: Claude) -> None:
    for field in ("temperature", "top_p", "top_k"):
        value = given.get(field)
        if value is not None and not model.sampling:
            raise RefusalError(f"`{field}` is deprecated for this model.")
    for field, most in (("temperature", 1), ("top_p", 1)):
        value = given.get(field)
        if value is not None and not 0 <= value <= most:
            bound = f"less than or equal to {most}" if value > most else "greater than or equal to 0"
            raise RefusalError(f"{field}: Input should be {bound}")
    if not model.sampling_together and given.get("temperature") is not None and given.get("top_p") is not None:
        raise RefusalError("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if not thinks(given, model):
        return
    if given.get("temperature") not in {None, 1}:
        raise RefusalError(
            "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. "
            f"Please consult our documentation at {_THINKING_DOCS}"
        )
    if given.get("top_p") is not None and given["top_p"] < 0.95:
        raise RefusalError("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
    if given.get("top_k") is not None:
        raise RefusalError("`top_k` must be unset when thinking is enabled.")


def _check_tools(given: Object) -> list[str]:
    names: list[str] = []
    for index, tool in enumerate(given.get("tools") or ()):
        kind = tool.get("type")
        if kind in {None, "custom"}:
            _check_tool(tool, f"tools.{index}.custom.")
        if "name" in tool:
            names.append(tool["name"])
    if len(dict.fromkeys(names)) != len(names):
        raise RefusalError("tools: Tool names must be unique.")
    return names


def _check_tool(tool: Object, path: str) -> None:
    only(tool, _TOOL_FIELDS, path)
    for field in ("name", "input_schema"):
        if field not in tool:
            raise RefusalError(f"{path}{field}: Field required")
    if _TOOL_NAME.fullmatch(tool["name"]) is None:
        raise RefusalError(f"{path}name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    schema = tool["input_schema"]
    if not isinstance(schema, dict):
        raise RefusalError(f"{path}input_schema: Input should be a valid dictionary")
    if "type" not in schema:
        raise RefusalError(f"{path}input_schema.type: Field required")
    if schema["type"] != "object":
        raise RefusalError(f"{path}input_schema.type: Input should be 'object'")
    if any(word in schema for word in ("oneOf", "allOf", "anyOf")):
        raise RefusalError(f"{path}input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level")
    if not is_schema(schema):
        raise RefusalError(
            f"{path}input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 "
            "(https://json-schema.org/draft/2020-12). Learn more about tool use at "
            "https://docs.claude.com/en/docs/tool-use."
        )
    if tool.get("strict"):
        _check_closed(schema, "tools")


def is_schema(schema: Any) -> bool:
    """Whether *schema* keeps JSON Schema 2020-12 as far as its usual words go."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict):
        return False
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    words = ("required", "enum", "anyOf", "oneOf", "allOf", "prefixItems")
    numbers = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems")
    return (
        all(kind in _TYPES for kind in kinds)
        and all(isinstance(schema[word], list) for word in words if word in schema)
        and all(
            isinstance(schema[word], int | float) and not isinstance(schema[word], bool)
            for word in numbers
            if word in schema
        )
        and all(is_schema(item) for item in _below(schema))
    )


def _below(schema: Object) -> list[Any]:
    below: list[Any] = [schema[word] for word in ("items", "additionalProperties", "not") if word in schema]
    for word in ("properties", "$defs", "definitions", "patternProperties"):
        found = schema.get(word, {})
        below += found.values() if isinstance(found, dict) else [None]
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        below += schema.get(word, [])
    return below


def _check_choice(given: Object, model: Claude, names: Sequence[str]) -> None:
    choice = given.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in {"auto", "any", "tool", "none"}:
        tags = "'auto', 'any', 'tool', 'none'"
        raise RefusalError(
            f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        )
    only(choice, ("type", "name", "disable_parallel_tool_use"), f"tool_choice.{kind}.")
    if not given.get("tools") and not given.get("mcp_servers"):
        raise RefusalError("tool_choice may only be specified while providing tools.")
    if kind == "tool" and choice.get("name") not in names:
        raise RefusalError(f"Tool '{choice.get('name')}' not found in provided tools")
    if kind in {"any", "tool"}:
        if not model.forced_tools:
            raise RefusalError("tool_choice: forced tool use is not supported for this model.")
        if (given.get("thinking") or {}).get("type") == "enabled":
            raise RefusalError("Thinking may not be enabled when tool_choice forces tool use.")


def _check_output(given: Object, model: Claude) -> None:
    config = given.get("output_config") or {}
    only(config, ("effort", "format", "task_budget"), "output_config.")
    effort = config.get("effort")
    if effort is not None and effort not in model.efforts:
        if not model.efforts:
            raise RefusalError("This model does not support the effort parameter.")
        levels = ", ".join(sorted(model.efforts))
        raise RefusalError(f"This model does not support effort level '{effort}'. Supported levels: {levels}.")
    off = (given.get("thinking") or {}).get("type") == "disabled"
    if off and model.always_thinks and effort in {"xhigh", "max"}:
        raise RefusalError(f"\"thinking.type.disabled\" is not supported with effort level '{effort}'.")
    form = config.get("format") or given.get("output_format")
    if form is None:
        return
    only(form, ("type", "schema"), "output_config.format.")
    if form.get("type") != "json_schema":
        raise RefusalError("output_config.format.type: Input should be 'json_schema'")
    _check_closed(form.get("schema"), "output_config.format.schema")


def _check_closed(schema: Any, path: str) -> None:
    """Refuse an object schema that lets other properties in, anywhere below."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise RefusalError(f"{path}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for item in _below(schema):
        _check_closed(item, path)


def _check_cache_markers(given: Object) -> None:
    found = 1 if given.get("cache_control") else 0
    for block in (*objects(given.get("tools")), *objects(given.get("system"))):
        found += 1 if block.get("cache_control") else 0
    for message in given["messages"]:
        for block in objects(message.get("content")):
            found += 1 if block.get("cache_control") else 0
            found += sum(1 for inner in objects(block.get("content")) if inner.get("cache_control"))
    if found > _MAX_CACHE_MARKERS:
        raise RefusalError(
            f"A maximum of {_MAX_CACHE_MARKERS} blocks with cache_control may be provided. Found {found}."
        )
