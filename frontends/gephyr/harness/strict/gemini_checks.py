"""What Google refuses in a request for ``generateContent``. Wordings: recorded and published answers."""

import re
from collections.abc import Sequence
from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.gemini_shape import read
from gephyr.harness.strict.models import Gemini, gemini
from gephyr.harness.strict.refusal import RefusalError
from gephyr.harness.strict.signatures import Verifier

SKIP_SIGNATURE = "skip_thought_signature_validator"
"""What Google documents for calls that another model made."""

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_NAME_RULE = (
    "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), "
    "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64."
)
_COUNTS = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)
_CALL_TURN = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
_RESPONSE_TURN = "Please ensure that function response turn comes immediately after a function call turn."
_SIGNATURES = "https://ai.google.dev/gemini-api/docs/thought-signatures"
_FILE = re.compile(
    r"(https://generativelanguage\.googleapis\.com/.*|gs://.*|https://(www\.|m\.)?(youtube\.com|youtu\.be)/.*)"
)
_MIME_TYPES = ("text/plain", "application/json", "text/x.enum")
_MAX_STOPS = 5
_DATA = ("text", "inline_data", "function_call", "function_response", "file_data", "executable_code")
_OTHER_DATA = ("code_execution_result", "tool_call", "tool_response")


def check_generate(given: Object, model_name: str, organization: str, verifier: Verifier) -> dict[str, Any]:
    """Return the request with its names in snake case. Raises :class:`RefusalError` for what Google would not take."""
    asked = read(given)
    model = gemini(model_name)
    contents = asked.get("contents")
    if not contents:
        raise RefusalError("* GenerateContentRequest.contents: contents is not specified\n")
    for index, content in enumerate(contents):
        _check_content(content, index)
    _check_turns(contents)
    _check_media(contents, model)
    _check_tools(asked.get("tools", ()))
    _check_choice(asked)
    _check_config(asked.get("generation_config", {}), model)
    _check_signatures(contents, model_name, model, organization, verifier)
    return asked


def _check_content(content: Object, index: int) -> None:
    if content.get("role", "user") not in {"user", "model"}:
        raise RefusalError("Please use a valid role: user, model.")
    where = f"GenerateContentRequest.contents[{index}]"
    if not content.get("parts"):
        raise RefusalError(f"* {where}.parts: contents.parts must not be empty.\n")
    for place, part in enumerate(content["parts"]):
        held = [field for field in (*_DATA, *_OTHER_DATA) if field in part]
        if len(held) > 1:
            message = f"Invalid value at 'contents[{index}].parts[{place}]' (oneof), oneof field 'data' is already set."
            raise RefusalError(f"{message} Cannot set '{held[1]}'")
        if not held and "thought_signature" not in part and "thought" not in part:
            raise RefusalError(
                f"* {where}.parts[{place}].data: required oneof field 'data' must have one initialized field\n"
            )
        for field in ("function_call", "function_response"):
            if field in part and not part[field].get("name"):
                raise RefusalError(f"* {where}.parts[{place}].{field}.name: Name cannot be empty.\n")
        if "inline_data" in part and not part["inline_data"].get("mime_type"):
            raise RefusalError(f"* {where}.parts[{place}].inline_data.mime_type: must not be empty.\n")
        uri = part.get("file_data", {}).get("file_uri")
        if uri is not None and _FILE.fullmatch(uri) is None:
            raise RefusalError(f"Unsupported file URI type: {uri}")


def _having(content: Object, field: str) -> list[Any]:
    return [part[field] for part in content["parts"] if field in part]


def _merged(contents: Sequence[Object]) -> list[Object]:
    """Join user turns that follow each other: recorded requests spread function responses over several."""
    merged: list[Object] = []
    for content in contents:
        if merged and content.get("role", "user") == merged[-1].get("role", "user") == "user":
            merged[-1] = {"role": "user", "parts": [*merged[-1]["parts"], *content["parts"]]}
        else:
            merged.append(content)
    return merged


def _check_turns(contents: Sequence[Object]) -> None:
    called: list[Any] = []
    previous: Object | None = None
    for content in _merged(contents):
        calls, responses = _having(content, "function_call"), _having(content, "function_response")
        if calls and previous is not None and previous.get("role", "user") == "model":
            raise RefusalError(_CALL_TURN)
        if calls and previous is None:
            raise RefusalError(_CALL_TURN)
        if responses and not called:
            raise RefusalError(_RESPONSE_TURN)
        if called and len(responses) != len(called):
            raise RefusalError(_COUNTS)
        _check_answers(called, responses)
        called, previous = calls, content


