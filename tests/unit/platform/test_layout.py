"""Ports and servers are decided from what `up` is given and what the state remembers."""

import socket

import pytest

from federated_imputation.deployments import DEPLOYMENTS, by_name
from federated_imputation.platform.layout import (
    Layout,
    LayoutError,
    decide_layout,
    process_name,
    refuse_taken_ports,
)
from tests.servers import free_port


def test_every_port_is_shifted_and_none_is_used_twice():
    layout = decide_layout({"PORT_OFFSET": "7"}, remembered_offset=None)
    ports = layout.ports()
    assert ports["monolith"] == by_name("monolith").port + 7
    assert ports["postgres"] == 15439
    assert ports["valkey"] == 16386
    assert len(set(ports.values())) == len(ports) == len(DEPLOYMENTS) + 2


@pytest.mark.parametrize(
    ("given", "remembered", "offset"),
    [({}, None, 0), ({}, 40, 40), ({"PORT_OFFSET": "0"}, 40, 0), ({"PORT_OFFSET": " "}, 40, 40)],
)
def test_the_offset_is_remembered_unless_given(given, remembered, offset):
    assert decide_layout(given, remembered_offset=remembered).offset == offset


@pytest.mark.parametrize("offset", ["twelve", "16389", "-7100", "1.5"])
def test_an_impossible_offset_is_refused_by_name(offset):
    with pytest.raises(LayoutError, match="PORT_OFFSET"):
        decide_layout({"PORT_OFFSET": offset}, remembered_offset=None)


def test_our_servers_start_only_when_something_needs_them():
    external = {f"{d.env_prefix}_DATABASE_URL": "postgres://elsewhere/x" for d in DEPLOYMENTS}
    layout = decide_layout({**external, "REDIS_URL": "redis://elsewhere"}, remembered_offset=None)
    assert layout.embedded == ()
    assert not {"postgres", "valkey"} & set(layout.ports())
    del external["NODE_EUR_DATABASE_URL"]
    layout = decide_layout(external, remembered_offset=None)
    assert [deployment.name for deployment in layout.embedded] == ["node-eur"]
    assert {"postgres", "valkey"} <= set(layout.ports())


def test_a_layout_shows_no_password():
    layout = decide_layout(
        {"MONOLITH_DATABASE_URL": "postgres://a:hidden@b/c", "REDIS_URL": "redis://:hidden@b"},
        remembered_offset=None,
    )
    assert "hidden" not in repr(layout)


def test_a_taken_port_is_named_with_its_process_and_a_free_offset():
    deployment = by_name("monolith")
    offset = free_port() - deployment.port
    layout = Layout(offset=offset, deployments=(deployment,), external_redis="redis://elsewhere")
    with socket.create_server(("127.0.0.1", layout.port(deployment))):
        with pytest.raises(
            LayoutError, match=rf"port {layout.port(deployment)} \(monolith\)"
        ) as no:
            refuse_taken_ports(layout)
        assert "PORT_OFFSET=" in str(no.value)
    refuse_taken_ports(layout)


def test_the_web_process_is_called_as_its_deployment():
    assert process_name(by_name("monolith"), "web") == "monolith"
    assert process_name(by_name("monolith"), "beat") == "monolith-beat"
