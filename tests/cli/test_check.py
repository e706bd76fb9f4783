"""``gephyr check``: every mistake, or what the configuration amounts to."""

import sqlite3
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from gephyr.cli import main

GOOD = """
[auth]
api_keys = ["sk-client-MARKED"]
[[accounts]]
id = "anthropic-1"
provider = "anthropic"
api_key = "sk-MARKED"
models = ["claude-*"]
proxy = "http://u:MARKED@proxy:3128"
[[accounts]]
id = "openai-1"
provider = "openai"
api_key = "sk-MARKED"
base_url = "https://relay.example/openai/v1"
[[accounts]]
id = "spare"
provider = "openai"
api_key = "sk-MARKED"
enabled = false
[models]
"gpt-4o*" = ["anthropic/claude-sonnet-5", "gpt-5"]
lost = "anthropic/gpt-5"
"""


def check(folder: Path, text: str) -> Result:
    file = folder / "gephyr.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return CliRunner(env={"ABV_DATA_DIR": None}).invoke(main, ["check", "--config", str(file)])


def test_a_good_configuration_is_shown_without_its_secrets(tmp_path):
    """Who listens where, which accounts there are, and where each model goes."""
    result = check(tmp_path, GOOD)
    assert result.exit_code == 0
    assert "MARKED" not in result.output
    assert result.stderr == ""
    assert "listens on     http://127.0.0.1:8045" in result.stdout
    assert "auth           strict, 1 key\n" in result.stdout
    accounts = result.stdout.partition("accounts\n")[2].partition("\nmodels\n")[0].splitlines()
    assert [line.strip() for line in accounts if line] == [
        "anthropic-1; anthropic at https://api.anthropic.com; claude-*; through proxy:anthropic-1",
        "openai-1; openai at https://relay.example/openai; every model",
        "spare; openai at https://api.openai.com; every model; not enabled",
    ]
    assert [line.strip() for line in result.stdout.partition("\nmodels\n")[2].splitlines()] == [
        "gpt-4o* -> anthropic/claude-sonnet-5 (anthropic-1), then gpt-5 (openai-1)",
        "lost -> anthropic/gpt-5 (no account)",
        "claude-* -> claude-* (anthropic-1, openai-1)",
        "any other -> itself (openai-1)",
    ]


def test_every_mistake_goes_to_stderr_and_the_exit_code_is_2(tmp_path):
    """Scripts see the code, people see the list."""
    result = check(tmp_path, '[server]\nport = "x"\n[[accounts]]\nid = "a"\nprovider = "openai"\n')
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: server.port: expected a whole number, got 'x'",
        "error: accounts[0].api_key: missing",
    ]


def test_a_configuration_without_accounts_says_what_will_happen(tmp_path):
    """It is allowed: accounts may come later."""
    result = check(tmp_path, "")
    assert result.exit_code == 0
    assert "no account: every request will be answered 503" in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["check", "-h"], ["--version"]])
