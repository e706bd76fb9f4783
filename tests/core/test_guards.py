"""Who may pass: keys, addresses, origins and bodies that need not be read."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import addresses, header_lists

from gephyr_core.errors import ErrorKind
from gephyr_core.guards import Authenticator, Cors, IpFilter, refuse_body
from gephyr_core.guards.auth import ANONYMOUS
from gephyr_core.guards.ip_filter import is_loopback
from gephyr_core.http import Header, Headers, header

KEY, OTHER = (hashlib.sha256(text).hexdigest() for text in (b"key", b"other"))


def filter_of(*, allow: tuple[str, ...] = (), block: tuple[str, ...] = (), trusted: tuple[str, ...] = ()) -> IpFilter:
    """An address filter."""
    return IpFilter(allow=allow, block=block, trusted_proxies=trusted)


def forwarded(*values: str) -> list[Header]:
    """The ``x-forwarded-for`` headers of a request, one each."""
    return [(b"x-forwarded-for", value.encode()) for value in values]


# -- keys -----------------------------------------------------------------------------------------------------------


def test_a_known_key_owns_what_it_makes() -> None:
    strict = Authenticator("strict", [OTHER, KEY])
    assert strict.owner([KEY]) == KEY
    assert strict.owner(["f" * 64, KEY]) == KEY, "agents send two headers at once; one good key is enough"
    assert strict.owner(["f" * 64]) is None
    assert strict.owner([]) is None


def test_without_auth_objects_still_belong_to_who_shows_a_key() -> None:
    off = Authenticator("off", [])
    assert off.owner([]) == ANONYMOUS
    assert off.owner([OTHER, KEY]) == OTHER


@pytest.mark.parametrize(
    ("mode", "operation", "loopback", "free"),
    [
        ("strict", "probe", False, True),
        ("strict", "health", False, False),
        ("strict", "health", True, True),
        ("strict", "messages", True, False),
        ("strict", "metrics", True, False),
        ("strict", "none", True, False),
        ("all_except_health", "health", False, True),
        ("all_except_health", "messages", True, False),
        ("all_except_health", "metrics", False, False),
        ("off", "messages", False, True),
        ("off", "metrics", False, True),
    ],
)
def test_what_needs_no_key_in_which_mode(mode: str, operation: str, loopback: bool, free: bool) -> None:
    """Decision 19."""
    assert Authenticator(mode, [KEY]).is_free(operation, from_loopback=loopback) is free


# -- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("10.1.2.3", True),
        ("10.9.9.9", False),
        ("192.0.2.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::ffff:10.1.2.3", True),
        ("fe80::1%eth0", True),
        ("", False),
        ("nonsense", False),
        ("10.1.2.3:1234", False),
    ],
)
def test_block_wins_over_allow(address: str, admitted: bool) -> None:
    lists = filter_of(allow=("10.0.0.0/8", "2001:db8::/32", "fe80::1"), block=("10.9.0.0/16",))
    assert lists.admits(address) is admitted


def test_a_block_list_alone_lets_the_others_pass() -> None:
    lists = filter_of(block=("10.0.0.0/8",))
    assert [lists.admits(address) for address in ("10.0.0.1", "::ffff:10.0.0.1", "192.0.2.1")] == [False, False, True]


@given(st.text(max_size=20) | addresses)
def test_without_lists_everybody_passes(address: str) -> None:
    assert filter_of().admits(address)


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("10.0.0.1", forwarded("203.0.113.5"), "203.0.113.5"),
        ("10.0.0.1", forwarded("198.51.100.7, 203.0.113.5"), "203.0.113.5"),
        ("10.0.0.1", forwarded("203.0.113.5, 10.0.0.2"), "203.0.113.5"),
        ("10.0.0.1", forwarded("198.51.100.7", "203.0.113.5"), "203.0.113.5"),
        ("10.0.0.1", forwarded("127.0.0.1", " 203.0.113.5 , 10.0.0.2"), "203.0.113.5"),
        ("10.0.0.1", forwarded("nonsense"), "nonsense"),
        ("10.0.0.1", forwarded("10.0.0.2"), "10.0.0.1"),
        ("10.0.0.1", forwarded(" , "), "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("203.0.113.9", forwarded("127.0.0.1"), "203.0.113.9"),
        ("::ffff:10.0.0.1", forwarded("203.0.113.5"), "203.0.113.5"),
    ],
)
def test_only_what_a_trusted_proxy_added_is_believed(peer: str, headers: list[Header], client: str) -> None:
    """A client writes the header's beginning; some proxies add to it by a second header of the name."""
    assert filter_of(trusted=("10.0.0.0/8",)).client_address(peer, headers) == client


