"""``gephyr accounts test | login``: what is asked, what is told of the answer, and what becomes of tokens."""

import asyncio
import contextlib
import threading
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from gephyr.runtime.store_tokens import StoredToken, StoredTokens
from gephyr.runtime.tokens import RefreshGrant
from tests.cli.accounts_world import World, world_in
from tests.runtime.service_account_key import key_file
from tests.runtime.token_endpoint import Endpoint, answer, token_endpoint
from tests.runtime.upstream_world import Visitor, provider
from tests.waiting import WAIT

pytestmark = pytest.mark.anyio
OK = b'{"object": "list", "data": []}'
REFUSED = b'{"error": {"message": "Incorrect API key provided: sk-MARKED-1.", "code": "invalid_api_key"}}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@attrs.define
class Upstream:
    """A provider that answers each request alike, and what it was asked."""

    url: str = ""
    status: int = 200
    headers: str = ""
    body: bytes = OK
    requests: list[tuple[str, bytes]] = attrs.field(factory=list)
    """Heads and bodies."""
    silent: bool = False

    async def serve(self, visitor: Visitor) -> None:
        head, body = await visitor.request()
        self.requests.append((head.decode(), body))
        if self.silent:
            await visitor.reader.read()
        lines = (
            f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(self.body)}\r\n{self.headers}connection: close\r\n\r\n"
        )
        await visitor.send(lines.encode() + self.body)


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    one = Upstream()
    async with provider(one.serve) as server:
        one.url = str(server.origin)
        yield one


def configured(folder: Path, *lines: str, provider: str = "openai", key: str = 'api_key = "sk-MARKED-1"') -> World:
    """A file with the one account ``a``."""
    text = ['[server]\ndata_dir = "data"', "[[accounts]]", f'id = "a"\nprovider = "{provider}"', key, *lines]
    return world_in(folder, "\n".join([*text, ""]))


def oauth(endpoint: Endpoint, refresh: str = "rt-MARKED-0") -> str:
    """The settings of an OAuth client, in place of a key."""
    given = f'refresh_token = "{refresh}"' if refresh else ""
    authorize = 'authorize_url = "https://login.example/authorize"'
    return "\n".join(["[accounts.oauth]", f'token_url = "{endpoint.url}"', 'client_id = "c"', authorize, given])


async def probed(world: World, *arguments: str, code: int = 0) -> str:
    """Run ``accounts test a``; what was printed."""
    result = await asyncio.to_thread(world.run, "test", "a", *arguments, code=code)
    return result.output


# -- test: what is asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "target", "credential"),
    [
        ("openai", "GET /v1/models HTTP/1.1", "authorization: bearer sk-marked-1"),
        ("anthropic", "GET /v1/models?limit=1 HTTP/1.1", "x-api-key: sk-marked-1"),
        ("gemini", "GET /v1beta/models?pageSize=1 HTTP/1.1", "x-goog-api-key: sk-marked-1"),
        ("openrouter", "GET /v1/key HTTP/1.1", "authorization: bearer sk-marked-1"),
    ],
)
async def test_a_list_of_models_is_asked_for_with_the_accounts_credential(
    tmp_path: Path, kind: str, target: str, credential: str
) -> None:
    """In the provider's own way; it costs nothing."""
    async with upstream() as one:
        shown = await probed(configured(tmp_path, f'base_url = "{one.url}"', provider=kind))
    ((head, body),) = one.requests
    assert head.startswith(target)
    assert credential in head.lower()
    assert body == b""
    assert shown.splitlines()[0] == f"account   a ({kind} at {one.url})"
    assert shown.splitlines()[-1] == "verdict   it works"


@pytest.mark.parametrize(
    ("kind", "dialect", "path"),
    [
        ("openai", "", "/v1/responses"),
        ("openai", "openai-chat", "/v1/chat/completions"),
        ("openai", "openai-completions", "/v1/completions"),
        ("anthropic", "", "/v1/messages"),
        ("gemini", "", "/v1beta/models/m-1:generateContent"),
    ],
)
async def test_a_named_model_generates_a_few_tokens(tmp_path: Path, kind: str, dialect: str, path: str) -> None:
    """In the dialect in which the account is asked."""
    async with upstream() as one:
        world = configured(tmp_path, f'base_url = "{one.url}"\ndialect = "{dialect}"', provider=kind)
        assert f"asked     POST {path}" in await probed(world, "--model", "m-1")
    ((head, body),) = one.requests
    assert head.startswith(f"POST {path} ")
    assert b":16" in body.replace(b" ", b"")


async def test_the_request_takes_the_accounts_own_way_out(tmp_path: Path) -> None:
    """Its proxy sees it, or nobody."""
    async with upstream() as proxy:
        proxy.status = 502
        lines = 'base_url = "http://provider.invalid"', f'proxy = "{proxy.url.replace("://", "://u:MARKED@")}"'
        shown = await probed(configured(tmp_path, *lines), code=1)
    assert "route     proxy:a" in shown
    assert "verdict   proxy: " in shown
    assert proxy.requests[0][0].startswith("CONNECT provider.invalid:80 ")