def test_the_command_explains_itself(arguments):
    """Nobody has to look it up."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "gephyr" in result.stdout.lower() or "configuration" in result.stdout


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("", "off"),
        ("enabled = false\nmax_account_concurrency = 1", "off"),
        (
            "enabled = true",
            (
                "120 requests a minute in all; 60 a minute on each account; 10 at a time on each account; "
                "5 s of rest after a risky status; 3 retries"
            ),
        ),
        (
            "enabled = true\nmax_global_requests_per_minute = 0\nrisk_cooldown_seconds = 0\nmax_retry_attempts = 0",
            (
                "60 a minute on each account; 10 at a time on each account; 0 retries; "
                "off: max_global_requests_per_minute, risk_cooldown_seconds"
            ),
        ),
    ],
)
def test_the_guard_rails_in_force_are_shown(tmp_path: Path, section: str, told: str) -> None:
    """``enabled = true`` alone is a choice of five limits: an operator sees which."""
    result = check(tmp_path, f"{GOOD}[compliance]\n{section}\n")
    assert f"compliance     {told}\n" in result.stdout


@pytest.mark.parametrize("setting", ["max_global_requests_per_minute", "max_retry_attempts", "risk_cooldown_seconds"])
def test_a_guard_rail_below_nothing_is_refused(tmp_path: Path, setting: str) -> None:
    result = check(tmp_path, f"{GOOD}[compliance]\nenabled = true\n{setting} = -1\n")
    assert result.exit_code == 2
    assert f"compliance.{setting}" in result.stderr


MAPPED = """
[auth]
api_keys = ["k"]
[server]
data_dir = "data"
[[accounts]]
id = "a"
provider = "anthropic"
api_key = "sk-MARKED"
[models]
"claude-*" = "gemini/gemini-3-pro-preview"
"""
ADD = ("--id", "g", "--provider", "gemini", "--api-key", "env:KEY")


def run(folder: Path, *arguments: str) -> Result:
    file = folder / "gephyr.toml"
    try:
        return CliRunner(env={"ABV_DATA_DIR": None, "KEY": "sk-MARKED-2"}).invoke(
            main, [*arguments, "--config", str(file)]
        )
    finally:
        structlog.reset_defaults()


WORDS = "error: models.\"claude-*\": no account of provider 'gemini'\n"


def test_a_mapping_to_a_provider_without_an_account_is_a_mistake(tmp_path):
    """Nothing would serve it, or somebody who takes any name. Nothing is made in the data directory."""
    result = check(tmp_path, MAPPED)
    assert (result.exit_code, result.stderr) == (2, WORDS)
    assert run(tmp_path, "serve", "--port", "0").stderr == WORDS
    assert not (tmp_path / "data").exists()


def test_an_account_that_was_added_serves_the_mapping_and_cannot_be_removed_then(tmp_path):
    """Until another one does, or the mapping is gone."""
    check(tmp_path, MAPPED)
    assert run(tmp_path, "accounts", "add", *ADD).exit_code == 0
    shown = run(tmp_path, "check")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "claude-* -> gemini/gemini-3-pro-preview (g)" in shown.stdout
    assert run(tmp_path, "accounts", "disable", "g").exit_code == 0
    assert run(tmp_path, "check").exit_code == 0
    refused = run(tmp_path, "accounts", "remove", "g")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(WORDS)
    assert run(tmp_path, "accounts", "add", *("h" if word == "g" else word for word in ADD)).exit_code == 0
    assert run(tmp_path, "accounts", "remove", "g").exit_code == 0
    assert run(tmp_path, "check").exit_code == 0


def test_a_store_of_an_older_version_has_no_added_account(tmp_path):
    """It holds none that a gateway would find."""
    check(tmp_path, MAPPED)
    run(tmp_path, "accounts", "list")
    with sqlite3.connect(tmp_path / "data" / "gephyr.sqlite3") as database:
        database.execute("DROP TABLE added_accounts")
    database.close()
    assert run(tmp_path, "check").stderr == WORDS


def test_a_damaged_store_leaves_mappings_to_the_gateway(tmp_path):
    """It sets the store aside when it starts, which it would not if the mapping were refused before."""
    check(tmp_path, MAPPED)
    run(tmp_path, "accounts", "add", *ADD)
    (tmp_path / "data" / "gephyr.sqlite3").write_bytes(b"")
    assert run(tmp_path, "check").exit_code == 0


@pytest.mark.parametrize("said", ["Strict", "STRICT", "auto", "Auto", "ALL_EXCEPT_HEALTH", "Off"])
@pytest.mark.parametrize("place", ["file", "environment"])
def test_the_mode_of_auth_is_read_in_any_case(tmp_path, said, place):
    """``auto`` is the original's word for what is safe."""
    text = f'[auth]\napi_keys = ["k"]\nmode = "{said}"\n' if place == "file" else '[auth]\napi_keys = ["k"]\n'
    file = tmp_path / "gephyr.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    environment = {"ABV_DATA_DIR": None, "ABV_AUTH_MODE": None, "AUTH_MODE": said if place == "environment" else None}
    result = CliRunner(env=environment).invoke(main, ["check", "--config", str(file)])
    meant = said.lower().replace("auto", "strict")
    assert f"auth           {meant}, 1 key\n" in result.stdout
