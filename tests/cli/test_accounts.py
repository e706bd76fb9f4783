"""``gephyr accounts list | add | remove | enable | disable``: what they keep, what they refuse, what they print."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from gephyr.runtime.store import Store
from gephyr.runtime.store_tokens import StoredToken
from gephyr.runtime.tokens import RefreshGrant
from gephyr_core.records import AccountState, Cooldown
from tests.cli.accounts_world import FILE, World, world_in
from tests.waiting import WAIT

NOW = 1_800_000_000.0
OAUTH = ("--token-url", "https://login.example/token", "--client-id", "c")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.environ["KEY"] = "sk-MARKED-3"
    return world


def listed(world: World) -> dict[str, dict[str, object]]:
    """The list, by account."""
    return {line["id"]: line for line in json.loads(world.run("list", "--json").stdout)}


def add(world: World, name: str, *arguments: str, code: int = 0) -> str:
    """Add an account with a key of the environment; returns what is complained of."""
    return world.run("add", "--id", name, "--provider", "openai", "--api-key", "env:KEY", *arguments, code=code).stderr


# -- list -------------------------------------------------------------------------------------------------------------


def test_the_list_shows_where_accounts_come_from_and_whether_they_serve(world: World) -> None:
    """In columns, without a secret."""
    add(world, "extra", "--model", "gpt-5")
    lines = [line.split("  ") for line in world.run("list").stdout.splitlines()]
    assert [[cell.strip() for cell in line if cell] for line in lines] == [
        ["ACCOUNT", "PROVIDER", "MODELS", "FROM", "STATE"],
        ["first", "openai", "gpt-5, gpt-5-mini, o*, and 1 more", "file", "in service"],
        ["off", "anthropic", "every model", "file", "disabled: enabled = false in the file"],
        ["extra", "openai", "gpt-5", "command", "in service"],
    ]


def test_the_list_of_nothing_says_so(tmp_path: Path) -> None:
    assert world_in(tmp_path, '[server]\ndata_dir = "data"\n').run("list").stdout == "no account\n"


def test_the_list_tells_when_a_provider_wants_to_be_asked_again(world: World) -> None:
    """For one model, for an organisation, and for money: until the operator says so."""
    add(world, "extra", "--organization", "ours")
    store = Store.open(world.folder / "data", clock=lambda: NOW, environ={})
    later = 4_000_000_000.0
    store.save(Cooldown("first", "gpt-5", "rate_limit", later))
    store.save(Cooldown("openai:ours", "", "money", float("inf")))
    store.close()
    lines = listed(world)
    assert lines["first"]["state"] == lines["extra"]["state"] == "cooling_down"
    (limit,), (money,) = lines["first"]["cooldowns"], lines["extra"]["cooldowns"]
    assert (limit["model"], limit["kind"], money["kind"], money["until"]) == ("gpt-5", "rate_limit", "money", None)
    shown = world.run("list").stdout
    assert "cooling down for gpt-5 until 20" in shown
    assert "cooling down until it is enabled (money)" in shown


def test_the_list_tells_how_accounts_sign_in(world: World) -> None:
    """Not at all yet, and then until when the token lasts."""
    world.run("add", "--id", "oauth", "--provider", "openai", *OAUTH)
    assert "not signed in: gephyr accounts login oauth" in world.run("list").stdout
    grant = RefreshGrant(token_url="https://login.example/token", client_id="c")
    with_token = StoredToken("oauth", "at-MARKED", "rt-MARKED", 4e9, grant.lineage, NOW)
    with world.book() as book:
        book.sign_in(with_token)
    assert listed(world)["oauth"]["token_until"] == 4e9
    assert "in service; signs in, token until 2096" in world.run("list").stdout


def test_an_account_whose_key_is_lost_is_listed_and_can_be_removed(world: World) -> None:
    """It was sealed with an encryption key that is gone."""
    add(world, "extra")
    (world.folder / "data" / "token.key").unlink()
    assert listed(world)["extra"]["state"] == "unreadable"
    assert "cannot be read" in world.run("test", "extra", code=1).stderr
    world.run("remove", "extra")
    assert "extra" not in listed(world)


def test_accounts_that_do_not_fit_the_file_any_more_are_listed_and_can_be_removed(world: World) -> None:
    """The file got one of the same id later."""
    add(world, "extra")
    world.file.write_text(FILE.replace('"first"', '"extra"'))
    result = world.run("list")
    assert "'extra' is the id of accounts[0] too" in result.stderr
    assert "does not fit the file" in result.stdout
    world.run("remove", "extra")
    assert listed(world)["extra"]["source"] == "file"


# -- add --------------------------------------------------------------------------------------------------------------


def test_what_is_added_is_what_the_file_could_have_said(world: World) -> None:
    """Every option arrives at its setting; the secret is in no file in clear."""
    (world.folder / "proxy").write_text("socks5://u:MARKED@127.0.0.1:1080\n")
    world.run(
        *("add", "--id", "x", "--provider", "openai", "--api-key", "-", "--base-url", "https://h.example/v1"),
        *("--model", "a", "--model", "b-*", "--priority", "-3", "--weight", "7", "--max-concurrency", "4"),
        *("--requests-per-minute", "60", "--tokens-per-minute", "9000", "--organization", "ours"),
        *("--proxy", f"file:{world.folder / 'proxy'}", "--dialect", "openai-chat"),
        stdin="sk-MARKED-4\n",
    )
    assert world.tables()["x"] == {
        "id": "x",
        "provider": "openai",
        "api_key": "sk-MARKED-4",
        "base_url": "https://h.example/v1",
        "models": ["a", "b-*"],
        "priority": -3,
        "weight": 7,
        "max_concurrency": 4,
        "requests_per_minute": 60,
        "tokens_per_minute": 9000,
        "organization": "ours",
        "dialect": "openai-chat",
        "proxy": "socks5://u:MARKED@127.0.0.1:1080",
    }
    kept = b"".join(path.read_bytes() for path in (world.folder / "data").iterdir())
    assert b"MARKED" not in kept
    assert listed(world)["x"]["models"] == ["a", "b-*"]


def test_an_oauth_client_is_added_and_told_to_sign_in(world: World) -> None:
    """Its secret by name; a refresh token makes the sign-in needless."""
    world.environ |= {"CLIENT_SECRET": "cs-MARKED", "REFRESH": "rt-MARKED"}
    client = ("--provider", "openai", *OAUTH, "--client-secret", "env:CLIENT_SECRET", "--scope", "a", "--scope", "b")
    first = world.run("add", "--id", "x", *client, "--authorize-url", "https://login.example/authorize")
    second = world.run("add", "--id", "y", *client, "--refresh-token", "env:REFRESH")
    assert "gephyr accounts login x" in first.stdout
    assert "login" not in second.stdout
    tables = {name: table["oauth"] for name, table in world.tables().items()}
    assert tables["x"]["scopes"] == ["a", "b"]
    assert (tables["x"]["client_secret"], tables["y"]["refresh_token"]) == ("cs-MARKED", "rt-MARKED")


def test_every_mistake_is_told_at_once_by_its_option_and_nothing_is_kept(world: World) -> None:
    """Values, contradictions, secrets that cannot be found and an id that is taken, together."""
    result = world.run(
        *("add", "--id", "first", "--provider", "opnai", "--base-url", "nope", "--weight", "0", "--model", ""),
        *("--client-secret", "env:NOT_SET", "--api-key", "sk-MARKED", "--proxy", "http://u:MARKED@h:1"),
        code=2,
    )
    told = sorted(line.removeprefix("error: ").partition(": ")[0] for line in result.stderr.splitlines())
    assert told == [
        *("--api-key", "--base-url", "--client-id", "--client-secret", "--id", "--model", "--provider", "--proxy"),
        *("--token-url", "--weight"),
    ]
    assert "'first' is an account of" in result.stderr
    assert "the list of processes" in result.stderr
    assert world.tables() == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "--id: missing"),
        (("--id", "x", "--provider", "anthropic", "--no-api-key"), "--api-key: missing"),
        (("--id", "x", "--provider", "openai", "--api-key", "env:KEY", "--no-api-key"), "contradicts --api-key"),
        (("--id", "x", "--provider", "openai", "--api-key", "file:nowhere"), "cannot read the file 'nowhere'"),
        (("--id", "x", "--provider", "openai", "--api-key", "-"), "--api-key: standard input is empty"),
        (("--id", "x", "--provider", "openai", *OAUTH, "--api-key", "env:KEY"), "cannot be set beside api_key"),
        (("--id", "x", "--provider", "vertex", "--service-account", "key.json"), "--service-account: a secret on"),
        (
            ("--id", "x", "--provider", "openai", *OAUTH, "--client-secret", "-", "--refresh-token", "-"),
            "--refresh-token: --client-secret reads standard input already",
        ),
    ],
)
def test_what_cannot_be_an_account_is_refused(world: World, arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in world.run("add", *arguments, code=2).stderr
    assert world.tables() == {}


def test_an_id_is_given_once(world: World) -> None:
    """Until the account is removed."""
    add(world, "extra")
    assert "'gephyr accounts remove extra'" in add(world, "extra", code=2)
    world.run("remove", "extra")
    add(world, "extra")


def test_an_account_added_before_that_does_not_fit_is_named(world: World) -> None:
    """Its mistake is not the new account's."""
    add(world, "extra", "--provider", "ours", code=2)
    world.file.write_text(FILE + '[providers.ours]\nkind = "openai"\n')
    add(world, "extra", "--provider", "ours")
    world.file.write_text(FILE)
    assert "account 'extra', added before: provider: expected one of" in add(world, "more", code=2)


