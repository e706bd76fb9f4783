"""Which headers travel on: everything but what decision 16 lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import header_lists

from gephyr_core import __version__
from gephyr_core.forwarding import to_client, to_provider
from gephyr_core.http import Header, header
from gephyr_core.routing.sessions import SESSION_HEADERS

SIGNATURE = f"gephyr/{__version__}".encode()


def provider_names(*names: bytes) -> list[bytes]:
    """The names of what reaches a provider of headers with these names."""
    return [name for name, _ in to_provider([(name, b"x") for name in names], accept_encoding=b"identity")]


@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"authorization", b"proxy-authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie"),
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip", b"cf-connecting-ip", b"cf-ray"),
        *(b"origin", b"referer", b"sec-fetch-mode", b"sec-websocket-key", b"access-control-request-method"),
        *(b"host", b"content-length", b"content-encoding", b"expect"),
        *(b"openai-organization", b"openai-project", b"x-goog-user-project"),
        *SESSION_HEADERS,
    ],
)
def test_what_is_the_clients_own_or_the_hops_stays_here(name: bytes) -> None:
    """Credentials, addresses, browser, organisation and session headers would identify the client or misroute the call."""
    assert name not in provider_names(name)


@pytest.mark.parametrize(
    "name",
    [
        *(b"content-type", b"accept", b"accept-language", b"idempotency-key", b"traceparent", b"x-stainless-lang"),
        *(b"anthropic-version", b"anthropic-beta", b"openai-beta", b"x-goog-api-client", b"x-client-request-id"),
        *(b"anthropic-dangerous-direct-browser-access", b"x-app", b"a-header-of-tomorrow"),
    ],
)
def test_whatever_else_a_client_sends_reaches_the_provider(name: bytes) -> None:
    assert name in provider_names(name)


def test_several_headers_of_one_name_stay_several_and_in_order() -> None:
    sent: list[Header] = [(b"anthropic-beta", b"a-1"), (b"x", b"1"), (b"anthropic-beta", b"b-2,c-3")]
    assert to_provider(sent, accept_encoding=b"identity")[:3] == sent


def test_the_user_agent_is_the_clients_with_ours_behind_it() -> None:
    """Providers that look at the client still see it; those that count gateways see us."""
    sent = to_provider([(b"user-agent", b"claude-cli/2.0")], accept_encoding=b"gzip")
    assert sent == [(b"user-agent", b"claude-cli/2.0 " + SIGNATURE), (b"accept-encoding", b"gzip")]
    assert header(to_provider([], accept_encoding=b"gzip"), b"user-agent") == SIGNATURE


def test_the_compression_asked_for_is_ours() -> None:
    sent = to_provider([(b"accept-encoding", b"br, zstd")], accept_encoding=b"identity")
    assert [value for name, value in sent if name == b"accept-encoding"] == [b"identity"]


@pytest.mark.parametrize(
    "connection",
    [
        [(b"connection", b"keep-alive, X-Hop")],
        [(b"connection", b"x-hop")],
        [(b"connection", b"close"), (b"connection", b"X-HOP ,upgrade")],
        [(b"connection", b"Keep-Alive"), (b"connection", b"x-hop")],
    ],
)
def test_what_connection_names_is_for_this_hop(connection: list[Header]) -> None:
    """RFC 9110 section 7.6.1; a list may be spread over several headers (section 5.3)."""
    headers: list[Header] = [*connection, (b"x-hop", b"1"), (b"x-end", b"2")]
    assert to_client(headers) == [(b"x-end", b"2")]
    assert to_provider(headers, accept_encoding=b"identity")[:1] == [(b"x-end", b"2")]
    assert header(to_provider(headers, accept_encoding=b"identity"), b"x-hop") is None


@pytest.mark.parametrize(
    "name",
    [
        *(b"retry-after", b"retry-after-ms", b"x-should-retry"),
        *(b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-requests"),
        *(b"anthropic-ratelimit-requests-reset", b"anthropic-ratelimit-input-tokens-remaining"),
        *(b"anthropic-ratelimit-unified-status", b"anthropic-ratelimit-unified-reset"),
        *(b"request-id", b"x-request-id", b"cf-ray", b"x-goog-request-id"),
        *(b"content-type", b"openai-processing-ms", b"openai-version", b"openai-model", b"server-timing"),
    ],
)
def test_limits_hints_and_request_ids_reach_the_client(name: bytes) -> None:
    """SDKs and agents pace themselves by them, and support asks for the id."""
    assert to_client([(name, b"7")]) == [(name, b"7")]


@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"content-length", b"content-encoding", b"set-cookie", b"alt-svc", b"strict-transport-security"),
        *(b"server", b"date", b"www-authenticate", b"proxy-authenticate"),
        *(b"openai-organization", b"openai-project", b"anthropic-organization-id"),
        *(b"access-control-allow-origin", b"access-control-expose-headers", b"x-gephyr-account"),
    ],
)
def test_what_speaks_of_the_providers_side_stays_here(name: bytes) -> None:
    """Cookies, organisation ids and the origin's own security headers are not the client's."""
    assert to_client([(name, b"7")]) == []


@given(header_lists, st.binary(max_size=20))
def test_filtering_twice_changes_nothing(headers: list[Header], connection: bytes) -> None:
    """What passed once passes again, in the same order: two gateways in a row are as good as one."""
    headers.append((b"connection", connection))
    once = to_client(headers)
    assert to_client(once) == once
    assert [pair for pair in headers if pair in once] == once
    sent = to_provider(headers, accept_encoding=b"identity")
    assert header(sent, b"connection") is None
    assert all(pair in headers for pair in sent[:-2])
