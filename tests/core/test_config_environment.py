"""The environment's say in the configuration."""

import pytest

from gephyr_core.config import ConfigError, load_config
from gephyr_core.providers import PROVIDERS


def read(mapping, environ, overrides=None):
    return load_config(mapping, environ, providers=PROVIDERS, overrides=overrides)


def test_the_environment_stands_above_the_file_and_options_above_both():
    """Containers are configured by variables, and a person at a prompt has the last word."""
    mapping = {"server": {"max_body_size": 1000, "port": 1}}
    config = read(mapping, {"ABV_MAX_BODY_SIZE": "2000"}, {("server", "port"): 3, ("server", "host"): None})
    assert config.server.max_body_size == 2000
    assert config.server.port == 3
    assert config.server.host == "127.0.0.1"


def test_the_abv_name_wins():
    """A variable that another program also reads can be overruled for Gephyr alone."""
    environ = {"AUTH_MODE": "off", "ABV_AUTH_MODE": "all_except_health"}
    assert read({}, environ).auth.mode == "all_except_health"
    assert read({}, {"AUTH_MODE": "off"}).auth.mode == "off"


def test_an_empty_variable_counts_as_not_set():
    """Compose files pass on variables that nobody set, as empty ones."""
    assert read({}, {"ABV_AUTH_MODE": "", "AUTH_MODE": "off"}).auth.mode == "off"
    assert read({}, {"ABV_MAX_BODY_SIZE": ""}).server.max_body_size == 104857600


def test_a_key_from_the_environment_is_added_to_the_files():
    """A key for one deployment does not lock out the keys that the file has for all."""
    config = read({"auth": {"api_keys": ["a" * 64]}}, {"API_KEY": "b" * 64})
    assert config.auth.api_keys == ("a" * 64, "b" * 64)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("On", True), ("0", False), ("no", False)]
)
def test_booleans_are_read_in_the_usual_spellings(text, value):
    """Every deployment tool has its own idea of true."""
    assert read({}, {"ABV_ALLOW_LAN_ACCESS": text}).auth.allow_lan_access is value


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        (
            {"ALLOW_LAN_ACCESS": "maybe"},
            "ALLOW_LAN_ACCESS: expected one of 1, true, yes, on, 0, false, no, off, got 'maybe'",
        ),
        ({"ABV_MAX_BODY_SIZE": "-1"}, "ABV_MAX_BODY_SIZE: expected a whole number, got '-1'"),
        ({"ABV_ENABLE_ADMIN_API": "1"}, "admin.enabled: not available in this version (set by ABV_ENABLE_ADMIN_API)"),
        (
            {"AUTH_MODE": "none"},
            "auth.mode: expected one of 'strict', 'off', 'all_except_health', got 'none' (set by AUTH_MODE)",
        ),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(environ, problem):
    """Nobody looks into the environment for a mistake that seems to be in the file."""
    with pytest.raises(ConfigError) as caught:
        read({}, environ)
    assert [str(found) for found in caught.value.problems] == [problem]
