"""Configuration: what is read, and how every mistake is told."""

import pytest

from gephyr_core.config import AuthConfig, Config, ConfigError, load_config
from gephyr_core.providers import PROVIDERS

ACCOUNT = {"id": "a", "provider": "openai", "api_key": "account:a"}
OAUTH = {"token_url": "https://t", "client_id": "c"}


def read(mapping=None, environ=None, **overrides) -> Config:
    settings = {tuple(name.split("_", 1)): value for name, value in overrides.items()}
    return load_config(mapping or {}, environ or {}, providers=PROVIDERS, overrides=settings)


def problems(mapping, environ=None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(mapping, environ)
    return [str(problem) for problem in caught.value.problems]


def account(**settings) -> dict[str, object]:
    return {"accounts": [ACCOUNT | settings]}


def test_nothing_at_all_is_a_configuration():
    """Gephyr starts without a file; the defaults are the whole of it."""
    assert read() == Config()


def test_every_section_reaches_its_field():
    """What the file says is what the gateway gets, in the field's own types."""
    config = read(
        {
            "server": {"port": 9000, "request_timeout": 30},
            "auth": {"mode": "all_except_health", "api_keys": ["a" * 64]},
            "cors": {"origins": ["https://App.example.com/"]},
            "security": {"allow": ["10.0.0.0/8", "::1"]},
            "accounts": [ACCOUNT | {"models": ["gpt-*"], "max_concurrency": 3}],
            "models": {"gpt-4o*": "openai/gpt-5", "x": ["a", "b/c"], "default": "y", "list": ["z"]},
            "providers": {"mine": {"kind": "openai-compatible", "base_url": "http://h:1/v1/"}},
        }
    )
    assert config.server.port == 9000
    assert config.server.request_timeout == 30.0
    assert config.auth.api_keys == ("a" * 64,)
    assert config.cors.origins == ("https://app.example.com",)
    assert config.security.allow == ("10.0.0.0/8", "::1/128")
    assert config.accounts[0].models == ("gpt-*",)
    assert config.accounts[0].max_concurrency == 3
    assert config.models.routes == {"gpt-4o*": ("openai/gpt-5",), "x": ("a", "b/c")}
    assert config.models.default == ("y",)
    assert config.models.list == ("z",)
    assert config.providers["mine"].base_url == "http://h:1/v1"


def test_every_mistake_is_told_at_once():
    """An operator mends a file in one go, not in as many tries as it has mistakes."""
    found = problems(
        {
            "server": {"port": "8045", "hots": "x", "tls_cert": "c.pem"},
            "accounts": [
                ACCOUNT,
                ACCOUNT,
                ACCOUNT | {"id": "c", "base_url": "foo"},
                {"id": "d"},
                5,
                ACCOUNT | {"id": "e", "provider": "opena", "enabled": "yes"},
            ],
            "admin": {"enabled": True},
        },
        {"ABV_MAX_BODY_SIZE": "100MB"},
    )
    assert found[:-1] == [
        "ABV_MAX_BODY_SIZE: expected a whole number, got '100MB'",
        "server.port: expected a whole number, got '8045'",
        "server.hots: unknown setting; did you mean 'host'?",
        "accounts[2].base_url: expected an http(s) URL, got 'foo'",
        "accounts[3].provider: missing",
        "accounts[4]: expected a table, got a number",
        "accounts[5].enabled: expected true or false, got 'yes'",
        "admin.enabled: not available in this version",
        "server.tls_key: missing, as server.tls_cert is set",
        "accounts[1].id: 'a' is the id of accounts[0] too",
    ]
    assert found[-1].startswith("accounts[5].provider: expected one of openai, anthropic, ")


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"server": {"port": True}}, "server.port: expected a whole number, got true"),
        ({"server": {"port": 8045.0}}, "server.port: expected a whole number, got 8045.0"),
        ({"server": {"port": 65536}}, "server.port: expected a whole number from 0 to 65535, got 65536"),
        ({"server": {"max_body_size": 0}}, "server.max_body_size: expected a whole number of at least 1, got 0"),
        ({"server": {"idle_timeout": 0}}, "server.idle_timeout: expected more than 0 and at most 86400 seconds, got 0"),
        (
            {"server": {"request_timeout": float("nan")}},
            "server.request_timeout: expected more than 0 and at most 86400 seconds, got nan",
        ),
        (
            {"server": {"keepalive_interval": 61}},
            "server.keepalive_interval: expected at least 1 and at most 60 seconds, got 61",
        ),
        ({"server": {"port": 1 << 40000}}, "server.port: expected a whole number from 0 to 65535, got a very large n"),
        ({"server": {"host": "a b"}}, "server.host: expected an IP address or a host name, got 'a b'"),
        ({"server": 5}, "server: expected a table, got a number"),
        (
            {"server": {"metrics_listen": "9108"}},
            "server.metrics_listen: expected a host and a port like '127.0.0.1:9108', got '9108'",
        ),
        ({"expose_account": 1, "sever": {}}, "expose_account: unknown setting"),
        ({"acounts": []}, "acounts: unknown setting; did you mean 'accounts'?"),
        ({"accounts": {}}, "accounts: expected an array of tables, got a table"),
        ({"auth": {"mode": "none"}}, "auth.mode: expected one of 'strict', 'off', 'all_except_health', got 'none'"),
        ({"auth": {"allow_lan_access": 1}}, "auth.allow_lan_access: expected true or false, got 1"),
        ({"security": {"block": ["10.0.0.1/8"]}}, "security.block[0]: expected an IP address, or a network"),
        ({"cors": {"origins": ["https://a/b"]}}, "cors.origins[0]: expected '*' or an origin like"),
        ({"models": {"gpt-4": {"1": "x"}}}, "models.gpt-4: expected a target or an array of targets, got a table"),
        ({"models": {"gpt-4.1": ["a", 2]}}, "models.\"gpt-4.1\"[1]: expected 'provider/model' or a model's name"),
        ({"models": {"m": "claude-*"}}, "models.m: expected 'provider/model' or a model's name, got 'claude-*'"),
        (
            {"models": {"m": "gemini/x/../y"}},
            "models.m: expected 'provider/model' or a model's name, got 'gemini/x/../y': a",
        ),
        ({"models": {"m": ["g", "x?y"]}}, "models.m[1]: expected 'provider/model' or a model's name, got a string: a"),
        ({"models": {"default": "x%2e"}}, "models.default: expected 'provider/model' or a model's name, got 'x%2e'"),
        ({"models": {"../*": "m"}}, 'models."../*": expected a model\'s name'),
        (
            account(models=["m", "x#y"]),
            "accounts[0].models[1]: expected a model's name, '*' standing for any text, got",
        ),
        ({"providers": {"a b": {}}}, 'providers."a b": expected 1 to 64 letters'),
        ({"providers": {"mine": {}}}, "providers.mine.kind: expected one of openai, "),
        (
            {"providers": {"gemini": {"dialect": "anthropic"}}},
            "providers.gemini.dialect: expected one of gemini, got 'anthropic'",
        ),
        (account(id="app"), "accounts[0].id: 'app' is reserved"),
        (account(id="a/b"), "accounts[0].id: expected 1 to 64 letters"),
        (account(base_url="https://u:pw@h/"), "accounts[0].base_url: expected an http(s) URL, got a string"),
        (account(base_url="https://h:0/"), "accounts[0].base_url: expected an http(s) URL, got 'https://h:0/'"),
        (account(provider="azure"), "accounts[0].base_url: missing; the provider 'azure' has no address of its own"),
        (account(provider="openai-compatible"), "accounts[0].base_url: missing"),
        (account(api_key=""), "accounts[0].api_key: missing"),
        (account(oauth=OAUTH), "accounts[0].oauth: cannot be set beside api_key"),
        (account(service_account="account:a"), "accounts[0].service_account: cannot be set beside api_key"),
        (account(project="p"), "accounts[0].project: only an account of the provider 'vertex' has one"),
        (account(location="eu"), "accounts[0].location: only an account of the provider 'vertex' has one"),
        (account(api_key="", service_account="account:a"), "accounts[0].service_account: only an account of the provi"),
        (account(provider="vertex"), "accounts[0].api_key: the provider 'vertex' takes a service_account, or oauth"),
        (account(provider="vertex", api_key=""), "accounts[0].service_account: missing"),
        (account(provider="vertex", api_key="", oauth=OAUTH), "accounts[0].project: missing"),
        (
            account(provider="vertex", api_key="", oauth=OAUTH, project="a/b"),
            "accounts[0].project: expected a project's id, got 'a/b'",
        ),
        (
            account(provider="vertex", api_key="", oauth=OAUTH, project="p", location="evil.example/"),
            "accounts[0].location: expected a location like 'europe-west4', got 'evil.example/'",
        ),
        (account(dialect="gemini"), "accounts[0].dialect: expected one of openai-chat, openai-completions, "),
        (account(proxy="pool:eu-1"), "accounts[0].proxy: expected a proxy's URL, or the id of one of"),
        ({"server": {"tls_key": "k.pem"}}, "server.tls_cert: missing, as server.tls_key is set"),
        ({"server": {"host": "192.0.2.1"}}, "server.host: '192.0.2.1' is not loopback, which needs auth.allow_lan"),
        ({"server": {"metrics_listen": "[::]:9108"}}, "server.metrics_listen: '::' is not loopback"),
        ({"server": {"max_buffered_bytes": 1}}, "server.max_buffered_bytes: expected no less than server.max_body"),
        ({"scheduling": {"preferred_account": "b"}}, "scheduling.preferred_account: no account has the id 'b'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(mapping, problem):
    """The message alone is enough to mend the file."""
    assert problems(mapping)[0].startswith(problem)


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"admin": {"enabled": True}}, "admin.enabled"),
        ({"admin": {"public_url": "https://g.example"}}, "admin.public_url"),
    ],
)
def test_what_is_not_built_is_refused_and_not_ignored(mapping, path):
    """A limit that is silently not kept costs an operator an account."""
    assert problems(mapping) == [f"{path}: not available in this version"]


