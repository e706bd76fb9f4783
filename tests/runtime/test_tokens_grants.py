"""What is asked of a token endpoint, and how its answers are understood."""

import base64
import contextlib
from urllib.parse import parse_qs

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.tokens.grants import LONGEST_LIFE, GrantError, RefreshGrant, TokenAnswer, TokenRequest, read_answer

NOW = 1_700_000_000.0
SECRET, REFRESH = "cs-MARKED/secret", "rt-MARKED+token"
GRANT = RefreshGrant(
    token_url="https://auth.example/token", client_id="client", client_secret=SECRET, refresh_token=REFRESH
)


def answer(fields: object, status: int = 200, headers: tuple = (), request: TokenRequest | None = None) -> TokenAnswer:
    request = request or GRANT.requests(REFRESH, NOW)[0]
    return read_answer(status, headers, msgspec.json.encode(fields), request, NOW)


def refused(fields: object, status: int = 400, headers: tuple = ()) -> GrantError:
    with pytest.raises(GrantError) as caught:
        answer(fields, status, headers)
    return caught.value


def test_a_refresh_names_the_client_and_its_secret_in_the_body():
    """As Google and Microsoft want it."""
    request = GRANT.requests(REFRESH, NOW)[0]
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "grant_type": ["refresh_token"],
        "refresh_token": [REFRESH],
        "client_id": ["client"],
        "client_secret": [SECRET],
    }
    assert request.headers == ()


def test_a_server_that_knows_basic_only_is_asked_so_in_the_second_place():
    """Name and secret are form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    request = GRANT.requests(REFRESH, NOW)[1]
    assert parse_qs(request.body.decode()) == {"grant_type": ["refresh_token"], "refresh_token": [REFRESH]}
    ((name, value),) = request.headers
    assert name == b"authorization"
    assert base64.b64decode(value.removeprefix(b"Basic ")) == b"client:cs-MARKED%2Fsecret"


def test_a_public_client_and_scopes():
    """No secret is no parameter; scopes are joined by spaces."""
    grant = attrs.evolve(GRANT, client_secret="", scopes=("a", "b"))
    (request,) = grant.requests(REFRESH, NOW)
    fields = parse_qs(request.body.decode())
    assert "client_secret" not in fields
    assert fields["scope"] == ["a b"]


def test_without_a_refresh_token_there_is_nothing_to_ask():
    assert attrs.evolve(GRANT, refresh_token="").requests("", NOW) == ()


@pytest.mark.parametrize(
    ("more", "life", "refresh_token"),
    [
        ({}, 3600.0, ""),
        ({"expires_in": 1800}, 1800.0, ""),
        ({"expires_in": "599"}, 599.0, ""),
        ({"expires_in": 0}, 3600.0, ""),
        ({"expires_in": True}, 3600.0, ""),
        ({"expires_in": "soon"}, 3600.0, ""),
        ({"expires_in": 1e18}, LONGEST_LIFE, ""),
        ({"refresh_token": "rt2", "token_type": "bearer", "scope": "x"}, 3600.0, "rt2"),
        ({"refresh_token": None, "token_type": "Bearer"}, 3600.0, ""),
    ],
)
def test_a_token_is_read(more, life, refresh_token):
    assert answer({"access_token": "at", **more}) == TokenAnswer("at", refresh_token, life)


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {},
        {"access_token": ""},
        {"access_token": 5},
        {"access_token": "two words"},
        {"access_token": "line\nend"},
        {"access_token": "at", "refresh_token": 5},
        {"access_token": "at", "token_type": "mac"},
    ],
)
def test_an_answer_without_a_usable_token_may_be_better_next_time(fields):
    error = refused(fields, 200)
    assert (error.code, error.permanent) == ("bad_answer", False)


@pytest.mark.parametrize(
    ("status", "fields", "code", "permanent"),
    [
        (400, {"error": "invalid_grant"}, "invalid_grant", True),
        (401, {"error": "invalid_client"}, "invalid_client", True),
        (400, {"error": "unauthorized_client"}, "unauthorized_client", True),
        (400, {"error": "unsupported_grant_type"}, "unsupported_grant_type", True),
        (400, {"error": "invalid_scope"}, "invalid_scope", True),
        (400, {"error": "invalid_request"}, "invalid_request", False),
        (200, {"error": "invalid_grant"}, "invalid_grant", True),
        (429, {"error": "invalid_grant"}, "invalid_grant", False),
        (503, {"error": "temporarily_unavailable"}, "temporarily_unavailable", False),
        (403, {"error": {"status": "PERMISSION_DENIED", "message": "no"}}, "PERMISSION_DENIED", False),
        (400, {"error": 5}, "http_400", False),
        (400, {"error": "no code at all"}, "http_400", False),
        (302, {}, "http_302", False),
        (500, "?", "http_500", False),
    ],
)
def test_errors_are_told_by_their_code(status, fields, code, permanent):
    """RFC 6749 section 5.2; a busy server's word is not final, whatever it says."""
    error = refused(fields, status)
    assert (error.code, error.permanent) == (code, permanent)


