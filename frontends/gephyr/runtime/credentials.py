"""Credentials: the vault that holds the operator's, and the function that takes a client's out of a request.

No other module puts a credential on the wire, and none reads one from it.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import attrs

from gephyr.runtime.redaction import Redaction
from gephyr_core.http import Header, Headers, Origin

_AUTHORIZATION = b"authorization"
_SOCKET_PROTOCOL = b"sec-websocket-protocol"
_KEY_IN_PROTOCOL = b"openai-insecure-api-key."
"""How a page gives OpenAI's Realtime API its key: a page cannot set headers of a WebSocket."""
_CLIENT_KEYS = frozenset(
    {
        b"x-api-key",  # Anthropic, and much else
        b"x-goog-api-key",  # Google
        b"api-key",  # Azure OpenAI
        b"ocp-apim-subscription-key",  # Azure API Management
        *(b"x-openai-api-key", b"x-anthropic-api-key", b"x-litellm-api-key", b"x-portkey-api-key"),
        *(b"x-api-token", b"x-access-token", b"x-auth-token", b"x-amz-security-token"),
    }
)
_NAMES = {name: name.decode("ascii") for name in (*_CLIENT_KEYS, _AUTHORIZATION, _SOCKET_PROTOCOL)}
_CREDENTIALS = _CLIENT_KEYS | {_AUTHORIZATION, b"proxy-authorization"}

_PARAMETERS = frozenset(
    {
        *("key", "$key", "apikey", "xapikey", "xgoogapikey"),  # Google's APIs (key), and the headers' names
        *("accesstoken", "oauthtoken", "bearertoken"),  # RFC 6750 section 2.3; Google's APIs
        *("token", "authtoken", "authorization"),
        *("subscriptionkey", "ocpapimsubscriptionkey"),  # Azure API Management
        *("clientsecret", "secret", "password"),
    }
)
"""Parameters that are credentials, without case, hyphens, underscores and brackets. Names that only contain one of
these words (``pageToken``, ``keyword``) are none."""
_SUSPICIOUS = re.compile(r"key|token|auth|secret|pass|%", re.IGNORECASE)
"""What every such name has in it, or an escape that may hide it."""
_LEFT_OUT = re.compile(rb"[\0- _\x7f-]|\[.*", re.DOTALL)

_REMEMBERED = 4
"""Access tokens of an account that are still taken out of texts: calls that were made with an older one may be under
way."""


class CredentialError(Exception):
    """No credential can be put on the wire; the message names the account."""


class WrongOriginError(CredentialError):
    """A credential was asked for to be sent to a host that is not its account's."""


class NoTokenError(CredentialError):
    """The account signs in by OAuth, and has no access token yet."""


@attrs.frozen
class _Entry:
    origin: Origin
    headers: tuple[Header, ...] | None = attrs.field(repr=False)
    """None: an access token is awaited."""
    secrets: tuple[str, ...] = attrs.field(repr=False)
    """What must not show in texts, the newest first."""
    by_token: bool = False
    """The credential is an access token, which changes."""


class Vault:
    """The credentials of the operator's accounts, each bound to the one origin it may be sent to."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def __repr__(self) -> str:
        return f"<Vault of {len(self._entries)} accounts>"

    def add(self, account: str, origin: Origin, *, secret: str, header: bytes, prefix: bytes = b"") -> None:
        """Keep *secret* for *account*; it goes on the wire as *header*, after *prefix*.

        An empty secret is that of an endpoint that wants none.
        """
        headers = ((header, prefix + secret.encode("ascii")),) if secret else ()
        self._entries[account] = _Entry(origin, headers, (secret,) if secret else ())

    def await_token(self, account: str, origin: Origin) -> None:
        """Note that *account* is authorized by the access tokens that :meth:`replace` brings."""
        self._entries[account] = _Entry(origin, None, (), by_token=True)

    def replace(self, account: str, token: str) -> None:
        """Authorize *account* by a new access token (RFC 6750 section 2.1). One that is gone stays so."""
        entry = self._entries.get(account)
        if entry is not None and entry.by_token:
            older = tuple(secret for secret in entry.secrets if secret != token)
            headers = ((_AUTHORIZATION, b"Bearer " + token.encode("ascii")),)
            self._entries[account] = attrs.evolve(entry, headers=headers, secrets=(token, *older)[:_REMEMBERED])

    def withdraw(self, account: str) -> None:
        """Use the account's access token no more."""
        entry = self._entries.get(account)
        if entry is not None and entry.by_token:
            self._entries[account] = attrs.evolve(entry, headers=None)

    def update(self, other: "Vault") -> None:
        """Hold what *other* holds, which was made of a newer configuration; accounts keep their access tokens."""
        present = self._entries
        self._entries = dict(other._entries)
        for account, entry in self._entries.items():
            known = present.get(account)
            if entry.by_token and known is not None and known.by_token and entry.headers is None:
                self._entries[account] = attrs.evolve(known, origin=entry.origin)

    def authorize(self, account: str, origin: Origin) -> tuple[Header, ...]:
        """Return the headers that authorize a call of *account* at *origin*.

        Raises :class:`WrongOriginError` unless *origin* is the account's own: a stored credential is never
        sent to a host that someone else named. Raises :class:`NoTokenError` where the account has yet to sign in.
        """
        entry = self._entries.get(account)
        if entry is None or entry.origin != origin:
            raise WrongOriginError(f"account {account!r} has no credential for {origin}")
        if entry.headers is None:
            raise NoTokenError(f"account {account!r} has no access token")
        return entry.headers

    def redact(self, account: str, text: str) -> str:
        """Return *text* without the credentials of *account*, those that were replaced of late included: there are
        providers that repeat a key they refuse."""
        entry = self._entries.get(account)
        return text if entry is None else Redaction(entry.secrets).text(text)


