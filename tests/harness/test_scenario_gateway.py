"""A scenario's gateway: the operator's own file, or accounts by template; never a secret."""

from pathlib import Path

import pytest

from gephyr.harness.scenario.gateway import load_gateway
from gephyr_core.config import ConfigError

OPERATORS = """
[server]
host = "0.0.0.0"
port = 1
tls_cert = "file-that-is-not-here.pem"
tls_key = "file-that-is-not-here.key"
request_timeout = 45
max_body_size = 1000

[auth]
mode = "off"
api_keys = ["env:NOT_SET", "file:not-here"]

[security]
allow = ["10.0.0.0/8"]

[cors]
origins = ["https://app.example"]

[outbound]
upstream_proxy = "env:NOT_SET"
ca_file = "not-here.pem"

[proxy_pool]
enabled = true
proxies = [{ id = "eu", url = "file:not-here" }]

[scheduling]
mode = "performance_first"

[[accounts]]
id = "key"
provider = "openai"
api_key = "env:NOT_SET"
max_concurrency = 3
proxy = "eu"

[[accounts]]
id = "sign-in"
provider = "anthropic"
proxy = "env:NOT_SET"
oauth = { token_url = "https://id.example/t", client_id = "c", client_secret = "file:no", refresh_token = "env:NOT_SET" }

[[accounts]]
id = "google"
provider = "vertex"
service_account = "file:not-here.json"
proxy = "http://user:word@proxy.example:1"
"""


def problems(gateway: object, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_gateway(gateway, folder, 1)
    return [str(problem) for problem in refused.value.problems]


def test_the_operators_own_file_is_taken_without_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable is looked up, no file beside it opened: what they would hold does not matter here."""
    (tmp_path / "gephyr.toml").write_text(OPERATORS)
    monkeypatch.setenv("ABV_API_KEY", "marked")
    monkeypatch.setenv("ABV_PORT", "no port at all")
    config = load_gateway("gephyr.toml", tmp_path, 2)
    assert [account.id for account in config.accounts] == ["key", "sign-in", "google"]
    assert (config.accounts[0].max_concurrency, config.accounts[0].proxy) == (3, "pool:eu")
    assert config.accounts[1].oauth is not None
    assert config.accounts[1].oauth.token_url == "https://id.example/t"
    assert config.scheduling.mode == "performance_first"
    assert "word" not in repr(config)


def test_the_operators_limits_count_and_where_it_listens_does_not(tmp_path: Path) -> None:
    """The simulated clients come from elsewhere, with keys of their own."""
    (tmp_path / "gephyr.toml").write_text(OPERATORS)
    config = load_gateway(str(tmp_path / "gephyr.toml"), Path("elsewhere"), 2)
    assert config.upstream.total_timeout == config.server.request_timeout == 45.0
    assert config.server.max_body_size == 1000
    assert (config.server.host, config.server.tls_cert, config.outbound.ca_file) == ("127.0.0.1", "", "")
    assert (config.security.allow, config.cors.origins) == ((), ())
    assert config.auth.mode == "strict"
    assert len({*config.auth.api_keys}) == 2


def test_a_service_account_signs_in_as_an_oauth_client() -> None:
    """Its key holds the project, which is not known without it."""
    account = {"id": "g", "provider": "vertex", "service_account": "file:not-here.json", "location": "europe-west4"}
    (found,) = load_gateway({"accounts": [account]}, Path(), 1).accounts
    assert (found.project, found.location, found.service_account) == ("simulated", "europe-west4", "")
    assert found.oauth is not None


def test_a_template_makes_as_many_accounts_as_it_counts() -> None:
    """Numbered from 1, alike in all else, where they stand in the file."""
    accounts = [
        {"id": "a", "provider": "openai", "count": 30, "weight": 3},
        {"id": "b", "provider": "openai"},
        {"id": "c", "provider": "openai", "count": 1},
    ]
    found = load_gateway({"accounts": accounts}, Path(), 1).accounts
    assert [one.id for one in found] == [*(f"a-{number}" for number in range(1, 31)), "b", "c-1"]
    assert {one.weight for one in found[:30]} == {3}


def test_a_mistake_in_a_template_is_told_once_by_its_place_in_the_file() -> None:
    """Not thirty times, and not by the number of the account that it made."""
    accounts = [
        {"id": "a", "provider": "openai", "count": 30, "weight": 0},
        {"id": "b", "provider": "openai", "priority": "first"},
        {"id": "a-7", "provider": "openai"},
        "no table",
        {"provider": "openai", "count": 2},
        {"id": "d", "provider": "openai", "count": True},
    ]
    assert problems({"accounts": accounts}) == [
        "gateway.accounts[5].count: expected a whole number from 1 to 9966",
        "gateway.accounts[0].weight: expected a whole number from 1 to 1000, got 0",
        "gateway.accounts[1].priority: expected a whole number, got 'first'",
        "gateway.accounts[3]: expected a table, got a string",
        "gateway.accounts[4].id: missing",
        "gateway.accounts[2].id: 'a-7' is the id of accounts[0] too",
    ]


def test_mistakes_in_the_operators_file_name_it(tmp_path: Path) -> None:
    """A place in another file is no use without it."""
    path = tmp_path / "gephyr.toml"
    path.write_text("[scheduling]\nmode = 1\nmodes = 2\n")
    assert [text.partition(": ")[0] for text in problems("gephyr.toml", tmp_path)] == [str(path)] * 2
    path.unlink()
    assert problems("gephyr.toml", tmp_path) == [f"{path}: No such file or directory"]


@pytest.mark.parametrize("gateway", [None, 3, [], True])
def test_a_gateway_is_a_table_or_a_path(gateway: object) -> None:
    """And it has to be there."""
    assert problems(gateway) == ["gateway: expected a table, or the path of a gephyr.toml"]


@pytest.mark.parametrize("section", ["server", "outbound", "proxy_pool", "accounts", "auth", "scheduling"])
def test_a_section_of_a_wrong_type_is_a_mistake_and_no_crash(section: str) -> None:
    """Whatever stands where a table is expected; client keys are the simulation's own."""
    if section == "auth":
        assert load_gateway({section: 5}, Path(), 1).auth.mode == "strict"
    else:
        assert [text.partition(":")[0] for text in problems({section: 5})] == [f"gateway.{section}"]
    assert problems({"proxy_pool": {"proxies": [5, {"id": "a"}]}, "accounts": [5]})
