"""Token endpoints, addresses and secrets: what odd ones mean, in tables that were read and approved."""

import itertools
from pathlib import Path
from typing import Any

import attrs
import pytest

from gephyr.runtime.secret_sources import SecretMover
from gephyr.runtime.tokens.grants import GrantError, RefreshGrant, TokenRequest, cleaned, read_answer
from gephyr.runtime.vetting import FetchError, Vetting, parse_url
from tests.approved import check_table

# -- token endpoints --------------------------------------------------------------------------------------------------

GRANTED = (
    *(b'{"access_token":"t"}', b'{"access_token":"t","expires_in":60,"refresh_token":"r","token_type":"bearer"}'),
    *(b'{"access_token":"t","token_type":"Bearer","expires_in":"60"}', b'{"access_token":"t","token_type":"mac"}'),
    *(
        b'{"access_token":"t","expires_in":%b}' % life
        for life in (b"0", b"-1", b"true", b'"x"', b"null", b"9e9", b"1.5", b'"1234567890123"')
    ),
    *(
        b'{"access_token":""}',
        b'{"access_token":"a b"}',
        b'{"access_token":7}',
        b'{"access_token":"t","refresh_token":7}',
        b"{}",
        b"[]",
        b"x",
        b"",
    ),
    *(
        b'{"error":"invalid_grant"}',
        b'{"error":"invalid_grant","error_description":"no \\u0007 secret-token"}',
        b'{"error":"weird code!"}',
    ),
    *(
        b'{"error":"slow_down"}',
        b'{"error":{"status":"UNAUTHENTICATED","message":"secret-token is bad"}}',
        b'{"error":7,"error_description":7}',
    ),
    *(
        b'{"error":"secret-token"}',
        b'{"error":"unauthorized_client"}',
        b'{"error":"invalid_client","error_description":""}',
    ),
)


def test_each_answer_of_a_token_endpoint_means_what_was_approved() -> None:
    asking, lines = TokenRequest("https://id.test", (), secrets=("secret-token",)), []
    for status, body in itertools.product((199, 200, 201, 299, 300, 302, 400, 401, 408, 429, 500), GRANTED):
        try:
            answer = read_answer(status, [(b"retry-after", b"7")], body, asking, 0.0)
            told = f"{answer.access_token!r} {answer.refresh_token!r} {answer.expires_in}"
        except GrantError as error:
            told = f"{error}; permanent {error.permanent}, wait {error.wait}"
        lines.append(f"{status} {body.decode()}: {told}")
    check_table("runtime-token-answers", lines)


def test_texts_of_an_endpoint_are_one_line_without_secrets() -> None:
    assert cleaned("a\nb\tc  d", ()) == "a b c d"
    assert cleaned("x" * 300, ()) == "x" * 300
    assert cleaned("x" * 301, ()) == "x" * 297 + "..."
    assert cleaned("is secret! and secret%21", ("secret!",)) == "is [redacted] and [redacted]"
    assert cleaned("is abcdef and abcde", ("abcdef",)) == "is [redacted] and abcde"
    assert cleaned("is abcde", ("abcde",)) == "is abcde", "what is so short is no secret"


@pytest.mark.parametrize("secret", ["", "s/1"])
@pytest.mark.parametrize("scopes", [(), ("a", "b")])
def test_a_refresh_is_asked_for_by_the_form_and_then_by_basic(secret: str, scopes: tuple[str, ...]) -> None:
    grant = RefreshGrant(
        token_url="https://id.test", client_id="me:1", client_secret=secret, refresh_token="r", scopes=scopes
    )
    assert grant.starts_alone
    assert grant.requests("", 0.0) == ()
    bodies = [(one.body, one.headers) for one in grant.requests("r2", 0.0)]
    form = b"grant_type=refresh_token&refresh_token=r2" + (b"&scope=a+b" if scopes else b"")
    first = form + b"&client_id=me%3A1" + (b"&client_secret=s%2F1" if secret else b"")
    basic = [(form, ((b"authorization", b"Basic bWUlM0ExOnMlMkYx"),))] if secret else []
    assert bodies == [(first, ()), *basic]
    assert all("r2" not in repr(one) and "s/1" not in repr(one) for one in grant.requests("r2", 0.0))


def test_what_tokens_descend_from_and_what_a_credential_is() -> None:
    """Another client secret does not void the tokens that were given; another refresh token, client or endpoint does."""
    grant = RefreshGrant(token_url="u", client_id="c", client_secret="s", refresh_token="r", scopes=("x",))
    for field, lineage in (
        ("client_secret", True),
        ("scopes", True),
        ("token_url", False),
        ("client_id", False),
        ("refresh_token", False),
    ):
        other = attrs.evolve(grant, **{field: ("y",) if field == "scopes" else "other"})
        assert (other.lineage == grant.lineage) is lineage
        assert other.credential_digest != grant.credential_digest
    assert attrs.evolve(grant).credential_digest == grant.credential_digest