# -- test: what is told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (401, REFUSED, "the provider refuses the credential: Incorrect API key provided: [redacted]."),
        (429, b'{"error": {"message": "slow down"}}', "a limit is reached; it may be asked again in 7 s: slow down"),
        (429, b'{"error": {"code": "insufficient_quota"}}', "no credit is left, or a spending limit is reached"),
        (404, b"", "the endpoint has no list of models: try --model"),
        (500, b"boom", "the provider answers with an error (server)"),
        (302, b"", "the provider answers with an error (bad gateway)"),
        (200, b"<html>welcome</html>", "it answers, but not in JSON: is base_url right?"),
    ],
)
async def test_a_refusal_is_told_in_a_line(tmp_path: Path, status: int, body: bytes, verdict: str) -> None:
    """With what the provider says of it, but never the credential that some repeat."""
    async with upstream() as one:
        one.status, one.body, one.headers = status, body, "retry-after: 7\r\n"
        shown = await probed(configured(tmp_path, f'base_url = "{one.url}"'), code=1)
    assert f"answer    {status} after " in shown
    assert shown.splitlines()[-1].startswith(f"verdict   {verdict}")


async def test_an_unknown_model_is_the_verdict(tmp_path: Path) -> None:
    async with upstream() as one:
        one.status, one.body = 404, b'{"error": {"message": "The model m-1 does not exist", "code": "model_not_found"}}'
        world = configured(tmp_path, f'base_url = "{one.url}"')
        assert "the account has no model 'm-1'" in await probed(world, "--model", "m-1", code=1)


async def test_the_headers_that_speak_of_limits_are_shown(tmp_path: Path) -> None:
    """And no others; one that repeats the credential does so without it."""
    async with upstream() as one:
        one.headers = (
            "x-ratelimit-remaining-requests: 59\r\nanthropic-ratelimit-tokens-limit: 8\r\n"
            "x-ratelimit-key: sk-MARKED-1\r\nx-other: 1\r\n"
        )
        shown = await probed(configured(tmp_path, f'base_url = "{one.url}"'))
    limits = shown.partition("limits")[2].partition("verdict")[0].split("\n")
    assert [line.strip() for line in limits if line] == [
        "x-ratelimit-remaining-requests: 59",
        "anthropic-ratelimit-tokens-limit: 8",
        "x-ratelimit-key: [redacted]",
    ]


async def test_a_provider_that_cannot_be_reached_or_says_nothing_is_told_in_time(tmp_path: Path) -> None:
    """There is no answer to show."""
    async with upstream() as one:
        one.silent = True
        shown = await probed(configured(tmp_path, f'base_url = "{one.url}"'), "--timeout", "0.2", code=1)
    assert "verdict   no whole answer within 0.2 s" in shown
    shown = await probed(configured(tmp_path, f'base_url = "{one.url}"'), code=1)
    assert "answer" not in shown
    assert "verdict   connect: " in shown


# -- test: accounts that sign in --------------------------------------------------------------------------------------


