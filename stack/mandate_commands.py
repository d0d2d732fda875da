"""What `yibao mandate` does: a token of the person's from the development issuer, and the public API."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import click

from stack.api import Api
from stack.data_directory import DataDirectory
from stack.issuer import DevelopmentIssuer, require_no_real_issuer
from workflows.vocabulary import Role

MANDATE = "{ id person { maskedName } agentMaskedResidentId relation validUntil state }"
ERRORS = """... on UserError { message } ... on ValidationFailed { violations { path message } }
    ... on StepPending { retryAfterSeconds }"""
GRANT = f"""mutation ($input: GrantMandateInput!) {{ grantMandate(input: $input) {{ __typename
    ... on GrantMandatePayload {{ mandate {MANDATE} }} {ERRORS} }} }}"""
REVOKE = f"""mutation ($input: RevokeMandateInput!) {{ revokeMandate(input: $input) {{ __typename
    ... on RevokeMandatePayload {{ mandate {MANDATE} }} {ERRORS} }} }}"""
LIST = f"{{ viewer {{ mandates {{ given {MANDATE} held {MANDATE} }} }} }}"


def grant_and_print(data_dir: Path, resident_id: str, *, agent: str, relation: str, until: date) -> None:
    """Give a mandate and print it. Raises `StackError`."""
    given = {"agentResidentId": agent, "relation": relation, "validUntil": until.isoformat()}
    _print((_do(data_dir, resident_id, GRANT, given))["mandate"])


def revoke_and_print(data_dir: Path, resident_id: str, mandate_id: str) -> None:
    """Take a mandate back and print how it stands. Raises `StackError`."""
    _print((_do(data_dir, resident_id, REVOKE, {"mandateId": mandate_id}))["mandate"])


def list_and_print(data_dir: Path, resident_id: str) -> None:
    """Print what a person has given, then what they hold. Raises `StackError`."""
    found = _as_person(data_dir, resident_id, lambda api: api.ask(LIST))["viewer"]["mandates"]
    for heading in ("given", "held"):
        click.echo(f"{heading}: {len(found[heading])}")
        for each in found[heading]:
            _print(each)


def _do(data_dir: Path, resident_id: str, mutation: str, given: dict[str, str]) -> dict[str, Any]:
    keyed = {"idempotencyKey": f"cli-{secrets.token_hex(12)}"} | given
    return _as_person(data_dir, resident_id, lambda api: api.do(mutation, input=keyed))


def _as_person(data_dir: Path, resident_id: str, act: Callable[[Api], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    require_no_real_issuer()
    gateway = DataDirectory(data_dir).read_stack().gateway
    token = DevelopmentIssuer.of(data_dir, make=False).token(Role.INSURED_PERSON, resident_id=resident_id)

    async def run() -> dict[str, Any]:
        api = Api(gateway, token, language="en")
        try:
            return await act(api)
        finally:
            await api.close()

    return asyncio.run(run())


def _print(mandate: dict[str, Any]) -> None:
    click.echo(
        f"{mandate['id']}  {mandate['person']['maskedName']} -> {mandate['agentMaskedResidentId']} "
        f"({mandate['relation']}), until {mandate['validUntil']}: {mandate['state']}"
    )