# -- what may be fetched ----------------------------------------------------------------------------------------------

URLS = (
    *(
        "http://a.test",
        "https://a.test/x y",
        "https://a.test/x?y=z#f",
        "HTTP://A.TEST:80/%41",
        "https://a.test:8443/",
        "ftp://a.test/",
        "a.test",
    ),
    *(
        "http://",
        "http:///x",
        "http://a.test:x/",
        "http://a.test:99999/",
        "http://u:p@a.test/",
        "http://@a.test/",
        "http://[::1]/",
        "http://[::1%25eth0]/",
    ),
    *(
        "http://[fe80::1%eth0]/",
        "http://bücher.test/ü?ü",
        "http://a_b.test./",
        "http://-a.test/",
        "http://a..test/",
        "http://a.test/\\x",
        "http://a.test/\n",
    ),
    *(
        "http://1.2.3.4/",
        "http://0x7f.1/",
        "http://" + "a" * 64 + ".test/",
        "http://" + "a." * 126 + "a/",
        "http://" + "a." * 127 + "a/",
    ),
    *("http://a.test/" + "x" * (8192 - 14), "http://a.test/" + "x" * (8193 - 14)),
)


def test_each_address_is_taken_apart_as_was_approved() -> None:
    lines = []
    for url in URLS:
        try:
            told = str(parse_url(url))[:200]
        except FetchError as error:
            told = f"refused: {error}"
        lines.append(f"{url[:80]!r}: {told}")
    check_table("runtime-urls", lines)


def test_what_the_operator_allows_may_be_fetched_on_any_port_and_nothing_else_inside() -> None:
    vetting = Vetting(["10.1.0.0/16", "192.168.0.7", "Intern.test", "fd00::/8"])
    lines = []
    for host, port, addresses in itertools.product(
        ("a.test", "INTERN.test"),
        (80, 443, 8080),
        (
            ["10.1.2.3"],
            ["10.2.0.1"],
            ["192.168.0.7"],
            ["192.168.0.8"],
            ["1.1.1.1"],
            ["1.1.1.1", "10.2.0.1"],
            ["::ffff:10.1.2.3"],
            ["64:ff9b::a01:203"],
            ["fd00::1"],
            [],
        ),
    ):
        try:
            vetting.vet(host, port, addresses)
            told = "yes"
        except FetchError as error:
            told = str(error)
        lines.append(f"{host} {port} {addresses}: {told}")
    check_table("runtime-vetting", lines)


# -- secrets ----------------------------------------------------------------------------------------------------------


def settings() -> list[tuple[str, Any]]:
    """Values that a secret may be given as, and the names of them."""
    return [
        *(
            ("a literal", "sk-1"),
            ("a variable", "env:KEY"),
            ("no variable", "env:NONE"),
            ("a bad name", "env:A B"),
            ("empty", ""),
        ),
        *(
            ("a file", "file:key"),
            ("no file", "file:none"),
            ("an empty file", "file:empty"),
            ("a folder", "file:."),
            ("a space", "a b"),
        ),
        *(
            ("no ASCII", "é"),
            ("a number", 7),
            ("a proxy", "http://u:p@p.test:8080"),
            ("a pool's", "eu-1"),
            ("no URL", "ftp://x"),
        ),
    ]


def test_secrets_are_moved_out_of_a_configuration_as_was_approved(tmp_path: Path) -> None:
    """What stands in their place holds none of them."""
    (tmp_path / "key").write_text(" from-a-file \n")
    (tmp_path / "empty").write_text("\n")
    lines = []
    for name, value in settings():
        mover = SecretMover(
            tmp_path, {"KEY": " from-env ", "ABV_API_KEY": "sk-env", "WEB_PASSWORD": "env:KEY", "OTHER": "x"}
        )
        moved = mover.move(
            {
                "auth": {"api_keys": [value, "sk-2"], "web_password": value},
                "accounts": [
                    {
                        "id": "a",
                        "api_key": value,
                        "proxy": value,
                        "oauth": {"client_secret": value, "refresh_token": value},
                    },
                    {"api_key": value},
                    7,
                ],
                "outbound": {"upstream_proxy": value},
                "proxy_pool": {"proxies": [{"id": "p", "url": value}]},
                "server": {"port": 1},
            }
        )
        lines += [
            f"## {name}",
            f"settings: {moved}",
            f"literal: {mover.literal}",
            f"environment: {mover.move_environment()}",
        ]
        keys = {account: key for account, key in mover.account_keys.items() if key}
        lines += [f"keys: {keys}", f"routes: {sorted(mover.routes)}", *(f"problem: {one}" for one in mover.problems)]
        oauth = mover.oauth_secrets.get("a")
        lines.append(
            "" if oauth is None else f"oauth: {oauth.client_secret!r} {oauth.refresh_token!r}, shown as {oauth}"
        )
    check_table("runtime-secrets", [line.replace(str(tmp_path), "FOLDER") for line in lines])