def test_a_proxy_is_trusted_by_each_of_its_forms() -> None:
    """It lists as one address and connects as another of the same machine."""
    for entry, peer in (("::ffff:10.0.0.1", "10.0.0.1"), ("10.0.0.1", "::ffff:10.0.0.1"), ("fe80::1%a", "fe80::1%a")):
        lists = filter_of(trusted=(entry,))
        assert lists.client_address(peer, forwarded("192.0.2.7")) == "192.0.2.7"
        assert lists.client_address("fe80::1%b", forwarded("192.0.2.7")) == "fe80::1%b"


def test_nobody_is_believed_where_no_proxy_is_trusted() -> None:
    assert filter_of().client_address("203.0.113.9", forwarded("127.0.0.1")) == "203.0.113.9"


@given(addresses, addresses, header_lists)
def test_a_stranger_cannot_choose_its_address(peer: str, claimed: str, headers: list[Header]) -> None:
    """Whatever stands before what the trusted proxy wrote changes nothing."""
    lists = filter_of(trusted=("10.0.0.1",))
    added = forwarded(claimed, peer)
    expected = lists.client_address("10.0.0.1", forwarded(peer))
    if peer != "10.0.0.1":
        assert lists.client_address("10.0.0.1", [*headers, *added]) == expected == peer