def test_a_key_that_is_not_named_is_asked_for_without_echo(world: World) -> None:
    """On a terminal; not before everything else is right."""
    keyboard, terminal = pty.openpty()
    command = ["accounts", "add", "--config", str(world.file), "--id", "x", "--provider", "openai"]
    with subprocess.Popen(
        [sys.executable, "-c", "from gephyr.cli import main; main()", *command],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        shown = b""
        while b"API key of x:" not in shown:
            shown += os.read(keyboard, 1024)
        os.write(keyboard, b"sk-MARKED-typed\n")
        while b"serves it" not in shown:
            shown += os.read(keyboard, 1024)
        assert process.wait(WAIT) == 0
    os.close(keyboard)
    assert b"MARKED" not in shown
    assert world.tables()["x"]["api_key"] == "sk-MARKED-typed"
    assert world.run("add", "--id", "y", "--provider", "opnai", stdin="sk-MARKED\n", code=2).stdout == ""


# -- remove, enable, disable ------------------------------------------------------------------------------------------


def test_only_what_was_added_can_be_removed(world: World) -> None:
    """What stands in the file is the file's."""
    result = world.run("remove", "first", code=1)
    assert f"'first' stands in {world.file}" in result.stderr


@pytest.mark.parametrize("command", ["remove", "enable", "disable", "test", "login"])
def test_an_unknown_account_is_not_found_and_a_near_one_suggested(world: World, command: str) -> None:
    assert "there is no account 'frist'; did you mean first?" in world.run(command, "frist", code=1).stderr
    assert "'gephyr accounts list' shows" in world.run(command, "zzz", code=1).stderr


@pytest.mark.parametrize("name", ["first", "extra"])
def test_accounts_of_the_file_and_added_ones_are_switched_alike(world: World, name: str) -> None:
    """And the switch is kept."""
    add(world, "extra")
    world.run("disable", name)
    line = listed(world)[name]
    assert (line["state"], line["reason"]) == ("disabled", "operator")
    assert "disabled: operator, since 20" in world.run("list").stdout
    world.run("enable", name)
    assert listed(world)[name]["state"] == "in_service"


def test_enabling_forgets_what_was_said_against_an_account(world: World) -> None:
    """Without a server too: a refused credential, a limit of its own, no money left in its organisation."""
    add(world, "extra", "--organization", "ours")
    store = Store.open(world.folder / "data", clock=lambda: NOW, environ={})
    store.save(AccountState("extra", "invalid_grant", NOW))
    for scope in ("extra", "openai:ours", "first"):
        store.save(Cooldown(scope, "", "money", float("inf")))
    store.close()
    world.run("enable", "extra")
    assert listed(world)["extra"]["state"] == "in_service"
    assert listed(world)["first"]["state"] == "cooling_down"


def test_what_the_file_switches_off_stays_off(world: World) -> None:
    """And the command says so instead of pretending."""
    assert "enabled = false of 'off'" in world.run("enable", "off", code=1).stderr
    with world.book() as book:
        assert book.enabled() == []


# -- what fails around them -------------------------------------------------------------------------------------------


def test_a_bad_configuration_is_told_with_every_mistake(tmp_path: Path) -> None:
    """As every command does."""
    world = world_in(tmp_path, '[server]\nport = "x"\n[[accounts]]\nid = "a"\n')
    assert world.run("list", code=2).stderr.count("error: ") >= 2


def test_a_directory_that_cannot_be_used_is_named(world: World) -> None:
    (world.folder / "data").write_text("a file")
    assert "error: server.data_dir: " in world.run("list", code=2).stderr
