"""From a mapping, as TOML gives it, to a :class:`Config` and a list of what is wrong.

``cattrs`` does the structuring and gathers what the rules refuse. What is refused is then left out and the rest
is structured again, so that contradictions can be looked for in a typed configuration even when a value is bad.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import (
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from gephyr_core.config.problems import Path, RefusedValueError, kind_of, shown
from gephyr_core.config.rules import MODEL_PATTERN, MODEL_TARGET
from gephyr_core.config.schema import Config
from gephyr_core.config.schema_providers import ModelsConfig

Hook = Callable[[Any, Any], Any]
T = TypeVar("T")
_DEPTH = 5
"""Levels of tables and arrays, one in the other, that the schema has at most."""


@attrs.frozen
class Mistake:
    """A value that breaks a rule: where, and what to tell."""

    path: Path
    message: str


def structure(mapping: Mapping[str, object]) -> tuple[Config, list[Mistake]]:
    """Return the configuration in *mapping* and every mistake in it, which the configuration is without."""
    return structure_as(mapping, Config)


def structure_as(mapping: Mapping[str, object], cls: type[T]) -> tuple[T, list[Mistake]]:
    """Return an object of *cls*, whose fields have rules as the configuration's have, and every mistake in *mapping*,
    which the object is without."""
    try:
        return _CONVERTER.structure(mapping, cls), []
    except BaseValidationError as error:
        mistakes = list(_mistakes(error, ()))
    rest: Any = _copy(mapping, _DEPTH)
    for mistake in reversed(mistakes):
        _leave_out(rest, mistake)
    return _CONVERTER.structure(rest, cls), mistakes


def _mistakes(error: Exception, path: Path) -> Iterator[Mistake]:
    """Walk the tree of what ``cattrs`` gathered; its notes say which field or item each branch is about."""
    match error:
        case ClassValidationError():
            inner, others = error.group_exceptions()
            for exception, note in inner:
                yield from _mistakes(exception, (*path, note.name))
            for exception in others:
                yield from _mistakes(exception, path)
        case IterableValidationError():
            items, _ = error.group_exceptions()
            for exception, item in items:
                yield from _mistakes(exception, (*path, item.index))
        case ForbiddenExtraKeysError():
            known = [attribute.name for attribute in attrs.fields(error.cl)]
            for key in sorted(error.extra_fields, key=str):
                yield Mistake((*path, key), _unknown(str(key), known))
        case RefusedValueError():
            yield Mistake(path, str(error))
        case KeyError():
            yield Mistake(path, "missing")
        case _:
            raise error


def _unknown(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key[:64], known, n=1)
    return f"unknown setting; did you mean {close[0]!r}?" if close else "unknown setting"


# -- leaving out what is wrong ------------------------------------------------------------


def _copy(value: object, depth: int) -> object:
    """Copy the tables and arrays in which a mistake can lie."""
    if depth and isinstance(value, Mapping):
        return {key: _copy(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_copy(inner, depth - 1) for inner in value]
    return value


def _leave_out(root: Any, mistake: Mistake) -> None:
    """Put a filler in the place that *mistake* is about; indices of arrays stay as they are."""
    for step in mistake.path[:-1]:
        root = root[step]
    root[mistake.path[-1]] = _LEFT_OUT


_LEFT_OUT = object()
"""Fills the place of a value that was taken out; where one has to be, it is read as an empty string or table."""


# -- structuring ------------------------------------------------------------


def _converter() -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook_factory(attrs.has, lambda cls: _class_hook(converter, cls))
    converter.register_structure_hook_factory(_is(tuple), lambda cls: _array_hook(converter, cls))
    converter.register_structure_hook_factory(_is(dict), lambda cls: _table_hook(converter, cls))
    converter.register_structure_hook_factory(_is(Literal), _choice_hook)
    converter.register_structure_hook_factory(_is(Annotated), _rule_hook)
    converter.register_structure_hook(ModelsConfig, _models_hook(converter))
    return converter


def _is(origin: object) -> Callable[[Any], bool]:
    return lambda cls: get_origin(cls) is origin


def _boolean(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise RefusedValueError(f"expected true or false, got {shown(value)}")
    return value


def _rule_hook(annotated: Any) -> Hook:
    rule = get_args(annotated)[1]
    return lambda value, _: "" if value is _LEFT_OUT else rule.read(value)


def _choice_hook(literal: Any) -> Hook:
    choices = get_args(literal)
    expected = ", ".join(repr(choice) for choice in choices)

    def choose(value: object, _: object) -> object:
        if value is _LEFT_OUT:
            return choices[0]
        if not isinstance(value, str) or value not in choices:
            raise RefusedValueError(f"expected one of {expected}, got {shown(value)}")
        return value

    return choose


def _class_hook(converter: Converter, cls: Any) -> Hook:
    read = make_dict_structure_fn(cls, converter)
    required = [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]

    def structure_class(value: Any, _: object) -> object:
        if value is _LEFT_OUT:
            value = dict.fromkeys(required, _LEFT_OUT)
        table = _table(value)
        return read({key: item for key, item in table.items() if item is not _LEFT_OUT or key in required}, cls)

    return structure_class


def _array_hook(converter: Converter, cls: Any) -> Hook:
    inner = get_args(cls)[0]

    def structure_array(value: object, _: object) -> tuple[object, ...]:
        if not isinstance(value, list | tuple):
            what = "an array of tables" if attrs.has(inner) else "an array"
            raise RefusedValueError(f"expected {what}, got {kind_of(value)}")
        hook = converter.get_structure_hook(inner)
        return tuple(_each(enumerate(value), lambda item, _: hook(item, inner), cls).values())

    return structure_array


def _table_hook(converter: Converter, cls: Any) -> Hook:
    key_type, inner = get_args(cls)

    def structure_table(value: object, _: object) -> dict[Any, Any]:
        key_hook, hook = converter.get_structure_hook(key_type), converter.get_structure_hook(inner)

        def read(item: object, key: object) -> object:
            key_hook(key, key_type)
            return hook(item, inner)

        return _each(_entries(value), read, cls)

    return structure_table


def _models_hook(converter: Converter) -> Hook:
    """Structure ``[models]``, where every key that is not reserved is a pattern with its targets."""
    names_type = tuple[Annotated[str, MODEL_PATTERN], ...]
    targets_type = tuple[Annotated[str, MODEL_TARGET], ...]
    read_names = converter.get_structure_hook(names_type)
    read_targets = converter.get_structure_hook(targets_type)

    def read(value: object, key: object) -> object:
        if key == "list":
            return read_names(value, names_type)
        if key != "default":
            MODEL_PATTERN.read(key)
        if isinstance(value, Mapping):
            raise RefusedValueError("expected a target or an array of targets, got a table (quote a name with dots)")
        return (MODEL_TARGET.read(value),) if isinstance(value, str) else read_targets(value, targets_type)

    def structure_models(value: object, _: object) -> ModelsConfig:
        routes = _each(_entries(value), read, ModelsConfig)
        reserved = {name: routes.pop(name) for name in ("default", "list") if name in routes}
        return ModelsConfig(routes=routes, **reserved)

    return structure_models


def _each(items: Iterable[tuple[Any, object]], read: Callable[[object, Any], object], cls: Any) -> dict[Any, Any]:
    """Read every item, and tell of all that are refused together, in the form in which ``cattrs`` does."""
    done: dict[Any, Any] = {}
    refused: list[Exception] = []
    for index, item in items:
        try:
            done[index] = read(item, index)
        except Exception as error:
            error.add_note(IterableValidationNote(f"item {index!r}", index, cls))
            refused.append(error)
    if refused:
        raise IterableValidationError("refused", refused, cls)
    return done


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise RefusedValueError(f"expected a table, got {kind_of(value)}")
    return value


def _entries(value: object) -> list[tuple[Any, object]]:
    return [(key, item) for key, item in _table(value).items() if item is not _LEFT_OUT]


_CONVERTER = _converter()
