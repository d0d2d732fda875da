"""Whose address is counted: the peer's, or the last hop before a trusted proxy."""

from typing import Any

import pytest

from gateway.client_address import client_address, networks_of
from gateway.settings import SettingsError, load_settings

PROXIES = networks_of("10.0.0.0/8, 2001:db8:1::/48")


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"host", b"gateway"), *((b"x-forwarded-for", each.encode("latin-1")) for each in forwarded)]
    return {"client": (peer, 4711) if peer is not None else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        # Not a proxy of ours: what it says of others is ignored.
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1"], "127.0.0.1"),
        ("11.0.0.1", ["198.51.100.1"], "11.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::5", ["198.51.100.1"], "198.51.100.1"),
        # The client itself wrote what stands further left.
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.9.9.9, 10.1.1.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:2::1]:4711"], "2001:db8:2::/64"),
        # A proxy that names nobody is the client.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, "], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, ÿ, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", [", ".join(["10.3.3.3"] * 30)], "10.3.3.3"),
    ],
)
def test_the_last_hop_before_a_trusted_proxy_counts(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(scope(peer, *forwarded), PROXIES) == address


def test_without_trusted_proxies_the_peer_counts() -> None:
    for peer, address in (
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/socket", ""),
        (None, ""),
    ):
        assert client_address(scope(peer, "198.51.100.1")) == address


def test_the_setting_is_a_list_of_networks_and_empty_by_default(environment: dict[str, str]) -> None:
    assert load_settings(environment).trusted_proxies == ()
    proxies = {"YIBAO_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8:1::/48"}
    assert load_settings(environment | proxies).trusted_proxies == PROXIES


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "10.0.0.1/8", "nginx", "10.0.0.0/8 192.0.2.0/24"])
def test_a_setting_that_is_no_network_is_named(environment: dict[str, str], wrong: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(environment | {"YIBAO_TRUSTED_PROXIES": f"10.0.0.0/8, {wrong}"})
    assert refused.value.lines == [f"YIBAO_TRUSTED_PROXIES is wrong: {wrong} is no network such as 10.0.0.0/8"]
