import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.shared.http.errors import Refused
from apps.shared.http.guard import Guard, is_public
from apps.shared.http.transport import resolve

INSIDE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
networks = st.sampled_from([ipaddress.ip_network(name) for name in INSIDE])


@given(networks, st.data())
def test_no_address_inside_a_special_network_is_public(network, data):
    offset = data.draw(st.integers(0, network.num_addresses - 1))

    assert not is_public(network[offset])


@given(st.sampled_from(["::ffff:0:0", "64:ff9b::", "2002::", "::"]), st.integers(0, 2**32 - 1))
def test_no_address_that_carries_an_ipv4_address_is_public(prefix, inner):
    shift = 80 if prefix == "2002::" else 0

    assert not is_public(IPv6Address(int(IPv6Address(prefix)) | inner << shift))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "192.0.3.1"],
)
def test_ordinary_ipv4_addresses_are_public(address):
    assert is_public(IPv4Address(address))


@pytest.mark.parametrize(
    "address", ["2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888"]
)
def test_ordinary_ipv6_addresses_are_public(address):
    assert is_public(IPv6Address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0",
        "10.1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:8.8.8.8]",
        "[fe80::1]",
        "[fc00::1]",
        "localhost",
        "LOCALHOST",
    ],
)
def test_no_spelling_of_an_inner_address_is_admitted(host):
    target = Guard().target(f"https://{host}/")

    with pytest.raises(Refused):
        target.admitted(resolve(target.host, target.port))


@given(networks, st.data(), st.sampled_from(["decimal", "hexadecimal", "octal", "dotted octal"]))
def test_no_number_that_means_an_inner_address_is_admitted(network, data, form):
    address = network[data.draw(st.integers(0, network.num_addresses - 1))]
    if address.version == 6:
        host = f"[{address}]"
    else:
        octets = address.packed
        host = {
            "decimal": str(int(address)),
            "hexadecimal": hex(int(address)),
            "octal": f"0{int(address):o}",
            "dotted octal": ".".join(f"0{octet:o}" for octet in octets),
        }[form]
    target = Guard().target(f"https://{host}/")

    with pytest.raises(Refused):
        target.admitted(resolve(target.host, target.port))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://:443/",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://@example.org/",
        "https://127.0.0.1:8030@example.org/",
        "https://example.org:0/",
        "https://example.org:70000/",
        "https://example.org:x/",
        "https://exa mple.org/",
        "https://example.org/a b",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/\r\nX-Header: 1",
        "https://example.org/\x00",
        "https://[::1/",
        " https://example.org/",
    ],
)
def test_an_address_that_is_none_or_hides_something_is_refused(url):
    with pytest.raises(Refused) as caught:
        Guard().target(url)
    assert "password" not in str(caught.value) or "must not hold" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org", "example.org:443"),
        ("HTTPS://Example.ORG/x?y#z", "example.org:443"),
        ("https://example.org:8443/", "example.org:8443"),
        ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443"),
        ("https://bücher.example/", "bücher.example:443"),
    ],
)
def test_an_ordinary_address_leads_to_its_host_and_port(url, shown):
    target = Guard().target(url)

    assert str(target) == shown
    assert not target.is_allowed


def test_plain_http_is_for_calls_that_hold_nothing():
    with pytest.raises(Refused, match="https"):
        Guard().target("http://node.example:6000/")

    assert Guard().target("http://node.example:6000/", plain_http=True).port == 6000


@pytest.mark.parametrize("allow", ["127.0.0.1:8030", "[::1]:8030", "localhost:8030"])
def test_an_allowed_target_may_be_inside_and_plain(allow):
    target = Guard(frozenset({allow})).target(f"http://{allow}/")

    assert target.is_allowed
    assert target.admitted(["127.0.0.1"]) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8031/",
        "http://127.0.0.1/",
        "http://localhost:8030/",
        "http://127.1:8030/",
        "http://127.0.0.1.example:8030/",
    ],
)
def test_what_is_not_on_the_list_word_for_word_is_not_allowed(url):
    with pytest.raises(Refused):
        Guard(frozenset({"127.0.0.1:8030"})).target(url)


def test_only_the_public_ones_of_several_addresses_are_admitted():
    target = Guard().target("https://example.org/")

    assert target.admitted(["10.0.0.1", "93.184.216.34", "::1", "fe80::1%eth0"]) == [
        "93.184.216.34"
    ]
    with pytest.raises(Refused):
        target.admitted(["10.0.0.1", "fe80::1%eth0"])
