"""Signing in by a browser: what the provider is asked, and what the browser may come back with."""

import asyncio
import base64
import contextlib
import hashlib
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from gephyr.runtime.store_tokens import StoredToken
from gephyr.runtime.tokens import BrowserLogin, LoginError, RefreshGrant, TokenEndpoint
from tests.runtime.token_endpoint import Endpoint, answer, token_endpoint
from tests.runtime.token_world import NOW

pytestmark = pytest.mark.anyio
AUTHORIZE = "https://auth.example/authorize"


@attrs.define
class Browser:
    """Somebody who signs in."""

    login: BrowserLogin
    endpoint: Endpoint
    grant: RefreshGrant

    @property
    def asked(self) -> dict[str, str]:
        """What the provider's page is asked."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.login.url).query).items()}

    async def get(self, query: str, path: str = "/callback", method: str = "GET") -> bytes:
        """Be sent back."""
        parts = urlsplit(self.asked["redirect_uri"])
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"{method} {path}?{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        reply = await reader.read()
        writer.close()
        return reply

    async def returns(self, **fields: str) -> bytes:
        """Be sent back with the right state, unless another is given."""
        named = {"state": self.asked["state"], **fields}
        return await self.get("&".join(f"{name}={value}" for name, value in named.items()))

    async def token(self, limit: float = 10.0) -> StoredToken:
        return await self.login.wait("a", TokenEndpoint({}), timeout=limit, clock=lambda: NOW)

    async def failure(self, limit: float = 10.0) -> str:
        with pytest.raises(LoginError) as caught:
            await self.token(limit)
        assert "MARKED" not in str(caught.value)
        return str(caught.value)


@contextlib.asynccontextmanager
async def browser(authorize: str = AUTHORIZE, redirect: str = "http://127.0.0.1/callback", **changes):
    async with token_endpoint() as endpoint:
        settings = {"client_secret": "cs-MARKED", "scopes": ("a", "b"), **changes}
        grant = RefreshGrant(token_url=endpoint.url, client_id="client", **settings)
        login = await BrowserLogin.open(grant, authorize, redirect=redirect)
        try:
            yield Browser(login, endpoint, grant)
        finally:
            await login.aclose()


async def test_a_code_becomes_a_token():
    """RFC 6749 section 4.1, RFC 7636: the verifier that is sent last fits the challenge that was sent first."""
    async with browser() as b:
        assert b.login.url.startswith(f"{AUTHORIZE}?")
        asked = b.asked
        assert asked.keys() == {
            *("response_type", "client_id", "redirect_uri", "state", "scope"),
            *("code_challenge", "code_challenge_method"),
        }
        assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", "client", "a b")
        assert b"200" in (await b.returns(code="code-MARKED")).split(b"\r\n")[0]
        assert await b.token() == StoredToken("a", "at-MARKED-1", "rt-MARKED-1", NOW + 3600, b.grant.lineage, NOW)
        (form,) = b.endpoint.requests
        assert form["grant_type"] == "authorization_code"
        assert (form["code"], form["redirect_uri"]) == ("code-MARKED", asked["redirect_uri"])
        assert (form["client_id"], form["client_secret"]) == ("client", "cs-MARKED")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge.decode(), "S256")
        assert 43 <= len(form["code_verifier"]) <= 128


async def test_each_login_has_a_state_and_a_verifier_of_its_own():
    async with browser() as first, browser() as second:
        for name in ("state", "code_challenge"):
            assert first.asked[name] != second.asked[name]


async def test_google_is_asked_for_a_refresh_token():
    """It gives one to nobody who does not ask, and the second time only after consent."""
    async with browser("https://accounts.google.com/o/oauth2/v2/auth") as b:
        assert (b.asked["access_type"], b.asked["prompt"]) == ("offline", "consent")


async def test_a_login_that_was_denied_is_told_as_the_provider_says_it():
    async with browser() as b:
        reply = await b.returns(error="access_denied", error_description="Not%20today%0A")
        assert b"400" in reply.split(b"\r\n")[0]
        assert await b.failure() == "the provider refused: access_denied: Not today"
        assert b.endpoint.count == 0


@pytest.mark.parametrize(
    "query",
    [
        "code=code-MARKED&state=",
        "code=code-MARKED&state=other-MARKED",
        "code=code-MARKED&state=%C3%A9",
        "code=code-MARKED&state=%FF",
        "code=code-MARKED&state={state}&state=other-MARKED",
        "code=code-MARKED&state={state}x",
        "error=access_denied&state=other-MARKED",
        "error=access_denied",
        "code=code-MARKED",
        "",
        "&".join(f"a{number}=1" for number in range(100)),
    ],
)
async def test_a_visit_without_this_logins_state_is_told_so_and_the_login_goes_on(query: str) -> None:
    """Somebody else's code would sign the operator in to somebody else's account (RFC 6749 section 10.12), and any page
    could end the login if a wrong state did."""
    async with browser() as b:
        reply = await b.get(query.format(state=b.asked["state"]))
        assert reply.startswith(b"HTTP/1.1 400")
        assert b"still waits" in reply
        await b.returns(code="code-MARKED")
        assert (await b.token()).access_token == "at-MARKED-1"
        assert b.endpoint.count == 1


async def test_whoever_waits_in_vain_reads_of_the_visits_that_were_another_logins():
    """A page of an earlier login that was still open, for instance."""
    async with browser() as b:
        await b.returns(code="code-MARKED", state="x")
        message = "nobody signed in within 0.01 s; 1 visit came without this login's state: use the address shown here"
        assert await b.failure(0.01) == message


async def test_a_head_request_ends_nothing():
    """Link checkers of mail and chat programs send them, with the whole query."""
    async with browser() as b:
        for query in (f"code=other-MARKED&state={b.asked['state']}", "error=access_denied"):
            head, _, body = (await b.get(query, method="HEAD")).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 ")
            assert body == b""
        await b.returns(code="code-MARKED")
        assert (await b.token()).access_token == "at-MARKED-1"
        assert b.endpoint.requests[0]["code"] == "code-MARKED"


async def test_connections_that_say_nothing_keep_nobody_out():
    """A browser opens some ahead of need; another program may open many."""
    async with browser() as b:
        parts = urlsplit(b.asked["redirect_uri"])
        idle = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(40)]
        assert (await b.returns(code="code-MARKED")).startswith(b"HTTP/1.1 200")
        assert (await b.token()).access_token == "at-MARKED-1"
        for _, writer in idle:
            writer.close()


async def test_a_browser_that_comes_back_without_a_code():
    async with browser() as b:
        await b.returns()
        assert await b.failure() == "the browser was sent back without a code"


async def test_what_is_not_the_redirect_changes_nothing():
    """A browser asks for an icon, too; and whoever comes second does not count."""
    async with browser() as b:
        for path, method in (("/favicon.ico", "GET"), ("/callback", "POST")):
            assert b"404" in (await b.get("error=x", path, method)).split(b"\r\n")[0]
        assert await b.get("", "no path") == b""
        await b.returns(code="code-MARKED")
        await b.returns(error="access_denied")
        assert (await b.token()).access_token == "at-MARKED-1"


async def test_nobody_comes():
    async with browser() as b:
        assert await b.failure(0.01) == "nobody signed in within 0.01 s"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            answer(400, {"error": "invalid_grant", "error_description": "code-MARKED"}),
            "the token endpoint gave no token: invalid_grant: status 400: [redacted]",
        ),
        (answer(200, {"access_token": "at-MARKED"}), "the provider gave no refresh token"),
    ],
)
async def test_a_code_that_gives_no_lasting_token(said, message):
    async with browser() as b:
        b.endpoint.answers.append(said)
        await b.returns(code="code-MARKED")
        assert (await b.failure()).startswith(message)


async def test_a_server_that_knows_basic_only_is_served():
    async with browser() as b:
        b.endpoint.answers.append(answer(401, {"error": "invalid_client"}))
        await b.returns(code="code-MARKED")
        assert (await b.token()).refresh_token == "rt-MARKED-1"
        assert ["client_secret" in form for form in b.endpoint.requests] == [True, False]


@pytest.mark.parametrize("redirect", ["https://127.0.0.1/", "http://evil.example/", "http://127.0.0.1:port/", "x"])
async def test_the_redirect_stays_on_this_machine(redirect):
    """A code that leaves the machine is anybody's."""
    with pytest.raises(LoginError, match="of this machine"):
        async with browser(redirect=redirect):
            pass


async def test_a_redirect_that_a_provider_knows_by_its_port():
    """As localhost, which some insist on; and a port that is taken is told."""
    async with browser() as b:
        port = urlsplit(b.asked["redirect_uri"]).port
        with pytest.raises(LoginError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            async with browser(redirect=f"http://localhost:{port}/x"):
                pass
    async with browser(redirect=f"http://localhost:{port}/x") as b:
        assert b.asked["redirect_uri"] == f"http://localhost:{port}/x"


async def test_leaving_early_leaves_nothing_behind():
    """With a browser that has connected and says nothing."""
    async with browser() as b:
        parts = urlsplit(b.asked["redirect_uri"])
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        await b.get("", "/favicon.ico")
    assert await reader.read() == b""
    writer.close()
    async with browser() as b:
        await b.returns(error="nobody_waits_for_this")
