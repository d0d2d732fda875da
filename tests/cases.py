"""Transfers for the tests: synthetic persons in both registers, and commands put into the log as the gateway does."""

import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from activities.bank.http import HttpBank
from activities.database import open_pool
from activities.dispatch import PendingCommand
from activities.keyring import Keyring
from activities.register_load import load_register
from stack.bank import bank_app
from stack.outside import outside_server
from tests.activities.register_extracts import WANG, extract, row
from tests.conftest import Database
from workflows import commands as c
from workflows.actors import Actor
from workflows.events import TransferEvent
from workflows.state import TransferState
from workflows.vocabulary import InsuranceScheme, Role

BEIJING, SHANGHAI_POOL = "110000", "319900"
EMPLOYER_ID = "91110000600037341L"
PERSON = Actor(subject="person-1", roles=(Role.INSURED_PERSON,))


def staff(role: Role, region: str) -> Actor:
    """An official of a region: `clerk-110000`."""
    return Actor(subject=f"{role.lower()}-{region}", roles=(role,), region=region)


O_CLERK, O_FINANCE = staff(Role.CLERK, BEIJING), staff(Role.FINANCE, BEIJING)
R_CLERK, R_FINANCE = staff(Role.CLERK, SHANGHAI_POOL), staff(Role.FINANCE, SHANGHAI_POOL)
BALANCE_FEN = 420_000

# One person: stopped in Beijing, insured in Shanghai.
ORIGIN = {"region": BEIJING}
DESTINATION = {
    "region": SHANGHAI_POOL,
    "status": "ACTIVE",
    "stopped_on": "",
    "enrolled_on": "2025-11-01",
    "employer_id": "91310000600037341M",
    "personal_account_fen": "10000",
    "contribution_months": "202511-202511",
}


def generate_keyring() -> Keyring:
    return Keyring.from_text(Keyring.generate_text())


@dataclass
class Cases:
    """A migrated database with registers, and the log of commands."""

    database: Database
    keyring: Keyring
    worker_pool: asyncpg.Pool
    gateway_pool: asyncpg.Pool
    owner: asyncpg.Connection
    serial: int = 0
    transfers: dict[str, UUID] = field(default_factory=dict)

    async def registers(self, *rows: dict[str, str]) -> None:
        """Load the rows, each the standard person but for its changes."""
        with tempfile.TemporaryDirectory() as folder:
            report = await load_register(
                self.database.owner_url, self.keyring, extract(Path(folder), *(row(**each) for each in rows))
            )
        assert report.error_count == 0, report.errors

    async def standard_person(self, **origin: str) -> None:
        """One person who may transfer from Beijing to Shanghai; `origin` changes Beijing's row."""
        await self.registers(ORIGIN | origin, DESTINATION)

    async def apply(
        self,
        *,
        resident_id: str = WANG,
        request_stop: bool = False,
        wait_for_register: bool = False,
        between: tuple[str, str] = (BEIJING, SHANGHAI_POOL),
        schemes: tuple[InsuranceScheme, InsuranceScheme] = (InsuranceScheme.EMPLOYEE, InsuranceScheme.EMPLOYEE),
        at: datetime | None = None,
    ) -> PendingCommand:
        """Put an application into the log, as the gateway does, and return what is to be dispatched."""
        self.serial += 1
        at = at or datetime.now(UTC)
        application = c.Application(
            transfer_id=uuid4(),
            no=f"ZY-{between[1]}-{at:%Y%m%d}-{self.serial:06d}",
            from_region=between[0],
            to_region=between[1],
            from_scheme=schemes[0],
            to_scheme=schemes[1],
            request_stop=request_stop,
            wait_for_register=wait_for_register,
        )
        keys = [key.hex() for key in self.keyring.person_keys(resident_id)]
        said = {
            "application": application.model_dump(mode="json"),
            "person_keys": keys,
            "name_key": None,
            "is_self": True,
        }
        command = PendingCommand(uuid4().hex, application.transfer_id, application.no)
        await self._append(command, "SUBMIT_TRANSFER", PERSON, json.dumps(said), at, bytes.fromhex(keys[0]))
        return command

    async def ask(
        self, transfer: PendingCommand, ask: c.Ask, actor: Actor, *, at: datetime | None = None
    ) -> PendingCommand:
        """Put a step into the log and return what is to be dispatched."""
        action: Any = getattr(ask, "action")  # noqa: B009 - every ask has one, its base does not say so
        state = await self.state(transfer.transfer_id)
        command = PendingCommand(uuid4().hex, transfer.transfer_id, transfer.transfer_no, action, state)
        await self._append(command, action, actor, ask.model_dump_json(), at or datetime.now(UTC), None)
        return command

    async def state(self, transfer_id: UUID) -> TransferState:
        document = await self.owner.fetchval("select state from transfers where transfer_id = $1", transfer_id)
        return TransferState.model_validate_json(document)

    async def events(self, transfer_id: UUID) -> list[TransferEvent]:
        rows = await self.owner.fetch(
            "select event from transfer_events where transfer_id = $1 order by seq", transfer_id
        )
        return [TransferEvent.model_validate_json(each["event"]) for each in rows]

    async def _append(
        self, command: PendingCommand, kind: str, actor: Actor, said: str, at: datetime, person_key: bytes | None
    ) -> None:
        await self.gateway_pool.execute(
            """insert into commands (command_id, key_hash, input_hash, kind, transfer_id, transfer_no, person_key, actor,
                                     input, received_at) values ($1, $1, '', $2, $3, $4, $5, $6, $7, $8)""",
            command.command_id, kind, command.transfer_id, command.transfer_no, person_key, actor.model_dump_json(), said, at,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def open_cases(database: Database, keyring: Keyring | None = None) -> AsyncIterator[Cases]:
    """Cases on `database`, with a keyring of their own unless one is given."""
    worker_pool, gateway_pool = await open_pool(database.worker_url), await open_pool(database.gateway_url, size=4)
    owner = await asyncpg.connect(database.owner_url)
    try:
        yield Cases(database, keyring or generate_keyring(), worker_pool, gateway_pool, owner)
    finally:
        await owner.close()
        await gateway_pool.close()
        await worker_pool.close()


@contextlib.asynccontextmanager
async def open_bank(url: str) -> AsyncIterator[HttpBank]:
    """The real port, to whatever bank there is at `url`."""
    bank = HttpBank(url)
    try:
        yield bank
    finally:
        await bank.close()


@contextlib.asynccontextmanager
async def sandbox_bank(folder: Path) -> AsyncIterator[HttpBank]:
    """The real port, and the sandbox bank at its other end, with its memory in `folder`."""
    async with outside_server(bank_app(folder)) as url, open_bank(url) as bank:
        yield bank
