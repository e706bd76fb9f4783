"""Requests checked against the official SDKs' own types: what a provider is sent has no key and no value they lack.

The parameters of openai and anthropic are typed dictionaries, which nobody checks at run time. Here they are: every key
known, every required one there, every literal one of those that the type lists. google-genai's are pydantic models that
forbid what they do not know.
"""

import functools
import json
import os
import types as builtin_types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pydantic
import typing_extensions
from anthropic.types import message_count_tokens_params as anthropic_count
from anthropic.types import message_create_params as anthropic_params
from google.genai import types as genai
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params as responses_params

Check = Callable[[Any, str], str]
"""Says what is wrong with a value at a path; empty when nothing is."""

_ARRAYS = (list, tuple, Iterable, Sequence)


def problem(dialect: str, body: dict[str, Any]) -> str:
    """What the SDK of *dialect* would not let anyone write in *body*; empty when it is fine."""
    if dialect == "gemini":
        return _gemini(body)
    whole, streaming = _ROOTS[dialect]
    return checker(streaming if body.get("stream") else whole)(body, "")


_ROOTS: dict[str, tuple[Any, Any]] = {
    "openai-chat": (
        chat_params.CompletionCreateParamsNonStreaming,
        chat_params.CompletionCreateParamsStreaming,
    ),
    "openai-responses": (
        responses_params.ResponseCreateParamsNonStreaming,
        responses_params.ResponseCreateParamsStreaming,
    ),
    "anthropic": (
        anthropic_params.MessageCreateParamsNonStreaming,
        anthropic_params.MessageCreateParamsStreaming,
    ),
    "anthropic-count": (anthropic_count.MessageCountTokensParams, anthropic_count.MessageCountTokensParams),
}
_GENERATION = pydantic.TypeAdapter(genai.GenerateContentConfig)
_CONTENTS = pydantic.TypeAdapter(list[genai.Content])


def _gemini(body: dict[str, Any]) -> str:
    """The SDK gathers the body's fields in one configuration; here they are put back there."""
    config = dict(body.get("generationConfig", {}))
    known = {"contents", "generationConfig", "model"}
    config |= {name: value for name, value in body.items() if name not in known}
    try:
        _CONTENTS.validate_json(json.dumps(body["contents"]))
        _GENERATION.validate_json(json.dumps(config))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (AttributeError, ValueError, UserWarning) as error:  # the SDK's own validators are careless
        return str(error)
    return ""


@functools.cache
def checker(hint: Any) -> Check:
    """The check for a type."""
    if typing_extensions.is_typeddict(hint):
        return _typed_dict(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired, typing_extensions.Required):
        return checker(arguments[0])
    if origin in (typing.Union, builtin_types.UnionType):
        return _union(arguments)
    if origin is typing.Literal:
        return lambda value, path: "" if value in arguments else f"{path}: {value!r} is none of {arguments}"
    if origin in _ARRAYS:
        return _array(checker(arguments[0]))
    if origin in (dict, Mapping):
        return _mapping(checker(arguments[1]))
    if isinstance(hint, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
        return checker(hint.__value__)
    return _plain(hint)


def _plain(hint: Any) -> Check:
    if hint in (object, Any):
        return lambda _value, _path: ""
    if typing.get_origin(hint) in (typing.IO, os.PathLike):
        return lambda _value, path: f"{path}: JSON holds no files"
    accepted: Any = {float: (int, float), type(None): type(None)}.get(hint, hint)
    if not isinstance(accepted, type | tuple):
        raise TypeError(f"no check for {hint!r}")

    def check(value: Any, path: str) -> str:
        wrong = not isinstance(value, accepted) or (isinstance(value, bool) and hint in (int, float))
        return f"{path}: {value!r:.60} is no {getattr(hint, '__name__', hint)}" if wrong else ""

    return check


def _typed_dict(hint: Any) -> Check:
    hints = typing_extensions.get_type_hints(hint, include_extras=True)
    required = {name for name, inner in hints.items() if _is_required(hint, name, inner)}
    # Looked up when first needed: the types refer to themselves.
    inside = functools.cache(lambda name: checker(hints[name]))

    def check(value: Any, path: str) -> str:
        if not isinstance(value, dict):
            return f"{path}: {value!r:.60} is no {hint.__name__}"
        if missing := [name for name in required if name not in value]:
            return f"{path}: {hint.__name__} wants {sorted(missing)}"
        for name in value:
            if name not in hints:
                return f"{path}.{name}: unknown to {hint.__name__}"
            if wrong := inside(name)(value[name], f"{path}.{name}"):
                return wrong
        return ""

    return check


def _is_required(hint: Any, name: str, inner: Any) -> bool:
    """Whether a key must be there. The SDKs postpone annotations, so the class itself does not know."""
    origin = typing.get_origin(inner)
    if origin in (typing.Required, typing_extensions.Required):
        return True
    if origin in (typing.NotRequired, typing_extensions.NotRequired):
        return False
    owner = next((base for base in _bases(hint) if name in base.__annotations__), hint)
    return bool(owner.__total__)


def _bases(hint: Any) -> list[Any]:
    bases = getattr(hint, "__orig_bases__", ())
    return (
        [hint]
        if not bases
        else [*(b for base in bases if typing_extensions.is_typeddict(base) for b in _bases(base)), hint]
    )


def _union(arguments: tuple[Any, ...]) -> Check:
    checks = functools.cache(lambda: [checker(argument) for argument in arguments])

    def check(value: Any, path: str) -> str:
        found = []
        for alternative in checks():
            wrong = alternative(value, path)
            if not wrong:
                return ""
            found.append(wrong)
        return max(found, key=_nearness)

    return check


def _nearness(wrong: str) -> tuple[bool, int, int]:
    """How likely it was this alternative that was meant: the one whose type or role is right, or that got furthest."""
    path = wrong.partition(": ")[0]
    return not path.endswith((".type", ".role")), path.count("."), len(path)


def _array(inner: Check) -> Check:
    def check(value: Any, path: str) -> str:
        if not isinstance(value, list):
            return f"{path}: {value!r:.60} is no array"
        for index, item in enumerate(value):
            if wrong := inner(item, f"{path}[{index}]"):
                return wrong
        return ""

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any, path: str) -> str:
        if not isinstance(value, dict):
            return f"{path}: {value!r:.60} is no object"
        return next((wrong for name, item in value.items() if (wrong := inner(item, f"{path}.{name}"))), "")

    return check
