"""Production does not send people's data in clear: every connection has TLS, stays on this machine, or is on a private network.

`YIBAO_PRIVATE_NETWORK=yes` says the last: the operator vouches that nobody else reads that network.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from temporalio.envconfig import ClientConfigProfile

from activities.settings import SettingsError

PRIVATE_NETWORK: Final = "YIBAO_PRIVATE_NETWORK"
_ENCRYPTED_SSL_MODES: Final = frozenset({"require", "verify-ca", "verify-full"})
_OTHERWISE: Final = f"or set {PRIVATE_NETWORK}=yes where nobody else reads the network"


def require_encryption(environment: Mapping[str, str], *, web: Iterable[str] = (), temporal: bool = True) -> None:
    """Raise `SettingsError` with a line for each connection that `environment` configures in clear to another machine.

    `web` are the variables of HTTP addresses; PostgreSQL's address and, unless `temporal` is false, Temporal's are
    always checked.
    """
    if environment.get(PRIVATE_NETWORK, "").strip() == "yes":
        return
    lines = [
        f"{name} is wrong: http:// sends data in clear: use https://, {_OTHERWISE}"
        for name in web
        if environment.get(name, "").strip() and not _is_encrypted_web(environment[name].strip())
    ]
    if not _is_encrypted_database(environment):
        lines.append(
            "YIBAO_DATABASE_URL is wrong: PostgreSQL may be spoken to in clear: add ?sslmode=verify-full (or require), "
            + _OTHERWISE
        )
    if temporal and not _is_encrypted_temporal(environment):
        lines.append(f"TEMPORAL_ADDRESS is wrong: Temporal is spoken to in clear: set TEMPORAL_TLS=true, {_OTHERWISE}")
    if lines:
        raise SettingsError(lines)


def is_this_machine(host: str | None) -> bool:
    """Whether a host name or address is the loopback; nothing else is asked about the name."""
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _is_encrypted_web(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme != "http" or is_this_machine(parts.hostname)


def _is_encrypted_database(environment: Mapping[str, str]) -> bool:
    address = urlsplit(environment.get("YIBAO_DATABASE_URL", ""))
    options = parse_qs(address.query)
    hosts = [*_hosts(address.netloc), *(host for value in options.get("host", ()) for host in value.split(","))]
    # A path is a socket of this machine.
    if all(is_this_machine(host) or unquote(host).startswith("/") for host in hosts):
        return True
    mode = (options.get("sslmode") or [environment.get("PGSSLMODE", "")])[-1]
    return mode in _ENCRYPTED_SSL_MODES


def _hosts(netloc: str) -> list[str]:
    """The hosts of a PostgreSQL address, which may be several: `user:password@one:5432,two:5432`."""
    addresses = netloc.rpartition("@")[2].split(",")
    return [str(urlsplit(f"//{each}").hostname or "") for each in addresses]


def _is_encrypted_temporal(environment: Mapping[str, str]) -> bool:
    given = {name: value for name, value in environment.items() if value.strip()}
    profile = ClientConfigProfile.load(override_env_vars=given).to_client_connect_config()
    host = str(profile.get("target_host", "")).rpartition(":")[0].strip("[]")
    return bool(profile.get("tls")) or is_this_machine(host)