def test_a_reference_is_wanted_where_a_secret_could_be():
    """A secret that the runtime failed to take out is stopped at the core's door, unquoted."""
    found = problems(
        {
            "auth": {"api_keys": ["sk-marked"], "web_password": "sk-marked"},
            "accounts": [ACCOUNT | {"api_key": "sk-marked", "proxy": "http://u:sk-marked@h"}],
            "outbound": {"upstream_proxy": "sk-marked"},
        }
    )
    assert len(found) == 5
    assert "sk-marked" not in "\n".join(found)


def test_lan_access_without_a_host_listens_everywhere():
    """One switch opens the gateway to the network."""
    assert read({"auth": {"allow_lan_access": True}}).server.host == "0.0.0.0"  # noqa: S104
    assert read({"auth": {"allow_lan_access": True}, "server": {"host": "::1"}}).server.host == "::1"


def test_the_total_limit_of_a_call_follows_that_of_its_request():
    """Whoever shortens requests does not have to know of the limits of calls."""
    assert read({"server": {"request_timeout": 7}}).upstream.total_timeout == 7.0
    both = {"server": {"request_timeout": 7}, "upstream": {"total_timeout": 3}}
    assert read(both).upstream.total_timeout == 3.0


def test_a_provider_that_gephyr_knows_may_be_given_another_address():
    """A company's relay in front of OpenAI needs no new provider name."""
    config = read({"providers": {"openai": {"base_url": "https://relay.example"}}, "accounts": [ACCOUNT]})
    assert config.providers["openai"].kind == "openai"