def digest(secret: bytes) -> str:
    """Return the SHA-256 hex digest by which the core knows a client's key."""
    return hashlib.sha256(secret).hexdigest()


def generate_key() -> str:
    """Make a new client key: 256 random bits, recognisable by its prefix."""
    return "gph-" + secrets.token_urlsafe(32)


class Stripped(NamedTuple):
    """A request's head without its credentials."""

    headers: Headers
    target: str
    digests: tuple[str, ...]
    """Of the client keys that were presented: those of the headers in order, then those of the target."""
    names: tuple[str, ...]
    """Of the headers and parameters that are for keys, as they are listed above; one may have been empty."""


def strip_credentials(headers: Headers, target: str) -> Stripped:
    """Take a client's credentials out of a request's head.

    *headers* have lower-case names, *target* is path and query.
    Keys are read from ``Authorization`` (of the Bearer scheme; another scheme's whole value counts as a key), from
    ``x-api-key`` and its like, from a WebSocket's protocols, and from parameters of the query (``key=``, ``KEY=``,
    ``key[]=``, ``api_key=``, ``access_token=``; between ``&`` or ``;``) and of the path (``;key=``).
    ``Proxy-Authorization`` is taken out and presents no key: it was meant for a proxy (RFC 9110 section 11.7.2).
    """
    names: list[str] = []
    digests: list[str] = []
    kept = [header for header in headers if header[0] not in _CREDENTIALS]
    if len(kept) != len(headers):
        for name, value in headers:
            if name == _AUTHORIZATION:
                value = _bearer_token(value)  # noqa: PLW2901
            elif name not in _CLIENT_KEYS:
                continue
            names.append(_NAMES[name])
            if value:
                digests.append(digest(value))
    if any(name == _SOCKET_PROTOCOL for name, _ in kept):
        kept = list(_without_protocol_keys(kept, names, digests))
    path, question, query = target.partition("?")
    if ";" in path:
        path = _without_credentials(path, "/", names, digests)
    if question and _SUSPICIOUS.search(query):
        query = _without_credentials(query, "&", names, digests)
        question = "?" if query else ""
    return Stripped(kept, f"{path}{question}{query}", tuple(digests), tuple(names))


def _bearer_token(value: bytes) -> bytes:
    """Return the token of a Bearer credential; the scheme's case does not matter (RFC 9110 section 11.1)."""
    if value[:7].lower() == b"bearer ":
        return value[7:].strip()
    return b"" if value.lower() == b"bearer" else value


def _without_protocol_keys(headers: list[Header], names: list[str], digests: list[str]) -> Iterator[Header]:
    for name, value in headers:
        protocols = [one.strip() for one in value.split(b",")] if name == _SOCKET_PROTOCOL else []
        keys = [one for one in protocols if one.lower().startswith(_KEY_IN_PROTOCOL)]
        if keys:
            names.append(_NAMES[_SOCKET_PROTOCOL])
        digests += [digest(key[len(_KEY_IN_PROTOCOL) :]) for key in keys if len(key) > len(_KEY_IN_PROTOCOL)]
        yield (name, b", ".join(one for one in protocols if one not in keys)) if keys else (name, value)


def _without_credentials(text: str, separator: str, names: list[str], digests: list[str]) -> str:
    """Take the credentials among the parameters out of a path or a query; the rest stays as it was sent.

    Parameters stand between *separator* and ``;``. In a path, only what follows a ``;`` is one.
    """
    kept: list[str] = []
    for part in text.split(separator):
        pieces = part.split(";")
        rest: list[str] = []
        taken = False
        for index, piece in enumerate(pieces):
            name, equals, value = piece.partition("=")
            known = _plain_name(name) if equals and (index or separator == "&") else ""
            if known in _PARAMETERS:
                taken = True
                values = [value, ";".join([value, *pieces[index + 1 :]])]  # a ";" may be part of it
                names.append(known)
                digests += [digest(_decoded(one)) for one in dict.fromkeys(values) if one]
            elif equals or not taken:
                rest.append(piece)
        if rest or not taken:
            kept.append(";".join(rest))
    return separator.join(kept)


def _plain_name(name: str) -> str:
    """Return a parameter's name as ``_PARAMETERS`` has it."""
    return _LEFT_OUT.sub(b"", _decoded(name)).lower().decode("latin-1")


def _decoded(text: str) -> bytes:
    # A target is bytes in disguise: a front end may hand on what is no valid text as lone surrogates.
    return unquote_to_bytes(text.encode("utf-8", "surrogatepass"))
