"""Loading: the file is found, its secrets end in the vault, and the rest is the core's."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.configuration import find_config, load, load_mapping, read_toml
from gephyr_core.config import ConfigError
from gephyr_core.http import Origin

SECRET = "sk-MARKED-secret"
EXAMPLE = Path(__file__).parents[2] / "examples" / "gephyr.toml"
ANTHROPIC = Origin("https", "api.anthropic.com", 443)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, text: str) -> Path:
    file = folder / "gephyr.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def problems(file: Path, environ=None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, environ or {})
    return [str(problem) for problem in caught.value.problems]


def account(api_key: str) -> str:
    return f'[[accounts]]\nid = "a"\nprovider = "anthropic"\napi_key = "{api_key}"\n'


@pytest.mark.parametrize(("most", "read"), [(None, True), (11, True), (10, True), (9, False)])
def test_a_file_is_read_up_to_the_size_that_is_allowed(tmp_path: Path, most: int | None, read: bool) -> None:
    file = write(tmp_path, "a = 123456")
    if read:
        assert read_toml(file, most) == {"a": 123456}
    else:
        with pytest.raises(ConfigError, match=f"larger than {most} bytes"):
            read_toml(file, most)


# -- where the file is ----------------------------------------------------------------------------


def test_the_file_is_looked_for_in_the_order_of_the_documentation(tmp_path, monkeypatch):
    """--config, then the data directory's, then the home's, then none."""
    home, data = tmp_path / "home", tmp_path / "data"
    monkeypatch.setenv("HOME", str(home))
    environ = {"ABV_DATA_DIR": str(data)}
    assert find_config(None, environ) is None
    (home / ".gephyr").mkdir(parents=True)
    data.mkdir()
    in_home = write(home / ".gephyr", "")
    assert find_config(None, environ) == in_home
    in_data = write(data, "")
    assert find_config(None, environ) == in_data
    assert find_config(None, {}) == in_home
    assert find_config(tmp_path / "x.toml", environ) == tmp_path / "x.toml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"a = 1\nb = \n", "Invalid value (at line 2, column 5)"),
        (b"a = '\xff'", "not UTF-8 (at byte 5)"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "Exceeds the limit"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_name(tmp_path, content, message):
    """A slip of the keyboard ends in one sentence."""
    file = tmp_path / "gephyr.toml"
    if content is not None:
        file.write_bytes(content)
    (problem,) = problems(file)
    assert problem.startswith(f"{file}: {message}")


def test_the_example_loads():
    """The file that everybody copies is right."""
    environ = {"GEPHYR_KEY": "k", "ANTHROPIC_KEY": "a", "OPENAI_KEY": "o"}
    loaded = load(EXAMPLE, environ)
    assert [entry.id for entry in loaded.config.accounts] == ["anthropic-1", "openai-1", "local"]
    assert loaded.config.auth.api_keys == (sha("k"),)
    assert loaded.warnings == ()


# -- secrets --------------------------------------------------------------------------------------


def test_a_secret_is_literal_or_in_the_environment_or_in_a_file(tmp_path):
    """However it is kept, the same credential goes on the wire, and the core sees a reference."""
    (tmp_path / "key.txt").write_text(f"{SECRET}\n", encoding="utf-8")
    for text in (SECRET, "env:KEY", "file:key.txt", f"file:{tmp_path}/key.txt"):
        loaded = load(write(tmp_path, account(text)), {"KEY": SECRET})
        assert loaded.config.accounts[0].api_key == "account:a"
        assert loaded.vault.authorize("a", ANTHROPIC) == ((b"x-api-key", SECRET.encode()),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env:KEY", "the environment variable KEY is not set"),
        ("env:EMPTY", "the environment variable EMPTY is not set"),
        ("env:sk-MARKED-secret", "expected env: and the name of an environment variable"),
        ("file:nowhere.txt", "cannot read the file 'nowhere.txt': No such file or directory"),
        ("file:.", "cannot read the file '.': Is a directory"),
        ("file:empty.txt", "the file 'empty.txt' is empty"),
        ("file:binary", "cannot read the file 'binary'"),
        ("sk-MARKED secret", "holds a character that no HTTP header can carry"),
        ("file:two-lines.txt", "holds a character that no HTTP header can carry"),
    ],
)
def test_a_secret_that_cannot_be_found_is_a_mistake_like_any_other(tmp_path, text, message):
    """It is told at start, with its place, and without what was found there."""
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "two-lines.txt").write_text("sk-MARKED\nsk-MARKED", encoding="utf-8")
    (problem,) = problems(write(tmp_path, account(text)), {"EMPTY": ""})
    assert problem.startswith(f"accounts[0].api_key: {message}")
    assert "MARKED" not in problem


def test_keys_become_digests(tmp_path):
    """Those of the file and those of the environment alike."""
    file = write(tmp_path, '[auth]\napi_keys = ["k1", "env:K2"]')
    auth = load(file, {"K2": "k2", "ABV_API_KEY": "k3"}).config.auth
    assert auth.api_keys == (sha("k1"), sha("k2"), sha("k3"))


def test_a_password_is_refused_until_there_are_pages_for_it(tmp_path):
    """Where it came from makes no difference, and it is not quoted."""
    file = write(tmp_path, '[auth]\nweb_password = "sk-MARKED"')
    assert problems(file) == ["auth.web_password: not available in this version"]


def test_the_origin_of_a_credential_is_that_of_its_account():
    """An address of one's own, and that of a provider of one's own, count."""
    loaded = load_mapping(
        {
            "accounts": [
                {"id": "a", "provider": "azure", "api_key": "k1", "base_url": "https://acme.example/v1"},
                {"id": "b", "provider": "mine", "api_key": "k2"},
                {"id": "c", "provider": "gemini", "api_key": "k3"},
            ],
            "providers": {"mine": {"kind": "openai-compatible", "base_url": "http://10.0.0.1:8080"}},
        },
        {},
    )
    authorize = loaded.vault.authorize
    assert authorize("a", Origin("https", "acme.example", 443)) == ((b"api-key", b"k1"),)
    assert authorize("b", Origin("http", "10.0.0.1", 8080)) == ((b"authorization", b"Bearer k2"),)
    google = Origin("https", "generativelanguage.googleapis.com", 443)
    assert authorize("c", google) == ((b"x-goog-api-key", b"k3"),)


def test_proxies_become_routes():
    """The core chooses among names; addresses and passwords stay here."""
    loaded = load_mapping(
        {
            "accounts": [
                {"id": "a", "provider": "openai", "api_key": "k", "proxy": f"socks5://u:{SECRET}@h:1"},
                {"id": "b", "provider": "openai", "api_key": "k", "proxy": "eu-1"},
            ],
            "outbound": {"upstream_proxy": "env:PROXY"},
            "proxy_pool": {"enabled": True, "proxies": [{"id": "eu-1", "url": "http://eu:3128"}]},
        },
        {"PROXY": "http://app:3128"},
    )
    assert [entry.proxy for entry in loaded.config.accounts] == ["proxy:a", "pool:eu-1"]
    assert loaded.config.outbound.upstream_proxy == "proxy:app"
    assert {route: proxy.host for route, proxy in loaded.routes.items()} == {
        "proxy:a": "h",
        "proxy:app": "app",
        "pool:eu-1": "eu",
    }
    assert loaded.routes["proxy:a"].password == SECRET


@pytest.mark.parametrize("proxy", [f"u:{SECRET}@h:3128", f"ftp://u:{SECRET}@h", f"http://u:{SECRET}@h:port"])
def test_a_proxy_that_cannot_be_read_is_not_quoted(proxy):
    """Its password may be in it."""
    entry = {"id": "a", "provider": "openai", "api_key": "k", "proxy": proxy}
    with pytest.raises(ConfigError) as caught:
        load_mapping({"accounts": [entry], "outbound": {"upstream_proxy": proxy}}, {})
    paths = [problem.path for problem in caught.value.problems]
    assert sorted(paths) == ["accounts[0].proxy", "outbound.upstream_proxy"]
    assert SECRET not in str(caught.value)


marked = st.recursive(
    st.sampled_from([SECRET, f"env:{SECRET}", f"http://u:{SECRET}@h", f"http://h?{SECRET}", f"u:{SECRET}@h:1"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "id"]), inner, max_size=2)
    ),
    max_leaves=3,
)
oauth = st.fixed_dictionaries(
    {"token_url": st.just("https://t"), "client_id": st.just("c")},
    optional={"client_secret": marked, "refresh_token": marked},
)
places = st.fixed_dictionaries(
    {"provider": st.sampled_from(["openai", "nothing"])},
    optional={"id": st.sampled_from(["a", "b", "!", 5]), "api_key": marked, "proxy": marked, "oauth": oauth},
)
secretive = st.fixed_dictionaries(
    {},
    optional={
        "accounts": st.lists(places, max_size=2),
        "auth": st.fixed_dictionaries({}, optional={"api_keys": marked, "web_password": marked}),
        "outbound": st.fixed_dictionaries({"upstream_proxy": marked}),
        "proxy_pool": st.fixed_dictionaries(
            {"proxies": st.lists(st.fixed_dictionaries({"url": marked}, optional={"id": st.just("p")}))}
        ),
    },
)


@given(secretive, st.dictionaries(st.sampled_from(["ABV_API_KEY", "WEB_PASSWORD"]), st.just(SECRET)))
def test_no_secret_is_ever_shown(mapping, environ):
    """In whatever shape it stands in a place for secrets: no mistake, configuration or vault shows it."""
    try:
        loaded = load_mapping(mapping, environ)
    except ConfigError as error:
        shown = str(error) + repr(error)
    else:
        shown = repr(loaded) + repr(loaded.config) + repr(loaded.vault) + repr(loaded.routes)
    assert "MARKED" not in shown


# -- files ----------------------------------------------------------------------------------------


def test_paths_start_at_the_files_folder(tmp_path, monkeypatch):
    """A configuration works from whatever directory Gephyr is started in."""
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("c.pem", "k.pem", "ca.pem"):
        (tmp_path / name).touch()
    text = '[server]\ntls_cert = "c.pem"\ntls_key = "./k.pem"\n[outbound]\nca_file = "ca.pem"\n'
    loaded = load(write(tmp_path, text), {})
    assert loaded.config.server.tls_cert == str(tmp_path / "c.pem")
    assert loaded.config.server.tls_key == str(tmp_path / "k.pem")
    assert loaded.config.outbound.ca_file == str(tmp_path / "ca.pem")
    assert loaded.config.server.data_dir == "/home/me/.gephyr"


def test_the_data_directory_of_the_environment_starts_where_gephyr_does(tmp_path, monkeypatch):
    """A path on the command line means what the shell means."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    loaded = load(write(tmp_path / "etc", ""), {"ABV_DATA_DIR": "data"})
    assert loaded.config.server.data_dir == str(tmp_path / "data")


def test_a_missing_file_is_told_at_start(tmp_path):
    """Not at the first connection."""
    file = write(tmp_path, '[server]\ntls_cert = "c.pem"\ntls_key = "k.pem"\n')
    assert problems(file) == [
        f"server.tls_cert: no such file: {tmp_path / 'c.pem'}",
        f"server.tls_key: no such file: {tmp_path / 'k.pem'}",
    ]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_file_with_secrets_that_everybody_can_read_is_warned_of(tmp_path):
    """One without secrets may be readable, and so may one that only says where they are."""
    file = write(tmp_path, account(SECRET))
    assert load(file, {}).warnings == ()
    file.chmod(0o644)
    (warning,) = load(file, {}).warnings
    assert str(file) in warning
    file.write_text(account("env:KEY") + 'proxy = "http://h:1"\n', encoding="utf-8")
    assert load(file, {"KEY": SECRET, "ABV_API_KEY": "k"}).warnings == ()
