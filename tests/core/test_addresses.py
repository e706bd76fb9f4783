"""One machine has several addresses on paper: lists and peers mean the same one by each of them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import addresses

from gephyr.runtime.configuration import load_mapping
from gephyr_core.addresses import parse_address, parse_range
from gephyr_core.config import ConfigError
from gephyr_core.guards import IpFilter
from tests.conformance.front_ends import configuration

v4 = st.ip_addresses(v=4)
FORMS = ("{}", "::ffff:{}", "64:ff9b::{}", "64:ff9b:1::{}", "64:ff9b:1:fffe::{}")
"""An IPv4 address as it is; as a listener for IPv6 sees it; by NAT64, with prefixes of 96 bits (RFC 6052, RFC 8215)."""


def of_48_bits(address: ipaddress.IPv4Address) -> str:
    """The form that NAT64 gives it by the prefix ``64:ff9b:1::/48`` (RFC 6052, section 2.2)."""
    a, b, c, d = address.packed
    return str(ipaddress.IPv6Address(bytes([0, 0x64, 0xFF, 0x9B, 0, 1, a, b, 0, c, d, 0, 0, 0, 0, 0])))


def forms(address: ipaddress.IPv4Address) -> list[str]:
    """All forms that carry *address*. With 40 bits of zeros at its end, one by a prefix of 96 bits would be another's."""
    return [of_48_bits(address), *(form.format(address) for form in FORMS)]


@given(v4.filter(int))
def test_every_form_of_an_address_is_that_address(address: ipaddress.IPv4Address) -> None:
    assert {parse_address(form) for form in forms(address)} == {address}


@given(v4.filter(int), v4.filter(int), st.sampled_from(range(6)), st.sampled_from(range(6)))
def test_a_list_means_an_address_in_each_of_its_forms(
    listed: ipaddress.IPv4Address, peer: ipaddress.IPv4Address, entry: int, form: int
) -> None:
    """However it is written there, and however the peer comes."""
    block, allow = IpFilter(block=[forms(listed)[entry]]), IpFilter(allow=[forms(listed)[entry]])
    for address in (listed, peer):
        assert block.admits(forms(address)[form]) is (address != listed)
        assert allow.admits(forms(address)[form]) is (address == listed)


@given(v4, st.integers(0, 32), v4.filter(int), st.sampled_from(FORMS), st.sampled_from(range(6)))
def test_a_network_means_its_addresses_in_each_of_their_forms(
    base: ipaddress.IPv4Address, length: int, peer: ipaddress.IPv4Address, form: str, coming: int
) -> None:
    network = ipaddress.IPv4Network((base, length), strict=False)
    shift = 0 if form == "{}" else 96
    entry = parse_range(f"{form.format(network.network_address)}/{length + shift}")
    if shift and length == 32 and not int(network.network_address):
        return  # "::": an address of NAT64 that ends in zeros
    assert entry.network == network
    assert entry.contains(forms(peer)[coming]) is (peer in network)
    assert entry.contains(forms(network.network_address)[1])


@given(v4, st.integers(0, 32), v4)
def test_networks_of_nat64_with_48_bits(base: ipaddress.IPv4Address, length: int, peer: ipaddress.IPv4Address) -> None:
    """The 8 bits between the halves of the address are none of its own."""
    network = ipaddress.IPv4Network((base, length), strict=False)
    bits = 48 + length + (8 if length > 16 else 0)
    entry = parse_range(f"{of_48_bits(network.network_address)}/{bits}")
    assert entry.contains(str(peer)) is (peer in network)


@given(st.ip_addresses(v=6), st.integers(0, 128), st.ip_addresses(v=6))
def test_other_networks_are_those_of_ipaddress(
    base: ipaddress.IPv6Address, length: int, peer: ipaddress.IPv6Address
) -> None:
    network = ipaddress.IPv6Network((base, length), strict=False)
    if parse_address(str(peer)) == peer and parse_range(str(network)).network == network:
        assert parse_range(str(network)).contains(str(peer)) is (peer in network)


@pytest.mark.parametrize(("entry", "other"), [("::/0", "::1"), ("::fffe:0:0/95", "::fffe:0:1"), ("::/64", "::1")])
def test_a_network_beyond_what_carries_ipv4_has_none_in_it(entry: str, other: str) -> None:
    """``::/0`` is all of IPv6."""
    assert not parse_range(entry).contains("10.0.0.5")
    assert not parse_range(entry).contains("::ffff:10.0.0.5")
    assert parse_range(entry).contains(other)


@pytest.mark.parametrize(
    ("entry", "peer", "within"),
    [
        *[("fe80::1", "fe80::1%eth0", True), ("fe80::1%eth0", "fe80::1%eth0", True), ("fe80::1%eth0", "fe80::1", True)],
        *[("fe80::1%eth0", "fe80::1%eth1", False), ("fe80::%eth0/64", "fe80::7%eth0", True)],
        *[("fe80::%eth0/64", "fe80::7%eth1", False), ("fe80::1%eth0", "fe80::2%eth0", False)],
    ],
)
def test_a_zone_counts_where_both_name_one(entry: str, peer: str, within: bool) -> None:
    read = parse_range(entry)
    assert read.contains(peer) is within
    assert parse_range(str(read)) == read


@given(st.text(max_size=60) | addresses)
def test_any_text_is_an_address_or_none(text: str) -> None:
    parsed = parse_address(text)
    assert parsed is None or parse_address(str(parsed)) is not None


@pytest.mark.parametrize(
    "entry",
    [
        *["::ffff:10.0.0.1/104", "10.0.0.1%eth0", "fe80::1%", "fe80::1%a/129", "::ffff:10.0.0.256", "10.0.0.0/33"],
        *["", "fe80::1%eth0/64", "nonsense", "010.0.0.1", "10.0.0.0/255.0.0.0/8"],
    ],
)
@pytest.mark.parametrize("setting", ["allow", "block", "trusted_proxies"])
def test_what_is_no_address_is_a_mistake_with_its_place(setting: str, entry: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_mapping(configuration([], security={setting: ["10.0.0.5", entry]}), {})
    assert [problem.path for problem in caught.value.problems] == [f"security.{setting}[1]"]


def test_the_forms_of_the_issue_are_read_from_a_configuration() -> None:
    security = load_mapping(configuration([], security={"block": ["::ffff:10.0.0.5", "::ffff:11.0.0.0/104"]}), {})
    assert security.config.security.block == ("10.0.0.5/32", "11.0.0.0/8")