def test_a_server_of_ones_own_needs_no_key():
    """Local model servers ask for no credential."""
    local = {"id": "l", "provider": "openai-compatible", "base_url": "http://127.0.0.1:8080"}
    assert read({"accounts": [local]}).accounts[0].api_key == ""


def test_an_account_may_name_a_proxy_of_the_pool():
    """One proxy's address is written once for all accounts that use it."""
    pool = {"proxy_pool": {"enabled": True, "proxies": [{"id": "eu-1", "url": "pool:eu-1", "max_accounts": 1}]}}
    assert read(pool | account(proxy="pool:eu-1")).accounts[0].proxy == "pool:eu-1"
    two = {"accounts": [ACCOUNT | {"id": name, "proxy": "pool:eu-1"} for name in ("a", "b")]}
    told = "accounts[1].proxy: this proxy has max_accounts = 1, and as many accounts already"
    assert problems(pool | two) == [told]
    off = {"proxy_pool": {**pool["proxy_pool"], "enabled": False}}
    told = "accounts[0].proxy: a proxy of the pool, which needs proxy_pool.enabled = true"
    assert problems(off | account(proxy="pool:eu-1")) == [told]
    pool["proxy_pool"]["proxies"][0]["enabled"] = False
    assert problems(pool | account(proxy="pool:eu-1")) == ["accounts[0].proxy: this proxy is not enabled"]


def test_a_proxy_of_the_pool_has_an_address():
    empty = {"proxy_pool": {"enabled": True, "proxies": [{"id": "eu-1", "url": ""}]}}
    assert problems(empty | account()) == ["proxy_pool.proxies[0].url: missing"]


def test_what_shall_fail_closed_is_not_ignored():
    told = "proxy_pool.require_proxy_for_account_requests: needs proxy_pool.enabled = true"
    assert problems(account() | {"proxy_pool": {"require_proxy_for_account_requests": True}}) == [told]


def test_a_configuration_shows_no_digest():
    """A password's digest can be guessed at, so even that is kept out of what may be printed."""
    shown = repr(AuthConfig(api_keys=("a" * 64,), web_password="b" * 64))
    assert "a" * 64 not in shown
    assert "b" * 64 not in shown
