"""What an account gives a token endpoint for an access token (RFC 6749 section 6), and what its answers mean.

No text made here holds a secret: what an endpoint writes into its errors is cleaned of those it was sent.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import quote_plus, urlencode

import attrs
import msgspec

from gephyr.runtime.credentials import digest
from gephyr.runtime.redaction import Redaction
from gephyr_core.dates import retry_after
from gephyr_core.http import Header, Headers

PERMANENT = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)
"""The errors (RFC 6749 section 5.2) that asking again does not mend."""
USUAL_LIFE = 3600.0
"""Seconds that an access token is taken to live where the endpoint does not say."""
LONGEST_LIFE = 31 * 86400.0
"""Seconds; no endpoint, and no clock that was wrong when a token was kept, is believed beyond it."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_DESCRIPTION = 300


class GrantError(Exception):
    """A token endpoint gave no token."""

    def __init__(self, code: str, detail: str, *, permanent: bool = False, wait: float | None = None) -> None:
        """*wait*: seconds, as the endpoint stated them."""
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        """The endpoint's ``error``, else ``http_STATUS``, or what else went wrong."""
        self.detail = detail
        """One line, no secret."""
        self.permanent = permanent
        """Only the operator can mend it."""
        self.wait = wait


@attrs.frozen
class TokenRequest:
    """A request to a token endpoint: a form, by POST."""

    url: str
    form: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    headers: tuple[Header, ...] = attrs.field(default=(), repr=False)
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """What must not show in any text made of the answer."""

    @property
    def body(self) -> bytes:
        """The form, encoded."""
        return urlencode(self.form).encode()


@attrs.frozen
class TokenAnswer:
    """What a token endpoint gave (RFC 6749 section 5.1)."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    """Empty where the endpoint keeps the old one valid."""
    expires_in: float
    """Seconds from the receipt."""


class Grant(Protocol):
    """A configured way to get access tokens."""

    @property
    def token_url(self) -> str:
        """The token endpoint."""

    @property
    def lineage(self) -> str:
        """Digest of what tokens descend from: kept tokens of another lineage are the operator's old ones."""

    @property
    def credential_digest(self) -> str:
        """Digest of the whole credential: when it changes, what was found wrong with it is void."""

    @property
    def refresh_token(self) -> str:
        """The configured refresh token; empty where there is none."""

    @property
    def is_used_up(self) -> bool:
        """Whether a refresh may void the refresh token, so that an answer that gets lost is an account lost."""

    @property
    def starts_alone(self) -> bool:
        """Whether it gets a first token without a person's help."""

    def requests(self, refresh_token: str, now: float) -> Sequence[TokenRequest]:
        """Return the request for a new token, and the forms to try after it if the client is not recognised.

        Empty where there is no way to get a token without a person's help.
        """


@attrs.frozen(kw_only=True)
class RefreshGrant:
    """An OAuth client and, once somebody has signed in, a refresh token."""

    token_url: str
    client_id: str
    client_secret: str = attrs.field(default="", repr=False)
    refresh_token: str = attrs.field(default="", repr=False)
    scopes: tuple[str, ...] = ()

    is_used_up = True

    @property
    def starts_alone(self) -> bool:
        """Whether there is a configured refresh token."""
        return bool(self.refresh_token)

    @property
    def lineage(self) -> str:
        """Digest of endpoint, client and configured refresh token. A new client secret does not void what was given."""
        return _digest_of(self.token_url, self.client_id, self.refresh_token)

    @property
    def credential_digest(self) -> str:
        """Digest of everything."""
        return _digest_of(self.token_url, self.client_id, self.client_secret, self.refresh_token, *self.scopes)

    def requests(self, refresh_token: str, now: float) -> Sequence[TokenRequest]:  # noqa: ARG002
        """Return the refresh (RFC 6749 section 6); none without a refresh token."""
        if not refresh_token:
            return ()
        form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
        if self.scopes:
            form.append(("scope", " ".join(self.scopes)))
        return self.identified(form, refresh_token)

    def identified(self, form: Sequence[tuple[str, str]], *secrets: str) -> Sequence[TokenRequest]:
        """Return requests that send *form* as this client: its secret in the body, then by HTTP Basic.

        Google, Microsoft and most others take it from the body; some servers know Basic only, the one way that RFC 6749
        section 2.3.1 demands. *secrets*: those in *form*.
        """
        named = (*form, ("client_id", self.client_id))
        if not self.client_secret:
            return (TokenRequest(self.token_url, named, secrets=secrets),)
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        basic = base64.b64encode(pair.encode()).decode()
        in_body = (*named, ("client_secret", self.client_secret))
        secrets = (*secrets, self.client_secret, basic)
        return (
            TokenRequest(self.token_url, in_body, secrets=secrets),
            TokenRequest(self.token_url, tuple(form), ((b"authorization", f"Basic {basic}".encode()),), secrets),
        )


def read_answer(status: int, headers: Headers, body: bytes, request: TokenRequest, now: float) -> TokenAnswer:
    """Read a token endpoint's answer to *request*. Raises :class:`GrantError`."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = None
    fields = value if isinstance(value, dict) else {}
    # There are servers that tell errors with status 200.
    if 200 <= status < 300 and "error" not in fields:
        return _read_token(fields)
    raise _read_error(status, headers, fields, request, now)


def cleaned(text: str, secrets: Sequence[str]) -> str:
    """Return *text* as one line of bounded length without any of *secrets*, as they are or in some encoding."""
    text = Redaction(secrets).text(text)
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _LONGEST_DESCRIPTION else line[: _LONGEST_DESCRIPTION - 3] + "..."


def _read_token(fields: Mapping[str, object]) -> TokenAnswer:
    access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token") or ""
    if not isinstance(access_token, str) or not _TOKEN.fullmatch(access_token) or not isinstance(refresh_token, str):
        raise GrantError("bad_answer", "the token endpoint's answer holds no access token that can be used")
    kind = fields.get("token_type") or "bearer"
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise GrantError("bad_answer", "the token endpoint gave a token that is not of the Bearer type")
    return TokenAnswer(access_token, refresh_token, _life(fields.get("expires_in")))


def _life(value: object) -> float:
    """Read ``expires_in``, which some servers write as a string."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return USUAL_LIFE
    return min(float(value), LONGEST_LIFE)


def _read_error(
    status: int, headers: Headers, fields: Mapping[str, object], request: TokenRequest, now: float
) -> GrantError:
    error = fields.get("error")
    if isinstance(error, dict):  # Google's other form
        code, description = error.get("status"), error.get("message")
    else:
        code, description = error, fields.get("error_description")
    detail = f"status {status}"
    if isinstance(description, str) and description:
        detail += f": {cleaned(description, request.secrets)}"
    if not isinstance(code, str) or not _CODE.fullmatch(code) or cleaned(code, request.secrets) != code:
        code = f"http_{status}"
    passes = status in {408, 429} or status >= 500
    return GrantError(code, detail, permanent=code in PERMANENT and not passes, wait=retry_after(headers, now))


def _digest_of(*parts: str) -> str:
    return digest(msgspec.json.encode(parts))
