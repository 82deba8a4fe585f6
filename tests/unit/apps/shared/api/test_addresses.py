from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.shared.api.addresses import block_of, client_address, is_within

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"), ip_network("127.0.0.1")]
ADDRESSES = st.ip_addresses().map(str)
OURS = st.ip_addresses(network="10.0.0.0/8").map(str)
STRANGERS = ADDRESSES.filter(lambda address: not is_within(address, TRUSTED))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "found"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "10.0.0.5", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9,192.0.2.7 , 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "192.0.2.7, ", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7:4711", "10.0.0.1"),
        ("2001:db8:1::1", "2001:db8:2::7", "2001:db8:2::7"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "192.0.2.7", "fe80::1"),
        ("", "192.0.2.7", ""),
        ("testserver", "192.0.2.7", ""),
    ],
)
def test_an_address_is_believed_as_far_as_trusted_hops_go(peer, forwarded_for, found):
    assert client_address(peer=peer, forwarded_for=forwarded_for, trusted=TRUSTED) == found


@given(peer=STRANGERS, forwarded_for=st.text() | st.lists(ADDRESSES).map(",".join))
def test_a_stranger_is_the_client_whatever_it_says(peer, forwarded_for):
    found = client_address(peer=peer, forwarded_for=forwarded_for, trusted=TRUSTED)
    assert found == client_address(peer=peer, forwarded_for="", trusted=TRUSTED)


@given(said=st.text(), client=STRANGERS, hops=st.lists(OURS), peer=OURS)
def test_nothing_that_a_client_says_changes_what_our_hops_saw(said, client, hops, peer):
    forwarded_for = ", ".join([said, client, *hops])
    found = client_address(peer=peer, forwarded_for=forwarded_for, trusted=TRUSTED)
    assert found == client_address(peer=client, forwarded_for="", trusted=())


@given(peer=st.text() | ADDRESSES, forwarded_for=st.text())
def test_the_answer_is_an_address_or_nothing(peer, forwarded_for):
    found = client_address(peer=peer, forwarded_for=forwarded_for, trusted=TRUSTED)
    assert not found or "%" not in str(ip_address(found))


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("nowhere", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_client(address, block):
    assert block_of(address) == block
