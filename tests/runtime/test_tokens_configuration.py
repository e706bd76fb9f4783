"""Accounts that sign in: their secrets end in the runtime, and the core sees references."""

import attrs
import pytest

from gephyr.runtime.configuration import Loaded, load, load_mapping
from gephyr.runtime.credentials import NoTokenError
from gephyr.runtime.tokens import RefreshGrant, ServiceAccountGrant
from gephyr_core.config import ConfigError
from gephyr_core.http import Origin
from tests.runtime.service_account_key import key_file

GOOGLE = Origin("https", "aiplatform.googleapis.com", 443)
OAUTH = {
    "token_url": "https://auth.example/token",
    "client_id": "client",
    "client_secret": "env:CS",
    "refresh_token": "rt-MARKED",
    "scopes": ["a", "b"],
}


def loaded(**account: object) -> Loaded:
    return load_mapping({"accounts": [{"id": "a", "provider": "openai"} | account]}, {"CS": "cs-MARKED"})


def problem(**account: object) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(**account)
    assert "MARKED" not in str(caught.value)
    (found,) = caught.value.problems
    return str(found)


def test_an_oauth_clients_secrets_stay_in_the_runtime():
    found = loaded(oauth=OAUTH)
    assert found.grants["a"] == RefreshGrant(
        token_url="https://auth.example/token",
        client_id="client",
        client_secret="cs-MARKED",
        refresh_token="rt-MARKED",
        scopes=("a", "b"),
    )
    oauth = found.config.accounts[0].oauth
    assert oauth is not None
    assert (oauth.client_secret, oauth.refresh_token, oauth.scopes) == ("account:a", "account:a", ("a", "b"))
    assert "MARKED" not in repr(found)


def test_an_account_that_signs_in_has_no_credential_before_it_did():
    vault = loaded(oauth=OAUTH | {"refresh_token": ""}).vault
    with pytest.raises(NoTokenError):
        vault.authorize("a", Origin("https", "api.openai.com", 443))


def test_tokens_go_out_as_bearer_whatever_header_the_providers_keys_go_into():
    vault = loaded(provider="anthropic", oauth=OAUTH).vault
    vault.replace("a", "at")
    origin = Origin("https", "api.anthropic.com", 443)
    assert vault.authorize("a", origin) == ((b"authorization", b"Bearer at"),)


def test_a_service_account_is_a_key_file(tmp_path):
    """And its project is the account's, unless the account names another."""
    (tmp_path / "key.json").write_text(key_file(), encoding="utf-8")
    for more, project in (("", "acme-prod"), ('project = "other"\n', "other")):
        file = tmp_path / "gephyr.toml"
        text = f'[[accounts]]\nid = "g"\nprovider = "vertex"\nservice_account = "file:key.json"\n{more}'
        file.write_text(text, encoding="utf-8")
        found = load(file, {})
        account = found.config.accounts[0]
        assert (account.service_account, account.project) == ("account:g", project)
        assert isinstance(found.grants["g"], ServiceAccountGrant)
        assert "PRIVATE" not in repr(found)
        with pytest.raises(NoTokenError):
            found.vault.authorize("g", GOOGLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:nowhere.json", "cannot read the file 'nowhere.json': No such file or directory"),
        ("MARKED.json", "expected the JSON of a Google service account's key (file:PATH names a file)"),
        ("{MARKED", "expected the JSON of a Google service account's key"),
        (key_file(private_key="MARKED"), "'private_key' is not an unencrypted private key in PEM form"),
        (key_file(project_id=None), "'project_id' is missing"),
    ],
)
def test_what_is_no_key_file_is_told_with_its_place(text, message):
    assert problem(provider="vertex", service_account=text) == f"accounts[0].service_account: {message}"


def test_a_secret_that_cannot_be_found_is_told_with_its_place():
    found = problem(oauth=OAUTH | {"refresh_token": "env:MARKED-not-a-name"})
    assert found.startswith("accounts[0].oauth.refresh_token: expected env: and the name")


def test_a_changed_credential_has_another_digest():
    """So that what was found wrong with the old one is void (decision 15)."""
    key_digests = [loaded(api_key=key).credential_digests["a"] for key in ("k1", "k2")]
    changes: list[dict[str, object]] = [{}, {"client_secret": "x"}, {"refresh_token": "x"}, {"client_id": "x"}]
    oauth_digests = [loaded(oauth=OAUTH | change).credential_digests["a"] for change in changes]
    file_digests = [
        loaded(provider="vertex", service_account=key_file(private_key_id=kid)).credential_digests["a"] for kid in "ab"
    ]
    assert len({*key_digests, *oauth_digests, *file_digests}) == 8
    same = loaded(oauth=OAUTH, priority=5)
    assert same.credential_digests["a"] == oauth_digests[0]
    assert attrs.asdict(same)["credential_digests"] == {"a": oauth_digests[0]}