@pytest.mark.parametrize(
    ("address", "own"),
    [
        *[("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("", True)],
        *[("::1%lo", True), ("64:ff9b::7f00:1", False), ("::ffff:10.0.0.1", False)],
        *[("10.0.0.1", False), ("localhost", False), ("127.0.0.1.example", False), ("::2", False)],
    ],
)
def test_loopback_is_this_machine_and_nothing_else(address: str, own: bool) -> None:
    assert is_loopback(address) is own


def test_what_clients_write_is_not_kept() -> None:
    """The memory of addresses is small because addresses are: 4,096 headers of 64 KB would be 256 MB."""
    lists = filter_of(trusted=("10.0.0.1",))
    assert len(lists.client_address("10.0.0.1", forwarded("x" * 65_000))) < 100


# -- origins --------------------------------------------------------------------------------------------------------

PAGE = b"https://app.example"


def names(headers: Headers) -> list[bytes]:
    return [name for name, _ in headers]


def test_no_page_may_call_unless_its_origin_is_listed() -> None:
    """Caches are told all the same that the next page may get another answer."""
    assert Cors([]).response_headers([(b"origin", PAGE)]) == ()
    for cors, asked in ((Cors(["https://other.example"]), [(b"origin", PAGE)]), (Cors(["*"]), [])):
        assert cors.response_headers(asked) == ((b"vary", b"origin"),)
        assert names(cors.preflight_headers(asked)) == [b"allow"]
    assert names(Cors([]).preflight_headers([(b"origin", PAGE)])) == [b"allow"]


@pytest.mark.parametrize("origins", [["https://app.example"], ["*"], ["https://other.example", "https://app.example"]])
def test_an_allowed_page_may_read_every_response_header(origins: list[str]) -> None:
    """Without credentials mode: keys travel in headers of their own, never in cookies."""
    headers = Cors(origins).response_headers([(b"origin", PAGE)])
    assert header(headers, b"access-control-allow-origin") == PAGE
    assert header(headers, b"access-control-expose-headers") == b"*"
    assert header(headers, b"vary") == b"origin"
    assert header(headers, b"access-control-allow-credentials") is None


def test_a_preflight_grants_what_it_asks_for() -> None:
    """SDKs send headers nobody listed (``x-stainless-*``); the origin is what decides."""
    asked: list[Header] = [(b"origin", PAGE), (b"access-control-request-headers", b"authorization,x-stainless-os")]
    headers = Cors(["https://app.example"]).preflight_headers(asked)
    assert header(headers, b"access-control-allow-headers") == b"authorization,x-stainless-os"
    assert b"DELETE" in (header(headers, b"access-control-allow-methods") or b"")
    assert header(headers, b"access-control-max-age") == b"600"


def test_a_preflight_says_nothing_that_every_response_says_anyway() -> None:
    """A second ``access-control-allow-origin`` makes browsers refuse the call (Fetch standard, "CORS check")."""
    cors = Cors(["https://app.example"])
    asked: list[Header] = [(b"origin", PAGE), (b"access-control-request-private-network", b"true")]
    both = names([*cors.response_headers(asked), *cors.preflight_headers(asked)])
    assert sorted(both) == sorted(dict.fromkeys(both))
    assert b"access-control-allow-private-network" in both


@pytest.mark.parametrize("asked", [b"", b"x y\x01", b"authorization\xff", b'"quoted"'])
def test_what_is_no_list_of_names_is_not_repeated(asked: bytes) -> None:
    """The headers of the SDKs are granted in its place."""
    headers = Cors(["*"]).preflight_headers([(b"origin", PAGE), (b"access-control-request-headers", asked)])
    granted = (header(headers, b"access-control-allow-headers") or b"").split(b", ")
    assert {b"authorization", b"x-api-key", b"x-goog-api-key", b"anthropic-version", b"content-type"} <= {*granted}


@pytest.mark.parametrize(
    "origin", [b"https://app.example.evil", b"http://app.example", b"null", b"https://APP.example", b""]
)
def test_an_origin_is_compared_whole(origin: bytes) -> None:
    assert Cors(["https://app.example"]).response_headers([(b"origin", origin)]) == ((b"vary", b"origin"),)


# -- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [b"101", b"9" * 18, b"9" * 5000])
def test_a_body_declared_too_large_is_refused_unread(length: bytes) -> None:
    problem = refuse_body([(b"content-length", length)], 100)
    assert problem is not None
    assert problem.kind is ErrorKind.TOO_LARGE
    assert "max_body_size (100 bytes)" in problem.message


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"100")], [(b"content-length", b"0" * 5000 + b"100")]])
def test_a_body_within_the_limit_is_read(headers: list[Header]) -> None:
    assert refuse_body(headers, 100) is None


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"zstd", b"identity", b" GZIP "])
def test_codings_that_can_be_undone_are_read(coding: bytes) -> None:
    assert refuse_body([(b"content-encoding", coding)], 100) is None


@pytest.mark.parametrize("coding", [b"br", b"gzip, br", b"x" * 500])
def test_an_unknown_coding_is_refused_with_the_known_ones(coding: bytes) -> None:
    """RFC 9110 section 15.5.16: 415 with ``accept-encoding``."""
    problem = refuse_body([(b"content-encoding", coding)], 100)
    assert problem is not None
    assert problem.kind.http_status == 415
    assert problem.headers == ((b"accept-encoding", b"gzip, deflate, zstd"),)
    assert len(problem.message) < 200


@given(header_lists, st.binary(max_size=30), st.binary(max_size=30))
def test_any_head_is_refused_or_not(headers: list[Header], length: bytes, coding: bytes) -> None:
    """And if it is, as what a client can mend."""
    problem = refuse_body([*headers, (b"content-length", length), (b"content-encoding", coding)], 100)
    assert problem is None or problem.kind.http_status in {400, 413, 415}
