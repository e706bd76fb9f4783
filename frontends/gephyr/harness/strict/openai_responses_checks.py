"""What OpenAI refuses in a request for a Response, its input apart."""

from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.models import GPT
from gephyr.harness.strict.openai_input_checks import check_input
from gephyr.harness.strict.openai_values import (
    function_parameters,
    known,
    metadata,
    model_of,
    name,
    one_of,
    output_schema,
    required,
    typed,
    within,
)
from gephyr.harness.strict.refusal import RefusalError, listed
from gephyr.harness.strict.signatures import Verifier

FIELDS = (
    *("access_programs", "background", "background_options", "context_management", "conversation", "include", "input"),
    *("instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls"),
    *(
        "previous_response_id",
        "client_metadata",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    ),
    *("reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text"),
    *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user", "image"),
)
INCLUDES = (
    *("file_search_call.results", "web_search_call.results", "web_search_call.action.sources"),
    *("message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs"),
    *("reasoning.encrypted_content", "message.output_text.logprobs"),
)
_HOSTED = (
    *("file_search", "computer", "computer_use_preview", "web_search", "web_search_preview", "mcp"),
    *("web_search_2025_08_26", "web_search_preview_2025_03_11", "code_interpreter", "image_generation"),
    *("local_shell", "shell", "apply_patch", "namespace", "tool_search", "programmatic_tool_calling"),
)
_FUNCTION = ("type", "name", "parameters", "strict", "description", "defer_loading", "async", "output_schema")
_CUSTOM = ("type", "name", "description", "format", "defer_loading", "async")
_LEAST_OUTPUT = 16


def check_responses(given: Object, organization: str, verifier: Verifier) -> None:
    """Raise :class:`RefusalError` for what OpenAI would not take from an account of *organization*.

    Whether ``previous_response_id`` is known is the caller's to check.
    """
    known(given, FIELDS)
    model = model_of(given) if "prompt" not in given else GPT()
    if model is None:
        message = f"The requested model '{given['model']}' does not exist."
        raise RefusalError(message, param="model", code="model_not_found")
    _check_model(given, model)
    within(given, "temperature", 0.0, 2.0)
    within(given, "top_p", 0.0, 1.0)
    within(given, "top_logprobs", 0, 20)
    within(given, "max_output_tokens", _LEAST_OUTPUT, None)
    within(given, "max_tool_calls", 1, None)
    metadata(given)
    for index, value in enumerate(given.get("include") or ()):
        one_of(value, INCLUDES, f"include[{index}]")
    if given.get("stream_options") is not None and not given.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusalError(message, param="stream_options")
    _check_tools(given)
    _check_format(given)
    _check_continued(given)
    check_input(given, organization, verifier)


def _check_continued(given: Object) -> None:
    if given.get("previous_response_id") and given.get("conversation"):
        message = (
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only providing "
            "one of: 'previous_response_id' or 'conversation'."
        )
        raise RefusalError(message, code="mutually_exclusive_parameters")
    if given.get("input") in (None, []) and not any(
        given.get(n) for n in ("previous_response_id", "conversation", "prompt")
    ):
        message = (
            "Missing required parameter: One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must "
            "be provided."
        )
        raise RefusalError(message, code="missing_required_parameter")


def _check_model(given: Object, model: GPT) -> None:
    reasoning = given.get("reasoning") or {}
    typed(reasoning, dict, "reasoning")
    known(reasoning, ("effort", "summary", "generate_summary", "context", "mode"), "reasoning")
    effort = reasoning.get("effort")
    if effort is not None and not model.efforts:
        message = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        raise RefusalError(message, param="reasoning.effort", code="unsupported_parameter")
    if effort is not None and effort not in model.efforts:
        message = (
            f"Unsupported value: '{effort}' is not supported with the '{given['model']}' model. "
            f"Supported values are: {listed(model.efforts)}."
        )
        raise RefusalError(message, param="reasoning.effort", code="unsupported_value")
    if reasoning.get("summary") is not None:
        one_of(reasoning["summary"], ("auto", "concise", "detailed"), "reasoning.summary")
    if "reasoning.encrypted_content" in (given.get("include") or ()) and not model.efforts:
        raise RefusalError("Encrypted content is not supported with this model.", param="include")
    if not model.samples(effort):
        for field in ("temperature", "top_p", "top_logprobs"):
            if given.get(field) is not None:
                message = f"Unsupported parameter: '{field}' is not supported with this model."
                raise RefusalError(message, param=field, code="unsupported_parameter")


def _check_tools(given: Object) -> None:
    tools = given.get("tools")
    if tools is None:
        tools = []
    typed(tools, list, "tools")
    named: list[str] = []
    for index, tool in enumerate(tools):
        at = f"tools[{index}]"
        typed(tool, dict, at)
        kind = required(tool, "type", at)
        one_of(kind, ("function", "custom", *_HOSTED), f"{at}.type")
        if kind in {"function", "custom"}:
            _check_tool(tool, kind, at)
            named.append(tool["name"])
    _check_choice(given.get("tool_choice"), named, bool(tools))


def _check_tool(tool: Object, kind: str, at: str) -> None:
    known(tool, _FUNCTION if kind == "function" else _CUSTOM, at)
    name(required(tool, "name", at), f"{at}.name", 64)
    if kind == "function":
        # Without ``strict`` the API tries to read the schema as a strict one, and lets it be where it is none.
        strict = tool.get("strict") is True
        function_parameters(tool.get("parameters"), tool["name"], f"{at}.parameters", strict=strict)


def _check_choice(choice: Any, named: list[str], any_tool: bool) -> None:
    if choice is None:
        return
    if isinstance(choice, str):
        one_of(choice, ("none", "auto", "required"), "tool_choice")
        if choice == "required" and not any_tool:
            message = "Tool choice 'required' must be specified with 'tools' parameter."
            raise RefusalError(message, param="tool_choice")
        return
    kind = required(choice, "type", "tool_choice")
    one_of(kind, ("function", "custom", "allowed_tools", *_HOSTED), "tool_choice.type")
    if kind in {"function", "custom"}:
        known(choice, ("type", "name"), "tool_choice")
        if required(choice, "name", "tool_choice") not in named:
            message = f"Tool choice '{choice['name']}' not found in 'tools' parameter."
            raise RefusalError(message, param="tool_choice")
    elif kind == "allowed_tools":
        known(choice, ("type", "mode", "tools"), "tool_choice")
        one_of(required(choice, "mode", "tool_choice"), ("auto", "required"), "tool_choice.mode")


def _check_format(given: Object) -> None:
    text = given.get("text") or {}
    typed(text, dict, "text")
    known(text, ("format", "verbosity"), "text")
    if text.get("verbosity") is not None:
        one_of(text["verbosity"], ("low", "medium", "high"), "text.verbosity")
    form = text.get("format")
    if form is None:
        return
    kind = required(form, "type", "text.format")
    one_of(kind, ("text", "json_object", "json_schema", "grammar", "python"), "text.format.type")
    if kind == "json_schema":
        known(form, ("type", "name", "schema", "strict", "description"), "text.format")
        name(required(form, "name", "text.format"), "text.format.name")
        schema = required(form, "schema", "text.format")
        # Unlike a tool's, an output schema is strict when it is not said.
        output_schema(schema, form["name"], "text.format.schema", strict=form.get("strict") is not False)
    elif kind == "json_object" and "json" not in f"{given.get('input')} {given.get('instructions')}".lower():
        message = (
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'."
        )
        raise RefusalError(message, param="input")
