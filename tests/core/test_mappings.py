"""Mappings to a provider of which there is no account: told at start, with the name that was perhaps meant."""

import pytest

from gephyr_core.config import load_config
from gephyr_core.config.problems import path_text
from gephyr_core.providers import PROVIDERS
from gephyr_core.routing.mappings import Serving, mappings_left_by, mappings_without_account


def config(models, *accounts, providers=None):
    tables = [
        {"id": f"a{number}", "provider": provider, "api_key": f"account:a{number}", **more}
        for number, (provider, more) in enumerate(accounts)
    ]
    return load_config({"models": models, "accounts": tables, "providers": providers or {}}, {}, providers=PROVIDERS)


def told(models, *accounts, providers=None, added=()):
    found = mappings_without_account(config(models, *accounts, providers=providers), added)
    return [f"{path_text(path)}: {message}" for path, message in found]


OPENAI, ANTHROPIC = ("openai", {}), ("anthropic", {})


@pytest.mark.parametrize(
    ("models", "accounts", "problems"),
    [
        ({"claude-*": "gemini/g"}, [ANTHROPIC], ["models.\"claude-*\": no account of provider 'gemini'"]),
        ({"m": ["openai/x", "gemini/g"]}, [OPENAI], ["models.m[1]: no account of provider 'gemini'"]),
        (
            {"m": ["xai/a", "gemini/g"]},
            [OPENAI],
            ["models.m[0]: no account of provider 'xai'", "models.m[1]: no account of provider 'gemini'"],
        ),
        ({"default": "gemini/g"}, [OPENAI], ["models.default: no account of provider 'gemini'"]),
        ({"m": "gemini/models/g"}, [OPENAI], ["models.m: no account of provider 'gemini'"]),
        ({"m": "opnai/x"}, [OPENAI], ["models.m: no account of provider 'opnai'; did you mean 'openai/x'?"]),
        ({"m": "OpenAI/x"}, [OPENAI], ["models.m: no account of provider 'OpenAI'; did you mean 'openai/x'?"]),
        (
            {"m": "openai/gpt-oss"},
            [("groq", {})],
            ["models.m: no account of provider 'openai'; did you mean 'groq/openai/gpt-oss'?"],
        ),
        (
            {"m": "anthropic/x"},
            [("azure", {"base_url": "https://a.example"})],
            ["models.m: no account of provider 'anthropic'"],
        ),
    ],
)
def test_a_target_whose_provider_has_no_account_is_told(models, accounts, problems):
    """Otherwise its clients get a 404, or the answer of whoever takes any name."""
    assert told(models, *accounts) == problems


@pytest.mark.parametrize(
    ("models", "accounts"),
    [
        ({"m": "openai/x", "default": "anthropic/y", "list": ["gemini/z"]}, [OPENAI, ANTHROPIC]),
        ({"m": "gemini/g"}, []),
        ({"m": "gemini/g"}, [OPENAI, ("gemini", {"enabled": False})]),
        ({"m": "x", "n": "models/g"}, [OPENAI]),
        ({"m": "meta-llama/l"}, [OPENAI]),
        ({"m": "mistralai/l"}, [("mistral", {}), ("openrouter", {})]),
        ({"m": "openai/gpt-oss"}, [("groq", {"models": ["openai/gpt-oss"]})]),
        ({"m": "openai/gpt-oss"}, [("groq", {"models": ["openai/*"]})]),
        ({"m": "openai/gpt-oss"}, [ANTHROPIC, ("groq", {"models": ["*"], "enabled": False})]),
        ({"m": "groq/openai/gpt-oss"}, [("groq", {})]),
    ],
)
def test_what_has_an_account_or_is_the_name_of_a_model_is_no_mistake(models, accounts):
    """Disabled accounts count, and so do names with a slash that an account lists."""
    assert told(models, *accounts) == []


def test_a_provider_of_ones_own_needs_an_account_like_any_other():
    llama = {"llama": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:1"}}
    assert told({"m": "llama/x"}, OPENAI, providers=llama) == ["models.m: no account of provider 'llama'"]
    assert told({"m": "llama/x"}, ("llama", {}), providers=llama) == []


def test_accounts_that_commands_added_count():
    """They alone, or beside those of the file."""
    added = [Serving("x", "gemini", ()), Serving("y", "groq", ("openai/*",))]
    assert told({"m": ["gemini/g", "openai/o"]}, ANTHROPIC, added=added) == []
    assert told({"m": ["gemini/g", "xai/g"]}, added=added) == ["models.m[1]: no account of provider 'xai'"]


def test_the_last_account_that_a_mapping_needs_is_known():
    """Also where it is the last one of all."""

    def left(account, *accounts, added):
        return [message for _, message in mappings_left_by(config({"m": "gemini/g"}, *accounts), added, account)]

    gemini, other = Serving("x", "gemini", ()), Serving("y", "gemini", ())
    assert left("x", ANTHROPIC, added=[gemini]) == ["no account of provider 'gemini'"]
    assert left("x", added=[gemini]) == ["no account of provider 'gemini'"]
    assert left("x", added=[gemini, other]) == left("x", ("gemini", {}), added=[gemini]) == []
    assert left("z", added=[Serving("z", "openai", ())]) == []  # what was wrong before is no reason to keep it


def test_everything_wrong_is_told_at_once_but_for_what_follows_from_another_mistake():
    """A mistyped provider of an account would make every mapping to it wrong."""
    mapping = {
        "server": {"port": "x"},
        "models": {"m": "gemini/g"},
        "accounts": [{"id": "a", "provider": "openai", "api_key": "account:a"}],
    }

    def problems(**changes):
        with pytest.raises(Exception, match="expected") as caught:
            load_config(
                {**mapping, **changes},
                {},
                providers=PROVIDERS,
                further=lambda config: mappings_without_account(config, ()),
            )
        return [problem.path for problem in caught.value.problems]

    assert problems() == ["server.port", "models.m"]
    assert problems(accounts=[{"id": "a", "provider": "gemni", "api_key": "account:a"}]) == [
        "server.port",
        "accounts[0].provider",
    ]
