"""What both of OpenAI's dialects check, in OpenAI's words (recorded answers, and its OpenAPI document)."""

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.models import GPT, OPENAI, family_of
from gephyr.harness.strict.refusal import RefusalError, listed

NAME = re.compile(r"[a-zA-Z0-9_-]+")
_NAME_PATTERN = "^[a-zA-Z0-9_-]+$"
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def known(given: Object, fields: Collection[str], path: str = "") -> None:
    """Refuse a field that is not among *fields*."""
    for name in given:
        if name not in fields:
            param = f"{path}.{name}" if path else name
            raise RefusalError(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def required(given: Object, name: str, path: str = "") -> Any:
    """Return a field that has to be there."""
    param = f"{path}.{name}" if path else name
    if name not in given:
        raise RefusalError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    return given[name]


def typed(value: object, kinds: type | tuple[type, ...], param: str) -> None:
    """Refuse a value of another JSON type than the first of *kinds*."""
    accepted = kinds if isinstance(kinds, tuple) else (kinds,)
    wrong_bool = isinstance(value, bool) and bool not in accepted
    if not isinstance(value, accepted) or wrong_bool:
        wanted = " or ".join(_KINDS[kind].partition(" ")[2] or _KINDS[kind] for kind in accepted)
        article = "an" if wanted[0] in "aeiou" else "a"
        message = f"Invalid type for '{param}': expected {article} {wanted}, but got {_KINDS[type(value)]} instead."
        raise RefusalError(message, param=param, code="invalid_type")


def one_of(value: object, values: Sequence[str], param: str) -> None:
    """Refuse a value that is not among *values*."""
    if value not in values:
        shown = value if isinstance(value, str) else str(value)
        message = f"Invalid value: '{shown}'. Supported values are: {listed(values)}."
        raise RefusalError(message, param=param, code="invalid_value")


def within(given: Object, name: str, low: float, high: float | None, path: str = "") -> None:
    """Refuse a number outside its range; a field that is missing or null is fine."""
    value = given.get(name)
    if value is None:
        return
    param = f"{path}.{name}" if path else name
    whole = isinstance(low, int) and (high is None or isinstance(high, int))
    typed(value, (int,) if whole else (float, int), param)
    kind = "integer" if whole else "decimal"
    if value < low:
        message = (
            f"Invalid '{param}': {kind} below minimum value. Expected a value >= {low:g}, but got {value} instead."
        )
        raise RefusalError(message, param=param, code=f"{kind}_below_min_value")
    if high is not None and value > high:
        message = (
            f"Invalid '{param}': {kind} above maximum value. Expected a value <= {high:g}, but got {value} instead."
        )
        raise RefusalError(message, param=param, code=f"{kind}_above_max_value")


def short(value: str, most: int, param: str) -> None:
    """Refuse a text that is too long."""
    if len(value) > most:
        message = (
            f"Invalid '{param}': string too long. Expected a string with maximum length {most}, "
            f"but got a string with length {len(value)} instead."
        )
        raise RefusalError(message, param=param, code="string_above_max_length")


def name(value: object, param: str, most: int = 64) -> None:
    """Refuse what is no name for a tool or a schema."""
    typed(value, str, param)
    assert isinstance(value, str)
    if not value:
        message = (
            f"Invalid '{param}': empty string. Expected a string with minimum length 1, "
            "but got an empty string instead."
        )
        raise RefusalError(message, param=param, code="empty_string")
    if NAME.fullmatch(value) is None:
        message = (
            f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern "
            f"'{_NAME_PATTERN}'."
        )
        raise RefusalError(message, param=param, code="invalid_value")
    short(value, most, param)


def metadata(given: Object) -> None:
    """Refuse metadata beyond 16 pairs, keys beyond 64 and values beyond 512 characters."""
    pairs = given.get("metadata")
    if pairs is None:
        return
    typed(pairs, dict, "metadata")
    if len(pairs) > 16:
        message = (
            "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
            f"but got an object with {len(pairs)} properties instead."
        )
        raise RefusalError(message, param="metadata", code="object_above_max_properties")
    for key, value in pairs.items():
        short(key, 64, "metadata")
        typed(value, str, f"metadata.{key}")
        short(value, 512, f"metadata.{key}")


def model_of(given: Object) -> GPT | None:
    """Return what the request's model takes; None for a name that is not known here."""
    model = required(given, "model")
    typed(model, str, "model")
    return family_of(OPENAI, model)


def image_url(url: object, param: str) -> None:
    """Refuse an image that is neither a web address nor a data URL of a known kind."""
    typed(url, str, param)
    assert isinstance(url, str)
    if url.startswith(("https://", "http://")):
        return
    head, comma, data = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    if not url.startswith("data:") or not comma or not head.endswith(";base64"):
        message = f"Invalid '{param}'. Expected a valid URL, but got a value with an invalid format."
        raise RefusalError(message, param=param, code="invalid_value")
    if media_type not in _IMAGES or not is_base64(data):
        message = (
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            "['png', 'jpeg', 'gif', 'webp']."
        )
        raise RefusalError(message, code="invalid_image_format")


def is_base64(data: object) -> bool:
    """Whether *data* is base64, and not empty."""
    try:
        return isinstance(data, str) and bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False


def function_parameters(schema: object, tool: str, param: str, *, strict: bool) -> None:
    """Refuse a schema of arguments that is not one of an object, or breaks the rules of a strict one."""
    if schema is None:
        return
    typed(schema, dict, param)
    assert isinstance(schema, dict)
    wrong = strict_fault(schema) if strict else None
    if schema and schema.get("type") != "object":
        got = schema.get("type")
        wrong = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
    if schema.get("type") == "object" and "properties" not in schema and strict:
        wrong = "object schema missing properties."
    if wrong:
        message = f"Invalid schema for function '{tool}': {wrong}"
        raise RefusalError(message, param=param, code="invalid_function_parameters")


def output_schema(schema: object, title: str, param: str, *, strict: bool) -> None:
    """Refuse a schema of the whole output that is not an object's, or breaks the rules of a strict one."""
    typed(schema, dict, param)
    assert isinstance(schema, dict)
    wrong = strict_fault(schema) if strict else None
    if schema.get("type") != "object" and strict:
        wrong = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
    if wrong:
        message = f"Invalid schema for response_format '{title}': {wrong}"
        raise RefusalError(message, param=param, code=None)


def strict_fault(schema: object, context: tuple[str, ...] = ()) -> str | None:
    """Return what breaks the rules of strict schemas, in OpenAI's words; None for a schema that keeps them."""
    if not isinstance(schema, dict):
        return None
    at = f"In context={context!r}, "
    for word in ("allOf", "oneOf", "not", "if", "then", "else", "patternProperties", "dependentRequired"):
        if word in schema:
            return f"{at}'{word}' is not permitted."
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            return f"{at}'additionalProperties' is required to be supplied and to be false."
        missing = [key for key in properties or () if key not in (schema.get("required") or ())]
        if missing:
            return (
                f"{at}'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing[0]}'."
            )
    return _strict_fault_below(schema, context)


def _strict_fault_below(schema: dict[str, Any], context: tuple[str, ...]) -> str | None:
    below: list[tuple[object, tuple[str, ...]]] = []
    for word in ("properties", "$defs", "definitions"):
        below += [(item, (*context, word, key)) for key, item in (schema.get(word) or {}).items()]
    below += [(item, (*context, "anyOf", str(index))) for index, item in enumerate(schema.get("anyOf") or ())]
    below += [(schema["items"], (*context, "items"))] if "items" in schema else []
    return next((fault for item, where in below if (fault := strict_fault(item, where))), None)
