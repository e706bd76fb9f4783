"""The environment's say: variables that stand above the file. A variable that is empty counts as not set."""

from collections.abc import Callable, Mapping

from gephyr_core.config.problems import RefusedValueError

Setting = tuple[str, str]
"""A section and a name in it."""

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def boolean(text: str) -> bool:
    """Read 1/0, true/false, yes/no or on/off, in any case."""
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise RefusedValueError(f"expected one of {', '.join(_TRUE + _FALSE)}, got {text!r}")
    return word in _TRUE


def _whole(text: str) -> int:
    if not (text.strip().isdecimal() and text.isascii() and len(text) < 20):
        raise RefusedValueError(f"expected a whole number, got {text!r}")
    return int(text)


VARIABLES: dict[str, tuple[Setting, Callable[[str], object]]] = {
    "API_KEY": (("auth", "api_keys"), str),
    "WEB_PASSWORD": (("auth", "web_password"), str),
    "AUTH_MODE": (("auth", "mode"), str),
    "ALLOW_LAN_ACCESS": (("auth", "allow_lan_access"), boolean),
    "ABV_MAX_BODY_SIZE": (("server", "max_body_size"), _whole),
    "ABV_ENABLE_ADMIN_API": (("admin", "enabled"), boolean),
    "ABV_PUBLIC_URL": (("admin", "public_url"), str),
    "ABV_DATA_DIR": (("server", "data_dir"), str),
}
"""Each variable, what it sets and how it is read. A name may also be written with ``ABV_`` before it, which wins."""


def read_environment(
    environ: Mapping[str, str],
) -> tuple[dict[Setting, tuple[str, object]], list[tuple[str, str]]]:
    """Return what *environ* sets, with the variable that does, and the (variable, message) of each bad value.

    Keys and passwords have to be digests already: the runtime replaces them.
    """
    found: dict[Setting, tuple[str, object]] = {}
    refused: list[tuple[str, str]] = []
    for name, (setting, read) in VARIABLES.items():
        variable = variable_of(name, environ)
        if variable is None:
            continue
        try:
            found[setting] = (variable, read(environ[variable]))
        except RefusedValueError as error:
            refused.append((variable, str(error)))
    return found, refused


def variable_of(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the variable that gives *name* its value: the one with ``ABV_`` if both are set, None if neither is."""
    names = (name,) if name.startswith("ABV_") else (f"ABV_{name}", name)
    return next((variable for variable in names if environ.get(variable)), None)


def overlay(mapping: Mapping[str, object], settings: Mapping[Setting, object]) -> dict[str, object]:
    """Return *mapping* with *settings* put into it. A key that clients use is added to the others.

    A section that is no table is left as it is: it is a mistake of its own.
    """
    result = dict(mapping)
    for (section, name), value in settings.items():
        table = result.get(section, {})
        if not isinstance(table, Mapping):
            continue
        new = value
        if (section, name) == ("auth", "api_keys"):
            keys = table.get(name, [])
            new = [*keys, value] if isinstance(keys, list | tuple) else keys
        result[section] = {**table, name: new}
    return result
