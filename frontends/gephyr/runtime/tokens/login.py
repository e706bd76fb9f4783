"""Signing in by a browser: the authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636), and a redirect to a
listener on this machine (RFC 8252 section 7.3).

The engine only: who uses it shows the URL to the operator, and keeps the token.
"""

import asyncio
import contextlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

import h11

from gephyr.runtime.store_tokens import StoredToken
from gephyr.runtime.tokens.grants import GrantError, RefreshGrant, cleaned, read_answer
from gephyr.runtime.tokens.refresher import Poster
from gephyr_core.outbound.route import DIRECT

REDIRECT = "http://127.0.0.1/callback"
"""Where the browser is sent back to; a free port is added."""
EXCHANGE_TIMEOUT = 30.0
"""Seconds that the token endpoint gets for its answer."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_CONNECTIONS = 16
_READ_TIMEOUT = 10.0
"""Seconds that a browser gets to send its request."""
_MOST_HEAD = 65536
_MOST_FIELDS = 32
"""Of the query that a browser comes back with."""
_GOOGLE = "accounts.google.com"
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Gephyr</title>"
    "<body style='font-family:sans-serif;margin:4em'><h1>{title}</h1><p>{text}</p></body></html>"
)


class LoginError(Exception):
    """Nobody was signed in; the message says why, on one line and without secrets."""


class BrowserLogin:
    """One attempt to sign in. Open it with :meth:`open`, send the operator to :attr:`url`, :meth:`wait`, close it."""

    def __init__(self, grant: RefreshGrant, authorize_url: str, redirect_uri: str, server: asyncio.Server) -> None:
        """Use :meth:`open`."""
        self._grant = grant
        self._server = server
        self._redirect_uri = redirect_uri
        self._state = secrets.token_urlsafe(32)
        self._verifier = secrets.token_urlsafe(64)
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._visits: dict[asyncio.Task[None], None] = {}
        self._strangers = 0
        self.url = _authorize_url(grant, authorize_url, redirect_uri, self._state, self._verifier)
        """What the browser is to open."""

    @classmethod
    async def open(cls, grant: RefreshGrant, authorize_url: str, *, redirect: str = REDIRECT) -> Self:
        """Listen on this machine. *redirect* is the loopback URL that the provider knows the client by.

        Where it names no port, a free one is taken (RFC 8252 section 7.3: providers allow any). Raises
        :class:`LoginError` where *redirect* is not of this machine, or the port is taken.
        """
        try:
            parts = urlsplit(redirect)
            host, port = parts.hostname or "", parts.port or 0
        except ValueError:
            host, port = "", 0
        if parts.scheme != "http" or host not in _LOOPBACK or parts.query or parts.fragment:
            raise LoginError(f"the redirect has to be an http URL of this machine, as {REDIRECT}")
        login: Self

        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await login._visit(reader, writer)

        address = "127.0.0.1" if host == "localhost" else host
        try:
            server = await asyncio.start_server(visit, address, port, limit=_MOST_HEAD)
        except OSError as error:
            raise LoginError(f"cannot listen on {address} port {port}: {error.strerror}") from None
        port = server.sockets[0].getsockname()[1]
        named = f"[{host}]" if ":" in host else host
        login = cls(grant, authorize_url, f"http://{named}:{port}{parts.path or '/'}", server)
        return login

    async def wait(
        self,
        account: str,
        endpoint: Poster,
        *,
        timeout: float,  # noqa: ASYNC109
        clock: Callable[[], float],
        route: str = DIRECT,
    ) -> StoredToken:
        """Wait for the browser, for *timeout* seconds, and return the account's token, which is the caller's to keep.

        The token endpoint is asked by *endpoint*, through *route*; *clock* gives seconds since the epoch. Raises
        :class:`LoginError`.
        """
        try:
            async with asyncio.timeout(timeout):
                code = await asyncio.shield(self._code)
        except TimeoutError:
            raise LoginError(f"nobody signed in within {timeout:g} s{self._turned_away()}") from None
        try:
            return await self._exchange(code, account, endpoint, clock, route)
        except GrantError as error:
            raise LoginError(f"the token endpoint gave no token: {error}") from None

    def _turned_away(self) -> str:
        """Tell of those that came from elsewhere: a login page that was left open, perhaps."""
        visits = f"{self._strangers} visit{'s' * (self._strangers != 1)}"
        return f"; {visits} came without this login's state: use the address shown here" if self._strangers else ""

    async def aclose(self) -> None:
        """Listen no more."""
        self._server.close()
        for visit in list(self._visits):
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        if not self._code.cancel() and not self._code.cancelled():
            self._code.exception()  # asyncio complains of one that nobody looked at

    async def _exchange(
        self, code: str, account: str, endpoint: Poster, clock: Callable[[], float], route: str
    ) -> StoredToken:
        """Change the code for a token (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        form = (
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self._redirect_uri),
            ("code_verifier", self._verifier),
        )
        requests = self._grant.identified(form, code, self._verifier)
        for number, request in enumerate(requests, start=1):
            status, headers, body = await endpoint.post(request, route, EXCHANGE_TIMEOUT)
            now = clock()
            try:
                answer = read_answer(status, headers, body, request, now)
                break
            except GrantError as error:
                if error.code != "invalid_client" or number == len(requests):
                    raise
        if not answer.refresh_token:
            raise LoginError(
                "the provider gave no refresh token, so that the account would be signed out within hours;"
                " it may want a scope for that (offline_access)"
            )
        expires_at = now + answer.expires_in
        return StoredToken(
            account, answer.access_token, answer.refresh_token, expires_at, self._grant.lineage, obtained_at=now
        )

    # -- the browser ----------------------------------------------------------------------------------------------

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._visits) >= _MOST_CONNECTIONS:  # the oldest says nothing: browsers connect ahead of need
                oldest = next(iter(self._visits))
                del self._visits[oldest]
                oldest.cancel()
            self._visits[task] = None
            with contextlib.suppress(OSError, TimeoutError, h11.ProtocolError):
                async with asyncio.timeout(_READ_TIMEOUT):
                    await self._answer(reader, writer)
        finally:
            self._visits.pop(task, None)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        request = connection.next_event()
        while request is h11.NEED_DATA:
            connection.receive_data(await reader.read(_MOST_HEAD))
            request = connection.next_event()
        if not isinstance(request, h11.Request):
            return
        status, title, text = self._answered(request.method, request.target.decode("latin-1"))
        page = _PAGE.format(title=title, text=text).encode()
        head = h11.Response(
            status_code=status,
            headers=[
                ("content-type", "text/html; charset=utf-8"),
                ("content-length", str(len(page))),
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("connection", "close"),
            ],
        )
        body = () if request.method == b"HEAD" else (h11.Data(page),)
        for event in (head, *body, h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()

    def _answered(self, method: bytes, target: str) -> tuple[int, str, str]:
        """Take in what the browser was sent back with; returns status, title and text of the page it is shown."""
        path, _, query = target.partition("?")
        if method not in (b"GET", b"HEAD") or path != urlsplit(self._redirect_uri).path:
            return 404, "Not found", "Gephyr waits here for a browser to sign in."
        try:
            fields = parse_qs(query, max_num_fields=_MOST_FIELDS)
        except ValueError:
            fields = {}
        if not self._is_ours(fields):
            self._strangers += 1
            return 400, "Another sign-in", "Gephyr still waits for the one whose address the terminal shows."
        if method == b"HEAD":
            return 200, "Waiting", ""
        if self._code.done():
            return 200, "Already done", "You may close this page."
        try:
            self._code.set_result(self._read(fields))
        except LoginError as refusal:
            self._code.set_exception(refusal)
            return 400, "Not signed in", "The terminal says why."
        return 200, "Signed in", "You may close this page and go back to the terminal."

    def _is_ours(self, fields: Mapping[str, list[str]]) -> bool:
        """Whether a visit has this login's state. Whoever has not says nothing of it: somebody else's code would sign
        the operator in to somebody else's account, and any page could end the login (RFC 6749 section 10.12)."""
        states = fields.get("state", [])
        return len(states) == 1 and secrets.compare_digest(states[0].encode(), self._state.encode())

    def _read(self, fields: Mapping[str, list[str]]) -> str:
        """Return the code (RFC 6749 section 4.1.2). Raises :class:`LoginError`."""
        code, error = (fields.get(name, [""])[0] for name in ("code", "error"))
        if error:
            words = ": ".join(text for text in (error, fields.get("error_description", [""])[0]) if text)
            raise LoginError(f"the provider refused: {cleaned(words, (self._state, self._verifier))}")
        if not code:
            raise LoginError("the browser was sent back without a code")
        return code


def _authorize_url(grant: RefreshGrant, url: str, redirect_uri: str, state: str, verifier: str) -> str:
    """Return where to sign in (RFC 6749 section 4.1.1, RFC 7636 section 4.3)."""
    fields = {
        "response_type": "code",
        "client_id": grant.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if grant.scopes:
        fields["scope"] = " ".join(grant.scopes)
    if urlsplit(url).hostname == _GOOGLE:  # which gives a refresh token only so, and again only after consent
        fields |= {"access_type": "offline", "prompt": "consent"}
    return f"{url}?{urlencode(fields)}"
