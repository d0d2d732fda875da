"""What `yibao mandate` does: a token of the person's or the clerk's from the development issuer, and the public API."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click

from stack.api import Api
from stack.data_directory import DataDirectory
from stack.issuer import DevelopmentIssuer, require_no_real_issuer
from workflows.vocabulary import Role

MANDATE = "{ id person { maskedName } agentMaskedResidentId relation validUntil state startsAt }"
ERRORS = """... on UserError { message } ... on ValidationFailed { violations { path message } }
    ... on StepPending { retryAfterSeconds }"""
GRANT = f"""mutation ($input: GrantMandateInput!) {{ grantMandate(input: $input) {{ __typename
    ... on GrantMandatePayload {{ mandate {MANDATE} }} {ERRORS} }} }}"""
REVOKE = f"""mutation ($input: RevokeMandateInput!) {{ revokeMandate(input: $input) {{ __typename
    ... on RevokeMandatePayload {{ mandate {MANDATE} }} {ERRORS} }} }}"""
APPROVE = f"""mutation ($input: ApproveMandateInput!) {{ approveMandate(input: $input) {{ __typename
    ... on ApproveMandatePayload {{ mandate {MANDATE} }} {ERRORS} }} }}"""
CONFIRM = f"""mutation ($input: ConfirmMandateInput!) {{ confirmMandate(input: $input) {{ __typename
    ... on ConfirmMandatePayload {{ mandate {MANDATE} }} {ERRORS} }} }}"""
LIST = f"{{ viewer {{ mandates {{ given {MANDATE} held {MANDATE} }} }} }}"


class Clerk(NamedTuple):
    """A clerk of the agency of `region`, by the name that their token has for them."""

    name: str
    region: str


def grant_and_print(data_dir: Path, resident_id: str, *, agent: str, relation: str, until: date) -> None:
    """Give a mandate and print it. Raises `StackError`."""
    given = {"agentResidentId": agent, "relation": relation, "validUntil": until.isoformat()}
    _do_and_print(data_dir, _person(resident_id), GRANT, given)


def enter_and_print(
    data_dir: Path, clerk: Clerk, *, resident_id: str, agent: str, relation: str, until: date, paper: str
) -> None:
    """Enter at a window what a person has signed on paper, and print it. Raises `StackError`."""
    given = {"residentId": resident_id, "agentResidentId": agent, "relation": relation, "paperReference": paper}
    _do_and_print(data_dir, _clerk(clerk), GRANT, given | {"validUntil": until.isoformat()})


def approve_and_print(data_dir: Path, clerk: Clerk, mandate_id: str) -> None:
    """Approve a mandate as the agency's second person, and print how it stands. Raises `StackError`."""
    _do_and_print(data_dir, _clerk(clerk), APPROVE, {"mandateId": mandate_id})


def confirm_and_print(data_dir: Path, resident_id: str, mandate_id: str) -> None:
    """Confirm a mandate as its giver, and print how it stands. Raises `StackError`."""
    _do_and_print(data_dir, _person(resident_id), CONFIRM, {"mandateId": mandate_id})


def revoke_and_print(data_dir: Path, resident_id: str, mandate_id: str) -> None:
    """Take a mandate back and print how it stands. Raises `StackError`."""
    _do_and_print(data_dir, _person(resident_id), REVOKE, {"mandateId": mandate_id})


def list_and_print(data_dir: Path, resident_id: str) -> None:
    """Print what a person has given, then what they hold. Raises `StackError`."""
    found = _as(data_dir, _person(resident_id), lambda api: api.ask(LIST))["viewer"]["mandates"]
    for heading in ("given", "held"):
        click.echo(f"{heading}: {len(found[heading])}")
        for each in found[heading]:
            _print(each)


TokenOf = Callable[[DevelopmentIssuer], str]


def _person(resident_id: str) -> TokenOf:
    return lambda issuer: issuer.token(Role.INSURED_PERSON, resident_id=resident_id)


def _clerk(clerk: Clerk) -> TokenOf:
    return lambda issuer: issuer.token(Role.CLERK, region=clerk.region, subject=clerk.name)


def _do_and_print(data_dir: Path, token_of: TokenOf, mutation: str, given: dict[str, str]) -> None:
    keyed = {"idempotencyKey": f"cli-{secrets.token_hex(12)}"} | given
    _print(_as(data_dir, token_of, lambda api: api.do(mutation, input=keyed))["mandate"])


def _as(data_dir: Path, token_of: TokenOf, act: Callable[[Api], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    require_no_real_issuer()
    gateway = DataDirectory(data_dir).read_stack().gateway
    token = token_of(DevelopmentIssuer.of(data_dir, make=False))

    async def run() -> dict[str, Any]:
        api = Api(gateway, token, language="en")
        try:
            return await act(api)
        finally:
            await api.close()

    return asyncio.run(run())


def _print(mandate: dict[str, Any]) -> None:
    click.echo(mandate_line(mandate))


def mandate_line(mandate: dict[str, Any]) -> str:
    """One line: who lets whom act, until when, and how it stands; where it waits for its start, also from when."""
    start = f", starts at {mandate['startsAt']}" if mandate["state"] == "AWAITING_START" else ""
    return (
        f"{mandate['id']}  {mandate['person']['maskedName']} -> {mandate['agentMaskedResidentId']} "
        f"({mandate['relation']}), until {mandate['validUntil']}: {mandate['state']}{start}"
    )
