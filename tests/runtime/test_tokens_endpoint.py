"""The way to a token endpoint, over real sockets: proxies, TLS, and everything that can break."""

import asyncio

import pytest

from gephyr.runtime.tokens.endpoint import MOST_BYTES, LostAnswerError, TokenEndpoint
from gephyr.runtime.tokens.grants import GrantError, TokenRequest
from gephyr.runtime.upstream import ProxyUrl
from tests.runtime.token_endpoint import answer, token_endpoint
from tests.runtime.upstream_world import Visitor

pytestmark = pytest.mark.anyio
FORM = (("grant_type", "refresh_token"), ("refresh_token", "rt-MARKED-0"))


async def post(url: str, route: str = "direct", limit: float = 10.0, **options):
    way = TokenEndpoint(options.pop("routes", {}), **options)
    return await way.post(TokenRequest(url, FORM, ((b"authorization", b"Basic x"),)), route, limit)


async def failure(url: str, route: str = "direct", limit: float = 10.0, **options) -> GrantError:
    with pytest.raises(GrantError) as caught:
        await post(url, route, limit, **options)
    assert "MARKED" not in str(caught.value) + repr(caught.value)
    return caught.value


async def test_a_form_is_posted_and_the_answer_read():
    async with token_endpoint() as endpoint:
        status, headers, body = await post(endpoint.url + "?v=1")
        assert (status, dict(headers)[b"content-type"]) == (200, b"application/json")
        assert b"at-MARKED-1" in body
        assert endpoint.requests == [dict(FORM)]
        head = endpoint.heads[0].lower()
        assert head.startswith(b"post /token?v=1 http/1.1\r\nhost: 127.0.0.1:")
        assert b"content-type: application/x-www-form-urlencoded\r\n" in head
        assert b"authorization: basic x\r\n" in head


async def test_tls_trusts_what_the_configuration_says(tls_server, ca_file):
    async with token_endpoint(tls_server) as endpoint:
        assert (await post(endpoint.url, ca_file=ca_file))[0] == 200
        error = await failure(endpoint.url)
        assert (error.code, isinstance(error, LostAnswerError)) == ("tls", False)


async def test_a_redirect_is_not_followed():
    """It would carry the refresh token elsewhere."""
    async with token_endpoint() as endpoint:
        endpoint.answers.append(answer(307, {}, location=endpoint.url))
        assert (await post(endpoint.url))[0] == 307
        assert endpoint.count == 1


async def tunnel(visitor: Visitor) -> None:
    """A CONNECT proxy."""
    head, _ = await visitor.request()
    host, _, port = head.split()[1].decode().rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await visitor.send(b"HTTP/1.1 200 OK\r\n\r\n")
    _, body = await visitor.request()
    writer.write(b"POST /via-proxy HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await visitor.send(await reader.read())
    writer.close()


async def test_the_accounts_proxy_is_the_way():
    """One that was named and is not there is an error, and never the direct way."""
    async with token_endpoint() as endpoint, token_endpoint(script=tunnel) as proxy:
        routes = {"proxy:a": ProxyUrl.parse(proxy.url.removesuffix("/token"))}
        assert (await post(endpoint.url, "proxy:a", routes=routes))[0] == 200
        assert endpoint.heads[0].startswith(b"POST /via-proxy ")
        error = await failure(endpoint.url, "proxy:b", routes=routes)
        assert (error.code, error.detail) == ("proxy", "there is no outbound route 'proxy:b'")
        assert endpoint.count == 1


async def test_a_proxy_that_refuses_is_told_apart():
    async def refuse(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    async with token_endpoint() as endpoint, token_endpoint(script=refuse) as proxy:
        routes = {"proxy:a": ProxyUrl.parse(proxy.url.removesuffix("/token"))}
        error = await failure(endpoint.url, "proxy:a", routes=routes)
        assert (error.code, isinstance(error, LostAnswerError), endpoint.count) == ("proxy", False, 0)


async def test_an_endpoint_that_is_not_there_was_sent_nothing():
    async with token_endpoint() as endpoint:
        url = endpoint.url
    error = await failure(url)
    assert (error.code, isinstance(error, LostAnswerError)) == ("connect", False)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (Visitor.reset, "reset"),
        (lambda visitor: visitor.writer.close(), "protocol"),
        (lambda visitor: visitor.writer.write(b"SMTP ready\r\n\r\n"), "protocol"),
        ((200, {}, b"x" * (MOST_BYTES + 1)), "too_large"),
    ],
)
async def test_an_answer_that_breaks_is_lost(action, code):
    """The request was sent: what became of the refresh token is not known."""
    async with token_endpoint() as endpoint:
        endpoint.answers.append(action)
        error = await failure(endpoint.url)
        assert (error.code, isinstance(error, LostAnswerError)) == (code, True)


async def test_an_endpoint_that_says_nothing_is_given_up():
    async with token_endpoint() as endpoint:
        endpoint.opened.clear()
        error = await failure(endpoint.url, limit=0.05)
        assert (error.code, isinstance(error, LostAnswerError)) == ("timeout", True)
        assert error.detail.endswith("within 0.05 s")


async def test_an_endpoint_that_cannot_be_connected_in_time_did_not_see_the_token():
    """So the same refresh token can be sent again."""
    error = await failure("https://127.0.0.1:9/token", limit=0.0)
    assert (error.code, isinstance(error, LostAnswerError)) == ("timeout", False)
    assert error.detail == "no connection to https://127.0.0.1:9 within 0 s"
