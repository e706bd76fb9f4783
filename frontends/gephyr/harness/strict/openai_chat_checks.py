"""What OpenAI refuses in a request for Chat Completions."""

from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.models import GPT
from gephyr.harness.strict.openai_values import (
    function_parameters,
    image_url,
    is_base64,
    known,
    metadata,
    model_of,
    name,
    one_of,
    output_schema,
    required,
    short,
    typed,
    within,
)
from gephyr.harness.strict.refusal import RefusalError, listed

FIELDS = (
    *("messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
    *("max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls"),
    *("prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
    *("reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream"),
    *("stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity"),
    "web_search_options",
)
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_MESSAGE_FIELDS = {
    "system": ("role", "content", "name"),
    "developer": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": ("role", "content", "name", "refusal", "audio", "tool_calls", "function_call", "annotations"),
    "tool": ("role", "content", "tool_call_id", "name"),
    "function": ("role", "content", "name"),
}
_PARTS = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
    "function": ("text",),
}
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_MAX_CALL_ID = 40
_MAX_STOPS = 4


def check_chat(given: Object) -> None:
    """Raise :class:`RefusalError` for what OpenAI would not take."""
    known(given, FIELDS)
    model = model_of(given)
    if model is None:
        message = f"The model `{given['model']}` does not exist or you do not have access to it."
        raise RefusalError(message, status=404, code="model_not_found")
    _check_model(given, model)
    _check_numbers(given)
    _check_stop(given)
    _check_messages(given, model)
    _check_tools(given)
    _check_format(given)
    metadata(given)
    if given.get("stream_options") is not None and not given.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusalError(message, param="stream_options")


def _check_numbers(given: Object) -> None:
    within(given, "temperature", 0.0, 2.0)
    within(given, "top_p", 0.0, 1.0)
    within(given, "presence_penalty", -2.0, 2.0)
    within(given, "frequency_penalty", -2.0, 2.0)
    within(given, "n", 1, 128)
    within(given, "top_logprobs", 0, 20)
    within(given, "max_completion_tokens", 1, None)
    if given.get("top_logprobs") and not given.get("logprobs"):
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise RefusalError(message, param="top_logprobs")


def _check_model(given: Object, model: GPT) -> None:
    """Refuse what reasoning models do not take, and what only they take."""
    effort = given.get("reasoning_effort")
    if effort is not None and not model.efforts:
        raise RefusalError("Unrecognized request argument supplied: reasoning_effort")
    if effort is not None and effort not in model.efforts:
        message = (
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            f"Supported values are: {listed(model.efforts)}."
        )
        raise RefusalError(message, param="reasoning_effort", code="unsupported_value")
    if given.get("web_search_options") is not None and not model.search:
        raise RefusalError("Web search options not supported with this model.", param="web_search_options")
    if not model.efforts:
        within(given, "max_tokens", 1, None)
        return
    if given.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise RefusalError(message, param="max_tokens", code="unsupported_parameter")
    if given.get("stop") is not None and not model.stop:
        message = "Unsupported parameter: 'stop' is not supported with this model."
        raise RefusalError(message, param="stop", code="unsupported_parameter")
    if not model.samples(effort):
        _check_no_sampling(given)


def _check_no_sampling(given: Object) -> None:
    for field in _SAMPLING:
        default = 1 if field in {"temperature", "top_p"} else 0
        if given.get(field) not in {None, default}:
            message = (
                f"Unsupported value: '{field}' does not support {given[field]} with this model. "
                f"Only the default ({default}) value is supported."
            )
            raise RefusalError(message, param=field, code="unsupported_value")
    for field in ("logprobs", "top_logprobs", "logit_bias"):
        if given.get(field):
            message = f"Unsupported parameter: '{field}' is not supported with this model."
            raise RefusalError(message, param=field, code="unsupported_parameter")


def _check_stop(given: Object) -> None:
    stop = given.get("stop")
    if isinstance(stop, list) and len(stop) > _MAX_STOPS:
        message = (
            f"Invalid 'stop': array too long. Expected an array with maximum length {_MAX_STOPS}, "
            f"but got an array with length {len(stop)} instead."
        )
        raise RefusalError(message, param="stop", code="array_above_max_length")


def _check_messages(given: Object, model: GPT) -> None:
    messages = required(given, "messages")
    typed(messages, list, "messages")
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise RefusalError(message, param="messages", code="empty_array")
    waiting: list[str] = []
    asked_at = 0
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        typed(message, dict, path)
        role = required(message, "role", path)
        one_of(role, ROLES, f"{path}.role")
        if role in {"system", "developer"} and not model.system:
            wrong = f"Unsupported value: '{path}.role' does not support '{role}' with this model."
            raise RefusalError(wrong, param=f"{path}.role", code="unsupported_value")
        known(message, _MESSAGE_FIELDS[role], path)
        if role == "tool":
            _check_answer(message, waiting, index)
        elif waiting:
            raise _unanswered(waiting, asked_at)
        _check_content(message, path, model)
        if role == "assistant" and message.get("tool_calls") is not None:
            waiting, asked_at = _check_calls(message["tool_calls"], path), index
    if waiting:
        raise _unanswered(waiting, asked_at)


def _check_answer(message: Object, waiting: list[str], index: int) -> None:
    call_id = required(message, "tool_call_id", f"messages[{index}]")
    if call_id not in waiting:
        wrong = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
        raise RefusalError(f"Invalid parameter: {wrong}", param=f"messages.[{index}].role")
    waiting.remove(call_id)


def _unanswered(waiting: list[str], index: int) -> RefusalError:
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(waiting)}"
    )
    return RefusalError(message, param=f"messages.[{index}].role")