def _check_answers(called: Sequence[Object], responses: Sequence[Object]) -> None:
    names = sorted(call["name"] for call in called)
    if called and names != sorted(response["name"] for response in responses):
        raise RefusalError("Please ensure that function response names match the names of the function call turn.")
    ids = [call["id"] for call in called if call.get("id")]
    for response in responses:
        if response.get("id") and ids and response["id"] not in ids:
            raise RefusalError(f"Function response id {response['id']} does not match any function call id.")


def _check_media(contents: Sequence[Object], model: Gemini) -> None:
    """Media inside a function response is Gemini 3's; before, it stands beside the response."""
    for content in contents:
        for response in _having(content, "function_response"):
            if response.get("parts") and not model.levels:
                raise RefusalError("Multimodal function response is not supported for this model.")


def _check_tools(tools: Sequence[Object]) -> None:
    names: list[str] = []
    for index, tool in enumerate(tools):
        for place, declared in enumerate(tool.get("function_declarations", ())):
            at = f"GenerateContentRequest.tools[{index}].function_declarations[{place}]"
            name = declared.get("name", "")
            if _NAME.fullmatch(name) is None:
                raise RefusalError(f"* {at}.name: {_NAME_RULE}\n")
            if name in names:
                raise RefusalError(f"Duplicate function declaration found: {name}")
            names.append(name)
            if "parameters" in declared and "parameters_json_schema" in declared:
                raise RefusalError(f"* {at}: parameters and parameters_json_schema are mutually exclusive.\n")
            if "parameters" in declared:
                if declared["parameters"].get("type") != "OBJECT":
                    raise RefusalError(f"* {at}.parameters.type: schema at top-level must be of type OBJECT\n")
                _check_schema(declared["parameters"], f"{at}.parameters")


def _check_schema(schema: Object, at: str) -> None:
    kind = schema.get("type")
    if kind == "ARRAY" and "items" not in schema:
        raise RefusalError(f"* {at}.items: missing field.\n")
    if schema.get("enum") and kind not in {None, "STRING", "TYPE_UNSPECIFIED"}:
        raise RefusalError(f"* {at}.enum: only allowed for STRING type\n")
    if any(word == "" for word in schema.get("enum", ())):
        raise RefusalError(f"* {at}.enum[{schema['enum'].index('')}]: cannot be empty\n")
    if kind == "STRING" and schema.get("format") not in {None, "", "enum", "date-time"}:
        raise RefusalError(f"* {at}.format: only 'enum' and 'date-time' are supported for STRING type\n")
    if "properties" in schema and kind not in {"OBJECT", None}:
        raise RefusalError(f"* {at}.properties: only allowed for OBJECT type\n")
    properties = schema.get("properties", {})
    for index, name in enumerate(schema.get("required", ())):
        if name not in properties:
            raise RefusalError(f"* {at}.required[{index}]: property is not defined\n")
    for name, item in properties.items():
        _check_schema(item, f"{at}.properties[{name}]")
    for index, item in enumerate(schema.get("any_of", ())):
        _check_schema(item, f"{at}.any_of[{index}]")
    if "items" in schema:
        _check_schema(schema["items"], f"{at}.items")


def _check_choice(asked: Object) -> None:
    calling = asked.get("tool_config", {}).get("function_calling_config", {})
    allowed = calling.get("allowed_function_names", ())
    if allowed and calling.get("mode") not in {"ANY", "VALIDATED"}:
        raise RefusalError(
            "Function calling config is set with allowed_function_names but mode is not ANY or VALIDATED."
        )
    declared = [d["name"] for tool in asked.get("tools", ()) for d in tool.get("function_declarations", ())]
    for name in allowed:
        if name not in declared:
            raise RefusalError(f"allowed_function_names contains a function that is not declared: {name}")


