"""Credentials: the vault keeps the operator's, and a client's are taken out of its request."""

import hashlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.credentials import (
    NoTokenError,
    Vault,
    WrongOriginError,
    digest,
    generate_key,
    strip_credentials,
)
from gephyr_core.http import Origin

HOME = Origin("https", "api.example.com", 443)
AWAY = Origin("https", "other.example.com", 443)
SECRET = "sk-marked-secret"
PLAIN = [(b"host", b"h"), (b"content-type", b"application/json"), (b"cookie", b"a=b")]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        (b"authorization", b"Bearer k1", "k1"),
        (b"authorization", b"bearer  k1 ", "k1"),
        (b"authorization", b"Basic dXNlcjpwdw==", "Basic dXNlcjpwdw=="),
        (b"x-api-key", b"k1", "k1"),
        (b"x-goog-api-key", b"k1", "k1"),
        (b"api-key", b"k1", "k1"),
        (b"ocp-apim-subscription-key", b"k1", "k1"),
        (b"x-auth-token", b"k1", "k1"),
    ],
)
def test_a_key_is_taken_out_of_every_header_that_sdks_use(name, value, key):
    """Each SDK has its own header; none of them reaches a provider or a log."""
    headers, target, digests, names = strip_credentials([PLAIN[0], (name, value), *PLAIN[1:]], "/v1/models?limit=5")
    assert (list(headers), target, digests) == (PLAIN, "/v1/models?limit=5", (sha(key),))
    assert names == (name.decode(),)


def test_several_keys_are_told_in_the_order_they_came():
    """Claude Code sends two at once; any of them may be the good one."""
    headers = [(b"x-api-key", b"b"), (b"authorization", b"Bearer a"), (b"x-api-key", b"c")]
    assert strip_credentials(headers, "/?key=d")[2] == (sha("b"), sha("a"), sha("c"), sha("d"))


@pytest.mark.parametrize(
    "header", [(b"authorization", b"Bearer "), (b"authorization", b"Bearer"), (b"x-goog-api-key", b"")]
)
def test_an_empty_key_presents_nothing(header):
    """Where auth is off, Gemini clients send an empty one."""
    assert strip_credentials([header], "/?key=") == ([], "/", (), (header[0].decode(), "key"))


def test_the_key_in_the_protocols_of_a_websocket_is_taken_out():
    """Pages send it there; OpenAI calls it insecure for a reason."""
    sent = b"realtime, openai-insecure-api-key.k1, openai-beta.realtime-v1"
    headers, _, digests, _ = strip_credentials([(b"sec-websocket-protocol", sent), (b"host", b"h")], "/v1/realtime")
    assert headers == [(b"sec-websocket-protocol", b"realtime, openai-beta.realtime-v1"), (b"host", b"h")]
    assert digests == (sha("k1"),)
    plain = [(b"sec-websocket-protocol", b"realtime,  a")]
    assert strip_credentials(plain, "/") == (plain, "/", (), ())


def test_a_credential_for_a_proxy_is_removed_and_is_no_key():
    """It was meant for somebody on the way here."""
    assert strip_credentials([(b"proxy-authorization", b"Bearer k1")], "/") == ([], "/", (), ())