async def test_an_account_signs_in_first_and_keeps_the_token(tmp_path: Path) -> None:
    """The refresh token that the endpoint renewed with it too; the next test uses both."""
    async with token_endpoint() as endpoint, upstream() as one:
        world = configured(tmp_path, f'base_url = "{one.url}"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint))
        assert "token     new, until " in await probed(world)
        assert "token     kept, until " in await probed(world)
        assert endpoint.count == 1
    assert all("bearer at-marked-1" in head.lower() for head, _ in one.requests)
    with world.book() as book:
        (token,) = book.tokens.tokens()
        assert (token.access_token, token.refresh_token) == ("at-MARKED-1", "rt-MARKED-1")
        assert book.tokens.interrupted_refreshes() == []


async def test_a_token_that_is_over_is_renewed(tmp_path: Path) -> None:
    """By the refresh token that was kept with it, not by the configured one."""
    async with token_endpoint() as endpoint, upstream() as one:
        world = configured(tmp_path, f'base_url = "{one.url}"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint))
        endpoint.refresh_token = "rt-MARKED-kept"
        grant = RefreshGrant(token_url=endpoint.url, client_id="c", refresh_token="rt-MARKED-0")
        with world.book() as book:
            book.sign_in(StoredToken("a", "at-MARKED-old", "rt-MARKED-kept", 1000.0, grant.lineage, 0.0))
        assert "token     new" in await probed(world)
        assert endpoint.requests[0]["refresh_token"] == "rt-MARKED-kept"


async def test_a_sign_in_that_fails_is_the_verdict(tmp_path: Path) -> None:
    """Nothing is asked of the provider then."""
    async with token_endpoint() as endpoint, upstream() as one:
        world = configured(tmp_path, f'base_url = "{one.url}"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint))
        endpoint.answers.append(answer(400, {"error": "invalid_grant", "error_description": "rt-MARKED-0 is void"}))
        assert "verdict   it cannot sign in: invalid_grant" in await probed(world, code=1)
    assert one.requests == []


async def test_a_refresh_that_a_gateway_has_begun_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same refresh token twice at once may void both answers."""
    looks, look = threading.Semaphore(0), StoredTokens.interrupted_refreshes

    def counted(tokens: StoredTokens) -> list[str]:
        looks.release()
        return look(tokens)

    monkeypatch.setattr(StoredTokens, "interrupted_refreshes", counted)
    async with token_endpoint() as endpoint, upstream() as one:
        world = configured(tmp_path, f'base_url = "{one.url}"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint))
        grant = RefreshGrant(token_url=endpoint.url, client_id="c", refresh_token="rt-MARKED-0")
        with world.book() as book:
            book.tokens.begin_refresh("a", 0.0)
            running = asyncio.create_task(probed(world))
            for _ in range(2):
                assert await asyncio.to_thread(looks.acquire, timeout=WAIT), "it looks, waits, and looks again"
            book.tokens.keep_token(StoredToken("a", "at-MARKED-theirs", "rt-MARKED-1", 4e9, grant.lineage, 0.0))
            assert "token     kept" in await running
        assert endpoint.count == 0


async def test_a_service_account_signs_in_by_its_key(tmp_path: Path) -> None:
    """Added by command; the provider is Vertex AI."""
    async with token_endpoint() as endpoint, upstream() as one:
        (tmp_path / "key.json").write_text(key_file(token_uri=endpoint.url))
        world = world_in(tmp_path, '[server]\ndata_dir = "data"\n')
        account = ("--id", "a", "--provider", "vertex", "--base-url", one.url)
        key = f"file:{tmp_path / 'key.json'}"
        await asyncio.to_thread(world.run, "add", *account, "--service-account", key)
        assert "token     new" in await probed(world)
        assert "publishers/google/models/gemini-3:generateContent" in await probed(world, "--model", "gemini-3")
    assert one.requests[0][0].startswith("GET /v1beta1/publishers/google/models?pageSize=1 ")


# -- login ------------------------------------------------------------------------------------------------------------


async def test_a_login_keeps_the_token_and_clears_what_was_wrong_with_the_old_one(tmp_path: Path) -> None:
    """The endpoint gets the code, and the proof that it was asked for here."""
    async with token_endpoint() as endpoint:
        world = configured(tmp_path, 'base_url = "http://127.0.0.1:9"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint, refresh=""))
        shown = await world.signs_in("a")
    assert "signed in a; its token lasts until 20" in shown
    assert endpoint.requests[0]["grant_type"] == "authorization_code"
    assert endpoint.requests[0]["code_verifier"]
    with world.book() as book:
        assert [token.refresh_token for token in book.tokens.tokens()] == ["rt-MARKED-1"]


async def test_a_login_that_the_provider_refuses_keeps_nothing(tmp_path: Path) -> None:
    async with token_endpoint() as endpoint:
        world = configured(tmp_path, 'base_url = "http://127.0.0.1:9"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint, refresh=""))
        shown = await world.signs_in("a", "error=access_denied", code=1)
    assert "error: the provider refused: access_denied" in shown
    with world.book() as book:
        assert book.tokens.tokens() == []


async def test_a_login_that_nobody_makes_has_an_end(tmp_path: Path) -> None:
    async with token_endpoint() as endpoint:
        world = configured(tmp_path, 'base_url = "http://127.0.0.1:9"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint, refresh=""))
        line = ("login", "a", "--no-browser", "--timeout", "0.1")
        result = await asyncio.to_thread(world.run, *line, code=1)
        assert "nobody signed in within 0.1 s" in result.stderr
        bad = await asyncio.to_thread(world.run, *line, "--redirect", "https://elsewhere.example/", code=1)
        assert "has to be an http URL of this machine" in bad.stderr


@pytest.mark.parametrize("more", [(), ("--no-browser",)])
async def test_a_login_opens_a_browser_unless_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    async with token_endpoint() as endpoint:
        world = configured(tmp_path, 'base_url = "http://127.0.0.1:9"', key="")
        world.file.write_text(world.file.read_text() + oauth(endpoint, refresh=""))
        result = await asyncio.to_thread(world.run, "login", "a", "--timeout", "0.1", *more, code=1)
    [address] = [line for line in result.stdout.splitlines() if line.startswith("https://")]
    assert opened == ([] if more else [address])


def test_only_an_account_with_a_client_and_a_page_to_sign_in_at_can_log_in(tmp_path: Path) -> None:
    assert "has no client" in configured(tmp_path).run("login", "a", code=1).stderr
    lines = '[accounts.oauth]\ntoken_url = "https://t.example/"\nclient_id = "c"'
    assert "has no oauth.authorize_url" in configured(tmp_path, lines, key="").run("login", "a", code=1).stderr