def _check_config(config: Object, model: Gemini) -> None:
    at = "GenerateContentRequest.generation_config"
    for field, low, high in (("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0)):
        value = config.get(field)
        if value is not None and not low <= float(value) <= high:
            raise RefusalError(f"* {at}.{field}: {field} must be in the range [{low}, {high}].\n")
    for field in ("presence_penalty", "frequency_penalty"):
        if not -2.0 <= float(config.get(field, 0)) < 2.0:
            raise RefusalError(f"* {at}.{field}: {field} must be in the range [-2.0, 2.0).\n")
    if config.get("max_output_tokens") is not None and int(config["max_output_tokens"]) < 1:
        raise RefusalError(f"* {at}.max_output_tokens: max_output_tokens must be positive.\n")
    if config.get("top_k") is not None and float(config["top_k"]) < 1:
        raise RefusalError(f"* {at}.top_k: top_k must be positive.\n")
    if not 1 <= int(config.get("candidate_count", 1)) <= 8:
        raise RefusalError(f"* {at}.candidate_count: candidate_count must be in the range [1, 8].\n")
    if len(config.get("stop_sequences", ())) > _MAX_STOPS:
        raise RefusalError(f"* {at}.stop_sequences: the number of stop sequences must not exceed {_MAX_STOPS}.\n")
    _check_output(config, at)
    _check_thinking(config.get("thinking_config", {}), model)


def _check_output(config: Object, at: str) -> None:
    mime_type = config.get("response_mime_type", "")
    if mime_type and mime_type not in _MIME_TYPES:
        raise RefusalError(
            f"* {at}.response_mime_type: allowed mimetypes are {', '.join(f'`{t}`' for t in _MIME_TYPES)}.\n"
        )
    if "response_schema" in config and "response_json_schema" in config:
        raise RefusalError(f"* {at}: response_schema and response_json_schema are mutually exclusive.\n")
    has_schema = "response_schema" in config or "response_json_schema" in config
    if has_schema and mime_type not in {"application/json", "text/x.enum"}:
        raise RefusalError(f"* {at}.response_mime_type: response_schema requires 'application/json'.\n")
    if "response_schema" in config:
        _check_schema(config["response_schema"], f"{at}.response_schema")


def _check_thinking(thinking: Object, model: Gemini) -> None:
    level, budget = thinking.get("thinking_level"), thinking.get("thinking_budget")
    if level is not None and budget is not None:
        raise RefusalError("You can only set only one of thinking budget and thinking level.")
    if level is not None and level not in model.levels:
        if not model.levels:
            raise RefusalError("Thinking level is not supported for this model.")
        raise RefusalError(
            f"Thinking level {level} is not supported for this model. Please retry with other thinking level."
        )
    if budget is None or budget == -1:
        return
    if model.budget is None:
        raise RefusalError("Thinking budget is not supported for this model.")
    least, most = model.budget
    if budget == 0 and model.off:
        return
    if budget == 0 and least > 0:
        raise RefusalError("Budget 0 is invalid. This model only works in thinking mode.")
    if not least <= budget <= most:
        raise RefusalError(
            f"The thinking budget {budget} is invalid. Please choose a value between {least} and {most}."
        )


def standard_base64(text: str) -> str:
    """Return *text* in the usual alphabet; Google's own SDKs write bytes in the one for URLs."""
    return text.replace("-", "+").replace("_", "/")


def current_turn(contents: Sequence[Object]) -> int:
    """Return where the current turn begins: after the user's last own words."""
    own = [
        index
        for index, content in enumerate(contents)
        if content.get("role", "user") == "user" and not _having(content, "function_response")
    ]
    return own[-1] + 1 if own else 0


def _check_signatures(
    contents: Sequence[Object], name: str, model: Gemini, organization: str, verifier: Verifier
) -> None:
    current = current_turn(contents)
    for index, content in enumerate(contents):
        calls = [part for part in content["parts"] if "function_call" in part]
        for part in content["parts"]:
            signature = part.get("thought_signature")
            if signature and signature != SKIP_SIGNATURE:
                sealed = verifier.opened(standard_base64(signature))
                if sealed is None or sealed.kind != "gemini":
                    raise RefusalError("Corrupted thought signature.")
                if model.signs and (sealed.organization, sealed.model) != (organization, name):
                    raise RefusalError("Thought signature is not valid.")
        if model.signs and index >= current and calls and not calls[0].get("thought_signature"):
            called = calls[0]["function_call"]["name"]
            raise RefusalError(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{called}` , position {index + 1}. Please refer to {_SIGNATURES} "
                "for more details."
            )
