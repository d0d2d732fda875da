"""The network address that limits by address count: the peer's, or the one that a trusted proxy names.

`X-Forwarded-For` is read only when the peer is in `YIBAO_TRUSTED_PROXIES`; then the last hop that is no trusted proxy counts. What
stands further left was written by the client itself, who could name a new address in each request.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
# A subscriber's line has at least a /64 of IPv6 addresses (RFC 6177): all of them are one client.
IPV6_PREFIX: Final = 64
MAX_HOPS: Final = 20
FORWARDED_FOR: Final = b"x-forwarded-for"


def client_address(scope: Mapping[str, Any], trusted_proxies: Sequence[Network] = ()) -> str:
    """The client's address of an ASGI scope (`http` or `websocket`): an IPv4 address, an IPv6 network of /64, or "" for none.

    Never raises: a proxy that names no valid address is the client itself.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    if not trusted_proxies or not is_trusted(peer, trusted_proxies):
        return counted_as(peer)
    hops = b",".join(value for name, value in scope["headers"] if name == FORWARDED_FOR).decode("latin-1").split(",")
    nearest = peer
    for hop in hops[: -MAX_HOPS - 1 : -1]:
        address = _without_port(hop.strip())
        if _parsed(address) is None:
            break
        nearest = address
        if not is_trusted(address, trusted_proxies):
            break
    return counted_as(nearest)


@lru_cache(maxsize=4_096)
def counted_as(text: str) -> str:
    """The address under which `text` is counted: IPv4 as it is, IPv6 as its /64; "" for what is no address."""
    address = _parsed(text)
    if address is None:
        return ""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def is_trusted(text: str, trusted_proxies: Sequence[Network]) -> bool:
    address = _parsed(text)
    return address is not None and any(address in network for network in trusted_proxies)


def networks_of(text: str) -> tuple[Network, ...]:
    """Networks separated by commas, as `10.0.0.0/8,2001:db8::/32`. Raises `ValueError` that names the wrong one."""
    networks = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError:
            raise ValueError(f"{part} is no network such as 10.0.0.0/8") from None
    return tuple(networks)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _without_port(hop: str) -> str:
    """Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
