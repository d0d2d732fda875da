"""Production does not speak to another machine in clear, unless somebody vouches for the network."""

import pytest

from activities.settings import SettingsError, WorkerSettings, read_settings
from activities.transport_security import is_this_machine, require_encryption
from activities.worker import configuration
from gateway.settings import load_settings
from tests.cases import generate_keyring

SECURE = {
    "YIBAO_DATABASE_URL": "postgresql://yibao_worker@database.example:5432/yibao?sslmode=verify-full",
    "TEMPORAL_ADDRESS": "temporal.example:7233",
    "TEMPORAL_TLS": "true",
    "YIBAO_BANK_URL": "https://bank.example",
    "YIBAO_NOTICE_URL": "https://notices.example/yibao",
}
DATABASE = (
    "YIBAO_DATABASE_URL is wrong: PostgreSQL may be spoken to in clear: add ?sslmode=verify-full (or require), "
    "or set YIBAO_PRIVATE_NETWORK=yes where nobody else reads the network"
)
TEMPORAL = (
    "TEMPORAL_ADDRESS is wrong: Temporal is spoken to in clear: set TEMPORAL_TLS=true, "
    "or set YIBAO_PRIVATE_NETWORK=yes where nobody else reads the network"
)


def _web(name: str) -> str:
    return (
        f"{name} is wrong: http:// sends data in clear: use https://, "
        "or set YIBAO_PRIVATE_NETWORK=yes where nobody else reads the network"
    )


def _lines(**changes: str) -> list[str]:
    try:
        require_encryption(SECURE | changes, web=("YIBAO_BANK_URL", "YIBAO_NOTICE_URL"))
    except SettingsError as error:
        return error.lines
    return []


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"YIBAO_BANK_URL": "http://bank.example"}, [_web("YIBAO_BANK_URL")]),
        ({"YIBAO_NOTICE_URL": "http://notices.example"}, [_web("YIBAO_NOTICE_URL")]),
        ({"YIBAO_NOTICE_URL": " "}, []),
        ({"YIBAO_BANK_URL": "http://127.0.0.2:9000", "YIBAO_NOTICE_URL": "http://[::1]:9000"}, []),
        ({"YIBAO_BANK_URL": "http://localhost.example"}, [_web("YIBAO_BANK_URL")]),
        ({"YIBAO_DATABASE_URL": "postgresql://database.example/yibao"}, [DATABASE]),
        ({"YIBAO_DATABASE_URL": "postgresql://database.example/yibao?sslmode=prefer"}, [DATABASE]),
        ({"YIBAO_DATABASE_URL": "postgresql://database.example/yibao?sslmode=require"}, []),
        ({"YIBAO_DATABASE_URL": "postgresql://database.example/yibao", "PGSSLMODE": "verify-ca"}, []),
        ({"YIBAO_DATABASE_URL": "postgresql://database.example/yibao?sslmode=disable", "PGSSLMODE": "require"}, [DATABASE]),
        ({"YIBAO_DATABASE_URL": "postgresql://127.0.0.1:5433/yibao"}, []),
        ({"YIBAO_DATABASE_URL": "postgresql:///yibao?host=/var/run/postgresql"}, []),
        ({"YIBAO_DATABASE_URL": "postgresql:///yibao?host=database.example"}, [DATABASE]),
        ({"YIBAO_DATABASE_URL": "postgresql://127.0.0.1,database.example/yibao"}, [DATABASE]),
        ({"TEMPORAL_TLS": "false"}, [TEMPORAL]),
        ({"TEMPORAL_TLS": "", "TEMPORAL_API_KEY": "key"}, []),
        ({"TEMPORAL_TLS": "false", "TEMPORAL_ADDRESS": "127.0.0.1:7233"}, []),
        ({"TEMPORAL_TLS": "false", "TEMPORAL_ADDRESS": "[::1]:7233"}, []),
    ],
)  # fmt: skip
def test_each_connection_in_clear_to_another_machine_is_named(changes: dict[str, str], lines: list[str]) -> None:
    assert _lines(**changes) == lines
    assert _lines(**changes, YIBAO_PRIVATE_NETWORK="yes") == []
    assert _lines(**changes, YIBAO_PRIVATE_NETWORK="no") == lines


def test_every_connection_in_clear_is_named_at_once() -> None:
    clear = {"YIBAO_DATABASE_URL": "postgresql://d/y", "TEMPORAL_TLS": "", "YIBAO_BANK_URL": "http://b"}
    assert _lines(**clear) == [_web("YIBAO_BANK_URL"), DATABASE, TEMPORAL]


def test_the_worker_of_production_refuses_and_that_of_development_does_not() -> None:
    keyring = {"YIBAO_KEYRING": generate_keyring().generate_text()}
    clear = SECURE | keyring | {"YIBAO_BANK_URL": "http://bank.example"}
    with pytest.raises(SettingsError) as refused:
        configuration(clear)
    assert refused.value.lines == [_web("YIBAO_BANK_URL")]
    settings, _ = configuration(clear | {"YIBAO_ENV": "development"})
    assert settings.bank_url == "http://bank.example"
    with pytest.raises(SettingsError) as wrong:
        read_settings(WorkerSettings, clear | {"YIBAO_PRIVATE_NETWORK": "maybe"})
    assert wrong.value.lines == ["YIBAO_PRIVATE_NETWORK is wrong: Input should be 'yes' or 'no'"]


def test_the_gateway_of_production_refuses_and_that_of_development_does_not() -> None:
    clear = SECURE | {
        "YIBAO_PUBLIC_URL": "http://yibao.example",
        "TEMPORAL_TLS": "",
        "YIBAO_OIDC_ISSUER": "https://issuer.example",
        "YIBAO_OIDC_AUDIENCE": "yibao",
        "YIBAO_KEYRING": generate_keyring().generate_text(),
    }
    with pytest.raises(SettingsError) as refused:
        load_settings(clear)
    assert refused.value.lines == [_web("YIBAO_PUBLIC_URL"), TEMPORAL]
    assert load_settings(clear | {"YIBAO_ENV": "development"}).public_url == "http://yibao.example"
    assert load_settings(clear | {"YIBAO_PRIVATE_NETWORK": "yes"}).private_network == "yes"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), (None, True), ("10.0.0.1", False), ("bank", False)],
)
def test_only_the_loopback_is_this_machine(host: str | None, is_loopback: bool) -> None:
    assert is_this_machine(host) is is_loopback