def test_a_busy_server_says_when_to_come_back():
    assert refused({}, 429, ((b"retry-after", b"7"),)).wait == 7.0
    assert refused({}, 503).wait is None


def test_what_the_endpoint_explains_reaches_the_operator_on_one_line():
    error = refused({"error": "invalid_grant", "error_description": "AADSTS70008:\r\n  expired\x00."})
    assert error.detail == "status 400: AADSTS70008: expired ."
    assert len(refused({"error": "e", "error_description": "x" * 5000}).detail) < 400


@pytest.mark.parametrize("secret", [SECRET, REFRESH, "cs-MARKED%2Fsecret"])
def test_an_endpoint_that_repeats_a_secret_is_not_quoted(secret):
    """Neither in its description nor as its code."""
    for fields in ({"error": "invalid_grant", "error_description": f"bad {secret}!"}, {"error": secret}):
        error = refused(fields)
        assert "MARKED" not in str(error) + repr(error) + error.code + error.detail


@given(st.integers(200, 599), st.binary(max_size=200))
def test_whatever_an_endpoint_says_is_a_token_or_an_error(status, body):
    with contextlib.suppress(GrantError):
        assert read_answer(status, [], body, GRANT.requests(REFRESH, NOW)[0], NOW).access_token


def test_nothing_shows_the_secrets_of_a_grant():
    request = GRANT.requests(REFRESH, NOW)[1]
    assert "MARKED" not in repr((GRANT, request, TokenAnswer("at-MARKED", "rt-MARKED", 1.0)))


def test_a_new_client_secret_keeps_the_tokens_and_a_new_refresh_token_does_not():
    """Decision 15: a kept token counts unless the configured one it descends from has changed."""
    other_secret, other_token = attrs.evolve(GRANT, client_secret="x"), attrs.evolve(GRANT, refresh_token="x")
    assert GRANT.lineage == other_secret.lineage != other_token.lineage
    assert len({grant.credential_digest for grant in (GRANT, other_secret, other_token)}) == 3


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"access_token":"\xff"}', b"[" * 100_000])
def test_an_answer_that_is_no_json_is_no_token(body: bytes) -> None:
    """A proxy's page, half an answer, bytes of another encoding, a nesting without an end: all are tried again."""
    with pytest.raises(GrantError) as caught:
        read_answer(200, (), body, GRANT.requests(REFRESH, NOW)[0], NOW)
    assert (caught.value.code, caught.value.permanent) == ("bad_answer", False)


@pytest.mark.parametrize(("status", "is_token"), [(199, False), (200, True), (299, True), (300, False)])
def test_a_token_comes_with_a_status_of_success_only(status: int, is_token: bool) -> None:
    fields = {"access_token": "at"}
    if is_token:
        assert answer(fields, status).access_token == "at"
    else:
        assert refused(fields, status).code == f"http_{status}"