@pytest.mark.parametrize(
    ("target", "rest", "keys"),
    [
        ("/m:x?key=k1", "/m:x", ["k1"]),
        ("/m:x?alt=sse&key=k1", "/m:x?alt=sse", ["k1"]),
        ("/m:x?key=k1&alt=sse&key=k2", "/m:x?alt=sse", ["k1", "k2"]),
        ("/m:x?key=a%2Fb+c", "/m:x", ["a/b+c"]),
        ("/m:x?%6b%65y=k1&a=%7E", "/m:x?a=%7E", ["k1"]),
        ("/m:x?a=%zz&&monkey=1&b", "/m:x?a=%zz&&monkey=1&b", []),
        ("/m:x?", "/m:x?", []),
        ("/m:x?KEY=k1&Api_Key=k2&api-key=k3&apikey=k4&ACCESS_TOKEN=k5", "/m:x", ["k1", "k2", "k3", "k4", "k5"]),
        ("/m:x?key[]=k1&key[0]=k2&key%5B%5D=k3&%20key=k4&alt=sse", "/m:x?alt=sse", ["k1", "k2", "k3", "k4"]),
        ("/m:x?alt=sse;key=k1", "/m:x?alt=sse", ["k1"]),
        ("/m:x?key=k1;alt=sse", "/m:x?alt=sse", ["k1", "k1;alt=sse"]),
        ("/m:x?a=b;key=k1;c=d&e=f;g", "/m:x?a=b;c=d&e=f;g", ["k1", "k1;c=d"]),
        ("/m:x?key=k1;k2&a=b", "/m:x?a=b", ["k1", "k1;k2"]),
        ("/m:x?a=b&token=k1&subscription-key=k2&x-goog-api-key=k3&$key=k4", "/m:x?a=b", ["k1", "k2", "k3", "k4"]),
        ("/m:x;key=k1?a=b", "/m:x?a=b", ["k1"]),
        ("/v1/models;a=b;KEY=k1/m;access_token=k2", "/v1/models;a=b/m", ["k1", "k2"]),
        (
            "/m:x?pageToken=1&page_token=2&keyword=3&keys=4&tokens=5",
            "/m:x?pageToken=1&page_token=2&keyword=3&keys=4&tokens=5",
            [],
        ),
        ("/m:x?a=key=k1&passwords=1&keyfield[]=2", "/m:x?a=key=k1&passwords=1&keyfield[]=2", []),
        ("/m:x?a=%3D;;b;&token", "/m:x?a=%3D;;b;&token", []),
        ("/key=k1", "/key=k1", []),
        ("/m:x?a=1?key=2", "/m:x?a=1?key=2", []),
        ("/m:x?key", "/m:x?key", []),
    ],
)
def test_a_key_in_the_query_is_taken_out_and_the_rest_stays(target, rest, keys):
    """What is not a credential reaches the provider byte for byte."""
    assert strip_credentials([], target)[:3] == ([], rest, tuple(sha(key) for key in keys))


@pytest.mark.parametrize(
    "name",
    [
        *("key", "$key", "apiKey", "api_key", "x-api-key", "x-goog-api-key", "token", "auth_token", "authorization"),
        *("access_token", "oauth_token", "bearer_token", "bearerToken", "subscription-key"),
        *("ocp-apim-subscription-key", "Ocp-Apim-Subscription-Key", "client_secret", "secret", "password"),
    ],
)
def test_each_name_of_a_credential_is_known(name):
    """In a query and in the path's own parameters: none is passed on to a provider."""
    for target, rest in ((f"/m:x?{name}=k1&a=b", "/m:x?a=b"), (f"/m:x;{name}=k1?a=b", "/m:x?a=b")):
        assert strip_credentials([], target)[1:3] == (rest, (sha("k1"),))


queries = st.lists(st.tuples(st.sampled_from(["alt", "k", "keys", "a%20b", ""]), st.text("ab=%?/+", max_size=4)))


@given(queries, queries, st.text(min_size=1, max_size=12).filter(lambda key: key.isprintable()))
def test_no_query_hides_a_key(before, after, key):
    """Wherever it stands, it is found, and everything else stays as it was."""
    others = [f"{name}={value}" for name, value in before], [f"{name}={value}" for name, value in after]
    query = "&".join([*others[0], f"key={quote(key, safe='')}", *others[1]])
    rest = "&".join(others[0] + others[1])
    expected = f"/p?{rest}" if before or after else "/p"
    assert strip_credentials([], f"/p?{query}") == ([], expected, (sha(key),), ("key",))


@given(st.text(max_size=30))
def test_no_target_is_too_strange(target):
    """A client's nonsense is answered by the core; it never ends in a traceback here."""
    assert strip_credentials([], target)[0] == []
    headers, kept, digests, names = strip_credentials([], f"/?key={target}&%{target}={target}")
    assert headers == []
    assert not kept.startswith("/?key=")
    assert all(len(digest) == 64 for digest in digests)
    assert names[0] == "key"


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("/m:x?key=k1&alt=sse", ("key",)),
        ("/m:x?%6bey=k1", ("key",)),
        ("/m:x?KEY[]=k1;k2&Api-Key=", ("key", "apikey")),
        ("/m:x;access_token=k1", ("accesstoken",)),
        ("/m:x?keyword=k1", ()),
    ],
)
def test_it_is_told_where_keys_stood_but_not_as_the_client_wrote_it(target, names):
    """Whose API's client it is may show there alone. The names are of a fixed list: a secret cannot be among them."""
    assert strip_credentials([], target).names == names


