"""Service accounts: key files are read with care, and the statement made of one is what Google checks."""

import base64
from urllib.parse import parse_qs

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from gephyr.runtime.tokens.google import JWT_BEARER, SCOPE, KeyFileError, ServiceAccountGrant
from tests.runtime.service_account_key import key_file, pem_of, rsa_key

NOW = 1_700_000_000.75


def sealed_pem() -> str:
    """A key that wants a password."""
    return rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"MARKED")).decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_statement_is_a_jwt_that_the_public_key_verifies():
    """RFC 7523 section 3, with the claims that Google documents."""
    grant = ServiceAccountGrant.parse(key_file())
    head, claims, signature = grant.assertion(NOW).split(".")
    assert msgspec.json.decode(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    assert msgspec.json.decode(decoded(claims)) == {
        "iss": "robot@acme-prod.iam.gserviceaccount.com",
        "scope": SCOPE,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    rsa_key().public_key().verify(decoded(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())


def test_the_request_sends_the_statement_and_nothing_else():
    grant = ServiceAccountGrant.parse(key_file())
    (request,) = grant.requests("", NOW)
    assert request.url == "https://oauth2.googleapis.com/token"
    assert parse_qs(request.body.decode()) == {"grant_type": [JWT_BEARER], "assertion": [grant.assertion(NOW)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the JSON of a Google service account's key"),
        ("[]", "expected the JSON of a Google service account's key"),
        ("[" * 5000, "expected the JSON of a Google service account's key"),
        ("\ud800", "expected the JSON of a Google service account's key"),
        (key_file(type="authorized_user"), "another kind of credential"),
        (key_file(client_email=None), "'client_email' is missing"),
        (key_file(private_key=""), "'private_key' is missing"),
        (key_file(token_uri=5), "'token_uri' is missing"),
        (key_file(project_id=None), "'project_id' is missing"),
        (key_file(project_id="a/b"), "'project_id' is not a project's id"),
        (key_file(token_uri="ftp://h"), "'token_uri' is not an http(s) URL"),
        (key_file(token_uri="https://"), "'token_uri' is not an http(s) URL"),
        (key_file(token_uri="https://h:port"), "'token_uri' is not an http(s) URL"),
        (key_file(private_key="MARKED"), "'private_key' is not an unencrypted private key in PEM form"),
        (key_file(private_key=sealed_pem()), "'private_key' is not an unencrypted private key in PEM form"),
        (key_file(private_key=pem_of(ec.generate_private_key(ec.SECP256R1()))), "'private_key' is not an RSA key"),
    ],
)
def test_what_is_no_key_file_is_refused_with_the_reason(text, message):
    """And without a word of what stands in it."""
    with pytest.raises(KeyFileError) as caught:
        ServiceAccountGrant.parse(text)
    assert message in str(caught.value)
    assert "MARKED" not in str(caught.value)


def test_a_key_does_not_show_itself():
    shown = repr(ServiceAccountGrant.parse(key_file()))
    assert "PRIVATE" not in shown
    assert "kid-1" not in shown
    assert "RSA" not in shown


def test_another_key_is_another_lineage():
    """A token that a replaced key got is not used any more."""
    first, second = (ServiceAccountGrant.parse(key_file(private_key_id=kid)) for kid in ("a", "b"))
    assert first.lineage != second.lineage
    assert first.credential_digest != second.credential_digest