def _check_calls(calls: Any, path: str) -> list[str]:
    typed(calls, list, f"{path}.tool_calls")
    if not calls:
        message = (
            f"Invalid '{path}.tool_calls': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead."
        )
        raise RefusalError(message, param=f"{path}.tool_calls", code="empty_array")
    for index, call in enumerate(calls):
        at = f"{path}.tool_calls[{index}]"
        known(call, ("id", "type", "function", "custom"), at)
        short(required(call, "id", at), _MAX_CALL_ID, f"{at}.id")
        kind = required(call, "type", at)
        one_of(kind, ("function", "custom"), f"{at}.type")
        body = required(call, kind, at)
        known(body, ("name", "arguments" if kind == "function" else "input"), f"{at}.{kind}")
        name(required(body, "name", f"{at}.{kind}"), f"{at}.{kind}.name")
        typed(required(body, "arguments" if kind == "function" else "input", f"{at}.{kind}"), str, f"{at}.{kind}")
    return [call["id"] for call in calls]


def _check_content(message: Object, path: str, model: GPT) -> None:
    content, role = message.get("content"), message["role"]
    if content is None:
        if role == "assistant" and any(
            message.get(field) for field in ("tool_calls", "function_call", "audio", "refusal")
        ):
            return
        at = path.replace("[", ".[")
        raise RefusalError("Invalid value for 'content': expected a string, got null.", param=f"{at}.content")
    typed(content, (str, list), f"{path}.content")
    if not isinstance(content, list):
        return
    for index, part in enumerate(content):
        at = f"{path}.content[{index}]"
        kind = required(part, "type", at)
        if kind not in _PARTS[role] or (kind == "input_audio" and not model.audio):
            wanted = "text" if _PARTS[role] == ("text",) else "either text or image_url"
            wrong = f"Invalid '{path}'. Content blocks are expected to be {wanted} type."
            raise RefusalError(wrong, param=path, code="invalid_value")
        _check_part(part, kind, at)


def _check_part(part: Object, kind: str, at: str) -> None:
    known(part, ("type", kind, "prompt_cache_breakpoint"), at)
    body = required(part, kind, at)
    if kind == "image_url":
        known(body, ("url", "detail"), f"{at}.image_url")
        image_url(required(body, "url", f"{at}.image_url"), f"{at}.image_url.url")
        if body.get("detail") is not None:
            one_of(body["detail"], ("low", "high", "auto", "original"), f"{at}.image_url.detail")
    elif kind == "input_audio":
        known(body, ("data", "format"), f"{at}.input_audio")
        one_of(required(body, "format", f"{at}.input_audio"), ("wav", "mp3"), f"{at}.input_audio.format")
        if not is_base64(body.get("data")):
            message = f"Invalid value for '{at}.input_audio.data': expected base64."
            raise RefusalError(message, param=f"{at}.input_audio.data", code="invalid_value")
    elif kind == "file":
        known(body, ("file_data", "file_id", "filename"), f"{at}.file")
    else:
        typed(body, str, f"{at}.{kind}")


def _check_tools(given: Object) -> None:
    tools = given.get("tools")
    if tools is None:
        for field in ("tool_choice", "parallel_tool_calls"):
            if given.get(field) is not None and given[field] not in {"none", "auto"}:
                message = f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified."
                raise RefusalError(message, param=field)
        return
    typed(tools, list, "tools")
    if not tools:
        message = (
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise RefusalError(message, param="tools", code="empty_array")
    names = [_check_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    _check_choice(given.get("tool_choice"), names)


def _check_tool(tool: Any, at: str) -> str:
    typed(tool, dict, at)
    kind = required(tool, "type", at)
    one_of(kind, ("function", "custom"), f"{at}.type")
    body = required(tool, kind, at)
    name(required(body, "name", f"{at}.{kind}"), f"{at}.{kind}.name")
    if kind == "function":
        known(body, ("name", "description", "parameters", "strict"), f"{at}.function")
        strict = body.get("strict") is True
        function_parameters(body.get("parameters"), body["name"], f"{at}.function.parameters", strict=strict)
    else:
        known(body, ("name", "description", "format"), f"{at}.custom")
    return str(body["name"])


def _check_choice(choice: Any, names: list[str]) -> None:
    if choice is None or isinstance(choice, str):
        if choice is not None:
            one_of(choice, ("none", "auto", "required"), "tool_choice")
        return
    kind = required(choice, "type", "tool_choice")
    one_of(kind, ("function", "custom", "allowed_tools"), "tool_choice.type")
    known(choice, ("type", kind), "tool_choice")
    body = required(choice, kind, "tool_choice")
    if kind == "allowed_tools":
        one_of(
            required(body, "mode", "tool_choice.allowed_tools"), ("auto", "required"), "tool_choice.allowed_tools.mode"
        )
    elif body.get("name") not in names:
        message = f"Invalid value for 'tool_choice': function '{body.get('name')}' was not found in 'tools'."
        raise RefusalError(message, param="tool_choice")


def _check_format(given: Object) -> None:
    form = given.get("response_format")
    if form is None:
        return
    at = "response_format"
    kind = required(form, "type", at)
    one_of(kind, ("text", "json_object", "json_schema"), f"{at}.type")
    known(form, ("type", "json_schema") if kind == "json_schema" else ("type",), at)
    if kind == "json_schema":
        body = required(form, "json_schema", at)
        known(body, ("name", "schema", "strict", "description"), f"{at}.json_schema")
        name(required(body, "name", f"{at}.json_schema"), f"{at}.json_schema.name")
        if body.get("schema") is not None:
            output_schema(body["schema"], body["name"], at, strict=body.get("strict") is True)
    elif kind == "json_object" and "json" not in str(given["messages"]).lower():
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise RefusalError(message, param="messages")
