"""Laws of the configuration, for whatever an operator may write."""

import string

import attrs
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.config import Config, ConfigError, load_config
from gephyr_core.providers import PROVIDERS

SECTIONS = [field.name for field in attrs.fields(Config)]
ACCOUNT_SETTINGS = ["id", "provider", "api_key", "base_url", "models", "proxy", "dialect", "oauth", "weight"]

words = st.sampled_from(
    ["", "openai", "azure", "account:a", "pool:x", "http://h", "http://[", "//", "*", "strict", "a/b", "::1", "\ud800"]
)
scalars = st.one_of(
    words,
    st.text(max_size=8),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.none(),
    st.dates(),
    st.binary(max_size=3),
)
names = st.one_of(
    st.sampled_from([*SECTIONS, *ACCOUNT_SETTINGS, "port", "host", "kind", "default", "list", "proxies", "enabled"]),
    st.text(string.printable, max_size=6),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
accounts = st.lists(st.one_of(values, st.dictionaries(st.sampled_from(ACCOUNT_SETTINGS), values)), max_size=3)
mappings = st.one_of(
    st.dictionaries(names, values, max_size=5),
    st.fixed_dictionaries({}, optional=dict.fromkeys(SECTIONS, values) | {"accounts": accounts}),
)
environments = st.dictionaries(
    st.sampled_from(["API_KEY", "ABV_AUTH_MODE", "ALLOW_LAN_ACCESS", "ABV_MAX_BODY_SIZE", "ABV_PUBLIC_URL"]),
    st.one_of(words, st.text(max_size=5)),
)


def load(mapping, environ):
    """Return the configuration or the error; anything else is a test's failure."""
    try:
        return load_config(mapping, environ, providers=PROVIDERS)
    except ConfigError as error:
        return error


@given(mappings, environments)
def test_any_mapping_gives_a_configuration_or_every_mistake(mapping, environ):
    """No file, however strange, ends in a traceback, and loading never changes what it was given."""
    before = repr(mapping)
    outcome = load(mapping, environ)
    if isinstance(outcome, ConfigError):
        assert outcome.problems
        assert all(problem.path and problem.message for problem in outcome.problems)
    assert repr(mapping) == before


@given(mappings)
def test_the_same_mapping_gives_the_same_answer(mapping):
    """Mistakes come in the same order every time, whatever the order of hashes."""
    first, second = load(mapping, {}), load(mapping, {})
    assert (str(first), repr(first)) == (str(second), repr(second))
