"""Google's service accounts: a signed statement in place of a refresh token (RFC 7523, "JWT bearer" grant).

The key file and the statement are those of Google's "Using OAuth 2.0 for Server to Server Applications".
"""

import base64
import re
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import attrs
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gephyr.runtime.credentials import digest
from gephyr.runtime.tokens.grants import TokenRequest

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE = 3600
"""Seconds; the longest that Google allows."""
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z0-9-]+")


class KeyFileError(ValueError):
    """The text is no service account's key; the message does not quote it."""


@attrs.frozen(kw_only=True)
class ServiceAccountGrant:
    """A service account's key."""

    client_email: str
    private_key: RSAPrivateKey = attrs.field(repr=False, eq=False)
    private_key_id: str = attrs.field(repr=False)
    """Names the key to Google; empty where the file does not say."""
    token_url: str
    project: str
    credential_digest: str
    """Of the whole key file."""

    refresh_token = ""
    is_used_up = False
    starts_alone = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key file's content. Raises :class:`KeyFileError`."""
        try:
            fields = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            raise KeyFileError("expected the JSON of a Google service account's key") from None
        if not isinstance(fields, dict):
            raise KeyFileError("expected the JSON of a Google service account's key")
        if fields.get("type", "service_account") != "service_account":
            raise KeyFileError("expected a service account's key; 'type' says that it is another kind of credential")
        token_url, project = _text(fields, "token_uri"), _text(fields, "project_id")
        if urlsplit(token_url).scheme not in {"https", "http"} or not _has_host(token_url):
            raise KeyFileError("'token_uri' is not an http(s) URL")
        if not _PROJECT.fullmatch(project):
            raise KeyFileError("'project_id' is not a project's id")
        key_id = fields.get("private_key_id", "")
        return cls(
            client_email=_text(fields, "client_email"),
            private_key=_private_key(_text(fields, "private_key")),
            private_key_id=key_id if isinstance(key_id, str) else "",
            token_url=token_url,
            project=project,
            credential_digest=digest(text.encode()),
        )

    @property
    def lineage(self) -> str:
        """Digest of the key file: a token of another key is not used."""
        return self.credential_digest

    def requests(self, refresh_token: str, now: float) -> Sequence[TokenRequest]:  # noqa: ARG002
        """Return the request that sends a statement, signed now."""
        assertion = self.assertion(now)
        form = (("grant_type", JWT_BEARER), ("assertion", assertion))
        return (TokenRequest(self.token_url, form, secrets=(assertion, *assertion.split("."))),)

    def assertion(self, now: float) -> str:
        """Return the statement (a JWT, RFC 7519, signed by RS256) that this account asks for access to Google Cloud."""
        head: dict[str, object] = {"alg": "RS256", "typ": "JWT"}
        if self.private_key_id:
            head["kid"] = self.private_key_id
        claims = {
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_url,
            "iat": int(now),
            "exp": int(now) + _LIFE,
        }
        signed = f"{_base64url(msgspec.json.encode(head))}.{_base64url(msgspec.json.encode(claims))}"
        return f"{signed}.{_base64url(self.private_key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _text(fields: dict[Any, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise KeyFileError(f"{name!r} is missing")
    return value


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and re.fullmatch(r"[\x21-\x7e]+", url) is not None
    except ValueError:
        return False


def _private_key(pem: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        raise KeyFileError("'private_key' is not an unencrypted private key in PEM form") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyFileError("'private_key' is not an RSA key")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