def test_the_vault_gives_a_credential_to_its_own_origin_only():
    """A stored key is never sent to a host that somebody else named."""
    vault = Vault()
    vault.add("a", HOME, secret=SECRET, header=b"authorization", prefix=b"Bearer ")
    assert vault.authorize("a", HOME) == ((b"authorization", b"Bearer " + SECRET.encode()),)
    for account, origin in [
        ("a", Origin("http", HOME.host, 443)),
        ("a", Origin("https", "evil.example", 443)),
        ("a", Origin("https", HOME.host, 8443)),
        ("b", HOME),
    ]:
        with pytest.raises(WrongOriginError) as caught:
            vault.authorize(account, origin)
        assert SECRET not in str(caught.value)


def test_an_account_without_a_key_sends_none():
    """A model server of one's own is called without a credential."""
    vault = Vault()
    vault.add("local", HOME, secret="", header=b"authorization", prefix=b"Bearer ")
    assert vault.authorize("local", HOME) == ()


def test_the_vault_does_not_show_what_it_holds():
    """It may stand in a traceback or in a debugger's log."""
    vault = Vault()
    vault.add("a", HOME, secret=SECRET, header=b"x-api-key")
    assert SECRET not in repr(vault)
    assert SECRET not in repr(vars(vault))


def test_generated_keys_differ_and_fit_every_header():
    """A key that Gephyr makes can be used with every SDK."""
    keys = {generate_key() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert key.startswith("gph-")
        assert len(key) >= 43
        assert strip_credentials([(b"x-api-key", key.encode())], "/")[2] == (digest(key.encode()),)


# -- access tokens ----------------------------------------------------------------------------------------


def bearer(vault: Vault, account: str = "a", origin: Origin = HOME) -> bytes:
    ((name, value),) = vault.authorize(account, origin)
    assert name == b"authorization"
    return value


def test_an_account_that_signs_in_is_authorized_by_its_newest_token():
    """Before the first one it is not authorized at all; elsewhere it never is."""
    vault = Vault()
    vault.await_token("a", HOME)
    with pytest.raises(NoTokenError, match="account 'a' has no access token"):
        vault.authorize("a", HOME)
    for token in ("at-1", "at-2"):
        vault.replace("a", token)
        assert bearer(vault) == b"Bearer " + token.encode()
    with pytest.raises(WrongOriginError):
        vault.authorize("a", AWAY)
    vault.withdraw("a")
    with pytest.raises(NoTokenError):
        vault.authorize("a", HOME)
    assert "at-" not in repr(vault) + repr(vars(vault))


def test_old_tokens_are_taken_out_of_texts_too():
    """A call that was made before the refresh fails after it, and its provider repeats the token."""
    vault = Vault()
    vault.await_token("a", HOME)
    for number in range(10):
        vault.replace("a", f"at-MARKED-{number}")
    assert vault.redact("a", "at-MARKED-9 at-MARKED-8!") == "[redacted] [redacted]!"
    vault.withdraw("a")
    assert vault.redact("a", "at-MARKED-9") == "[redacted]"


def test_a_key_is_not_replaced_by_a_token():
    """Nor does an account come back that is gone."""
    vault = Vault()
    vault.add("k", HOME, secret=SECRET, header=b"x-api-key")
    for account in ("k", "gone"):
        vault.replace(account, "at")
        vault.withdraw(account)
    assert vault.authorize("k", HOME) == ((b"x-api-key", SECRET.encode()),)
    with pytest.raises(WrongOriginError):
        vault.authorize("gone", HOME)


def test_a_new_configuration_leaves_the_tokens_where_they_are():
    """Everything else is as it says."""
    vault, newer = Vault(), Vault()
    for account in ("a", "b", "c"):
        vault.await_token(account, HOME)
        vault.replace(account, f"at-{account}")
    newer.await_token("a", HOME)
    newer.await_token("b", AWAY)
    newer.await_token("new", HOME)
    newer.add("k", HOME, secret=SECRET, header=b"x-api-key")
    vault.update(newer)
    assert bearer(vault) == b"Bearer at-a"
    assert bearer(vault, "b", AWAY) == b"Bearer at-b"
    assert vault.authorize("k", HOME)
    with pytest.raises(NoTokenError):
        vault.authorize("new", HOME)
    with pytest.raises(WrongOriginError):
        vault.authorize("c", HOME)
