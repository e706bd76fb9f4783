"""What may be fetched from: public addresses, however they are written, and what the operator allows."""

import ipaddress
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.vetting import MOST_URL_LENGTH, FetchError, Vetting, is_public, parse_url

INSIDE = (
    *("0.0.0.1", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
)
OUTSIDE = (
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "192.167.0.1",
    "223.255.255.254",
)


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("form", ["{}", "::ffff:{}", "64:ff9b::{}", "::{}", "64:ff9b:1::{}", "::ffff:0:{}"])
def test_an_inner_ipv4_address_is_refused_in_every_form(address: str, form: str) -> None:
    """Mapped, NAT64 (well-known and local), compatible and translated forms included."""
    assert not is_public(ipaddress.ip_address(form.format(address)))


@pytest.mark.parametrize("address", OUTSIDE)
@pytest.mark.parametrize("form", ["{}", "::ffff:{}", "64:ff9b::{}"])
def test_a_public_ipv4_address_is_public_in_the_forms_that_lead_to_it(address: str, form: str) -> None:
    assert is_public(ipaddress.ip_address(form.format(address)))


@pytest.mark.parametrize(
    "address",
    [
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1"),
        *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:db8::1", "3fff::1", "5f00::1"),
        *("2002:7f00:1::1", "2002:a00:1::", "2002:808:808::1", "4000::1"),
    ],
)
def test_an_inner_ipv6_address_is_refused(address: str) -> None:
    """Loopback, link-local, unique local, multicast, Teredo, 6to4, documentation, and what nobody assigned."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888"])
def test_a_global_ipv6_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_what_python_knows_as_inner_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Our table is at least as strict as the library's, whose versions differ."""
    inner = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    assert not (is_public(address) and inner and not mapped)


def test_one_inner_address_condemns_the_host() -> None:
    """A name that leads inside as well as outside is an attempt, not a mistake."""
    Vetting().vet("h.test", 443, ["1.1.1.1", "2606:4700::1"])
    with pytest.raises(FetchError, match=r"^the URL leads to no public address$"):
        Vetting().vet("h.test", 443, ["1.1.1.1", "10.0.0.1"])


@pytest.mark.parametrize("port", [22, 25, 8080, 8443, 0])
def test_a_public_host_is_asked_on_the_ports_of_the_web_only(port: int) -> None:
    with pytest.raises(FetchError, match="port"):
        Vetting().vet("h.test", port, ["1.1.1.1"])


@pytest.mark.parametrize(
    ("allowed", "addresses"),
    [
        ("10.1.0.0/16", ["10.1.2.3"]),
        ("10.1.0.0/16", ["::ffff:10.1.2.3"]),
        ("10.1.2.3/32", ["10.1.2.3", "1.1.1.1"]),
        ("::ffff:10.1.0.0/112", ["10.1.2.3", "::ffff:10.1.2.3"]),
        ("fd00::/8", ["fd00::1"]),
        ("files.lan", ["192.168.0.4"]),
    ],
)
def test_what_the_operator_allows_is_let_through(allowed: str, addresses: list[str]) -> None:
    """And only because of that."""
    with pytest.raises(FetchError, match="no public address"):
        Vetting().vet("FILES.lan", 80, addresses)
    Vetting((allowed,)).vet("FILES.lan", 80, addresses)


@pytest.mark.parametrize("addresses", [*permutations(["10.1.2.3", "10.9.9.9", "1.1.1.1"])])
def test_an_allowed_address_does_not_vouch_for_the_others(addresses: tuple[str, ...]) -> None:
    """In whatever order the name's addresses come."""
    with pytest.raises(FetchError, match="no public address"):
        Vetting(["10.1.0.0/16"]).vet("inside.test", 443, addresses)


def test_what_is_allowed_may_have_any_port_and_nothing_else_may() -> None:
    vetting = Vetting(("10.0.0.0/8", "files.lan"))
    vetting.vet("other.lan", 9000, ["10.0.0.1"])
    vetting.vet("files.lan", 9000, ["192.168.0.4"])
    for host, addresses in (
        ("n.lan", ["64:ff9b::10.0.0.1"]),
        ("other.lan", ["192.168.0.4"]),
        ("x.files.lan", ["192.168.0.4"]),
        ("h", ["1.1.1.1"]),
    ):
        with pytest.raises(FetchError):
            vetting.vet(host, 9000, addresses)


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://h.test", "http://h.test", "/"),
        ("HTTPS://H.test:443/a/b.png?x=1&y=%20#part", "https://h.test", "/a/b.png?x=1&y=%20"),
        ("http://h.test.:8080/", "http://h.test:8080", "/"),
        ("http://[2606:4700::1]/x", "http://[2606:4700::1]", "/x"),
        ("https://b\u00fccher.test/\u00fc?q=\u00fc", "https://xn--bcher-kva.test", "/%C3%BC?q=%C3%BC"),
        ("https://s3.test/key?X-Sig=a%2Fb==&e=[1]", "https://s3.test", "/key?X-Sig=a%2Fb==&e=[1]"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: str, target: str) -> None:
    location = parse_url(url)
    assert (str(location.origin), location.target) == (origin, target)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h.test/x", "not an http or https"),
        ("file:///etc/passwd", "not an http or https"),
        ("gopher://h.test/", "not an http or https"),
        ("javascript:alert(1)", "not an http or https"),
        ("data:image/png;base64,AAAA", "not an http or https"),
        ("http:///x", "host or port"),
        ("http://user@h.test/", "user name or a password"),
        ("http://user:pw@h.test/", "user name or a password"),
        ("http://@h.test/", "user name or a password"),
        ("http://h.test@10.0.0.1/", "user name or a password"),
        ("http://h.test:99999/", "host or port"),
        ("http://h.test:x/", "host or port"),
        ("http://h.test\\@10.0.0.1/", "character"),
        ("http://h.test/a b", "character"),
        ("http://h.test/a\r\nx-evil: 1", "character"),
        ("http://h.te\tst/", "character"),
        ("http://[::1", "host or port"),
        ("http://[fe80::1%25eth0]/", "host or port"),
        ("http://-.test/", "host or port"),
        ("http://h..test/", "host or port"),
        ("http://" + "a" * 64 + ".test/", "host or port"),
        ("http://h.test/\ud800", "host or port"),
        ("http://h.test/" + "a" * MOST_URL_LENGTH, "longer"),
        ("", "not an http or https"),
    ],
)
def test_what_is_no_url_of_the_web_is_refused(url: str, reason: str) -> None:
    with pytest.raises(FetchError, match=reason):
        parse_url(url)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    """A client's text never raises anything else, and no control character gets into a request."""
    for url in (text, f"http://{text}", f"https://h.test/{text}"):
        try:
            location = parse_url(url)
        except FetchError:
            continue
        assert location.target.isascii()
        assert location.target.isprintable()
        assert " " not in location.target + location.origin.host
