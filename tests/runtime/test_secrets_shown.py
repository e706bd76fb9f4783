"""No value shows a secret when it is printed: in a traceback, an assertion or a message for debugging."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import attrs
import pytest

import gephyr
from gephyr.runtime.tokens.grants import TokenRequest

SECRET = re.compile(
    r"(^|_)(secrets?|password|api_key|access_token|refresh_token|private_key|private_key_id|token|form|table)$"
)
"""How fields are named that hold one."""


def _is_text(kind: object) -> bool:
    """Whether values of a type hold text themselves: another class answers for its own fields."""
    return kind in (str, bytes) or str(kind).startswith(("tuple[", "dict[", "collections.abc.Mapping["))


def classes() -> Iterator[type]:
    """Every attrs class of the front ends. In the core there are references and digests only."""
    for module in pkgutil.walk_packages(gephyr.__path__, "gephyr."):
        if module.name.startswith(("gephyr.harness", "gephyr.testing", "gephyr.pytest_plugin", "gephyr.cli.__main__")):
            continue
        loaded = importlib.import_module(module.name)
        for value in vars(loaded).values():
            if isinstance(value, type) and value.__module__ == module.name and attrs.has(value):
                yield value


def shown_secrets() -> list[str]:
    """Fields that are named like a secret and show."""
    return [
        f"{one.__module__}.{one.__qualname__}.{field.name}"
        for one in classes()
        for field in attrs.fields(one)
        if SECRET.search(field.name) and field.repr and _is_text(field.type)
    ]


def test_no_field_that_is_named_like_a_secret_shows() -> None:
    assert shown_secrets() == []


@pytest.mark.parametrize("name", ["client_secret", "refresh_token", "password", "form", "secrets", "api_key"])
def test_the_names_of_secrets_are_recognised(name: str) -> None:
    assert SECRET.search(name)


def test_the_classes_that_hold_secrets_are_looked_at() -> None:
    names = {one.__name__ for one in classes()}
    assert {"OAuthSecrets", "ProxyUrl", "TokenRequest", "TokenAnswer", "RefreshGrant"} <= names


def test_a_request_for_a_token_shows_where_it_goes_and_nothing_else() -> None:
    """The client's secret may be in a header (RFC 6749 section 2.3.1)."""
    headers = ((b"authorization", b"Basic MARKED"),)
    request = TokenRequest("https://id.test/token", (("code", "MARKED"),), headers, ("MARKED",))
    assert repr(request) == "TokenRequest(url='https://id.test/token')"
