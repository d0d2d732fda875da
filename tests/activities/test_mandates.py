"""Mandates in PostgreSQL: written once, one in force at a time, ended by their day or taken back; and who may write them."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from temporalio.client import Client

from activities.mandates import (
    Agent,
    MandateApproval,
    MandateCommand,
    MandateConfirmation,
    MandateGrant,
    MandateRevocation,
    holds_mandate,
)
from activities.migrate import migrations
from activities.people import find_person, open_agent, seal_agent
from activities.sweeper import Sweeper
from tests.activities.desk import MONDAY, TUESDAY, WEDNESDAY, Desk, changed, open_desk, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.cases import BEIJING, O_CLERK, O_FINANCE, PERSON
from tests.conftest import Database
from workflows.actors import Actor
from workflows.deadlines import SHANGHAI
from workflows.messages import CommandOutcome, MandateOrder
from workflows.vocabulary import MandateRelation

FRIDAY = date(2026, 3, 6)
DONE = CommandOutcome(kind="DONE")


async def record(
    desk: Desk,
    kind: MandateCommand,
    said: MandateGrant | MandateRevocation | MandateApproval | MandateConfirmation,
    at: datetime,
    actor: Actor = PERSON,
) -> MandateOrder:
    """Put the command into the log, as the gateway does."""
    command_id = uuid4().hex
    await desk.cases.gateway_pool.execute(
        """insert into commands (command_id, key_hash, input_hash, kind, actor, input, received_at)
           values ($1, $1, '', $2, $3, $4, $5)""",
        command_id, kind, actor.model_dump_json(), said.model_dump_json(), at,
    )  # fmt: skip
    return MandateOrder(command_id=command_id)


async def grant_of(desk: Desk, valid_until: date = FRIDAY) -> MandateGrant:
    keyring = desk.cases.keyring
    person = await find_person(desk.db, keyring, WANG)
    assert person is not None
    return MandateGrant(
        mandate_id=uuid4(),
        person_id=person.person_id,
        agent_keys=tuple(key.hex() for key in keyring.person_keys(LI)),
        agent_key_version=keyring.current,
        agent_sealed=seal_agent(person.data_key, "110105********002X").hex(),
        relation=MandateRelation.CHILD,
        valid_until=valid_until,
    )


async def grant(desk: Desk, at: datetime = MONDAY, valid_until: date = FRIDAY) -> UUID:
    given = await grant_of(desk, valid_until)
    order = await record(desk, MandateCommand.GRANT, given, at)
    assert await desk.steps.carry_out_mandate(order) == DONE
    return given.mandate_id


async def revoke(desk: Desk, mandate_id: UUID, at: datetime) -> MandateOrder:
    order = await record(desk, MandateCommand.REVOKE, MandateRevocation(mandate_id=mandate_id), at)
    assert await desk.steps.carry_out_mandate(order) == DONE
    return order


async def enter(desk: Desk, at: datetime = MONDAY) -> UUID:
    """A mandate that a clerk has entered from paper."""
    given = (await grant_of(desk)).model_copy(update={"entered_in": BEIJING, "paper_reference": "SQ-1"})
    order = await record(desk, MandateCommand.GRANT, given, at, O_CLERK)
    assert await desk.steps.carry_out_mandate(order) == DONE
    return given.mandate_id


async def approve(desk: Desk, mandate_id: UUID, at: datetime, actor: Actor = O_FINANCE) -> CommandOutcome:
    said = MandateApproval(mandate_id=mandate_id)
    return await desk.steps.carry_out_mandate(await record(desk, MandateCommand.APPROVE, said, at, actor))


async def confirm(desk: Desk, mandate_id: UUID, at: datetime) -> CommandOutcome:
    said = MandateConfirmation(mandate_id=mandate_id)
    return await desk.steps.carry_out_mandate(await record(desk, MandateCommand.CONFIRM, said, at))


async def told(desk: Desk) -> list[tuple[str, datetime | None]]:
    rows = await desk.db.fetch("select kind, starts_at from mandate_notices order by created_at, kind")
    return [tuple(row) for row in rows]


async def holds(desk: Desk, at: datetime, person: str = WANG, agent: str = LI) -> bool:
    keys = desk.cases.keyring.person_keys
    return await holds_mandate(desk.db, keys(person), Agent(keys(agent), at))


async def test_a_mandate_is_written_once_and_holds_no_number_in_clear(database: Database) -> None:
    async with open_desk(database) as desk:
        given = await grant_of(desk)
        order = await record(desk, MandateCommand.GRANT, given, MONDAY)
        before = await snapshot(desk.db)
        assert await desk.steps.carry_out_mandate(order) == DONE
        after = await snapshot(desk.db)
        assert changed(before, after) == {"mandates", "commands"}
        assert await desk.steps.carry_out_mandate(order) == DONE
        assert await snapshot(desk.db) == after
        row = await desk.row("select * from mandates")
        assert (row["mandate_id"], row["person_id"], row["relation"]) == (given.mandate_id, given.person_id, "CHILD")
        assert (row["granted_at"], row["valid_until"], row["revoked_at"]) == (MONDAY, FRIDAY, None)
        assert (row["agent_key"], row["agent_key_version"]) == desk.cases.keyring.person_key(LI)
        assert (row["granted_by"], row["revoked_by"]) == (order.command_id, None)
        assert (row["starts_at"], row["paper_reference"]) == (MONDAY, None)
        assert not any(clear in str(after["mandates"] + after["commands"]) for clear in (WANG, LI, "002X"))
        person = await find_person(desk.db, desk.cases.keyring, WANG)
        assert person is not None
        assert open_agent(person.data_key, row["agent_sealed"]) == "110105********002X"


async def test_it_is_in_force_to_the_end_of_its_last_day_in_shanghai_and_between_these_two_alone(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        assert not await holds(desk, MONDAY)
        await grant(desk)
        end = datetime(2026, 3, 7, tzinfo=SHANGHAI)
        assert await holds(desk, MONDAY)
        assert await holds(desk, end - timedelta(microseconds=1))
        assert not await holds(desk, end)
        assert not await holds(desk, end.astimezone(UTC))
        assert not await holds(desk, MONDAY, person=LI, agent=WANG)
        assert not await holds(desk, MONDAY, agent="110101199003077213")
        assert not await holds(desk, MONDAY, person="110101199003077213")


async def test_what_was_asked_before_it_was_taken_back_stays_asked_on_a_mandate(database: Database) -> None:
    async with open_desk(database) as desk:
        mandate_id = await grant(desk)
        order = await revoke(desk, mandate_id, TUESDAY)
        assert await holds(desk, TUESDAY - timedelta(seconds=1))
        assert not await holds(desk, TUESDAY)
        row = await desk.row("select * from mandates")
        assert (row["revoked_at"], row["revoked_by"]) == (TUESDAY, order.command_id)
        # Taken back again it stays as it ended.
        mandates = (await snapshot(desk.db))["mandates"]
        await revoke(desk, mandate_id, WEDNESDAY)
        assert (await snapshot(desk.db))["mandates"] == mandates


@pytest.mark.parametrize("late", [False, True])
async def test_the_mandate_given_last_stands_alone_in_whatever_order_they_are_carried_out(
    database: Database, *, late: bool
) -> None:
    async with open_desk(database) as desk:
        instants = [MONDAY, TUESDAY, WEDNESDAY]
        ids = {at: await grant(desk, at) for at in (reversed(instants) if late else instants)}
        rows = await desk.db.fetch("select mandate_id, revoked_at from mandates order by granted_at")
        assert [tuple(row) for row in rows] == [
            (ids[MONDAY], TUESDAY),
            (ids[TUESDAY], WEDNESDAY),
            (ids[WEDNESDAY], None),
        ]


async def test_a_mandate_carried_out_after_a_later_one_was_taken_back_does_not_come_to_life(database: Database) -> None:
    async with open_desk(database) as desk:
        await revoke(desk, await grant(desk, TUESDAY), WEDNESDAY)
        await grant(desk, MONDAY)
        assert not await holds(desk, WEDNESDAY)


async def test_one_from_a_window_holds_from_24_hours_after_the_approval(database: Database) -> None:
    async with open_desk(database) as desk:
        mandate_id = await enter(desk)
        for at in (MONDAY, TUESDAY, WEDNESDAY):
            assert not await holds(desk, at)
        before = await snapshot(desk.db)
        assert await approve(desk, mandate_id, MONDAY, O_CLERK) == CommandOutcome(kind="NOT_ALLOWED", why="SAME_PERSON")
        assert changed(before, await snapshot(desk.db)) == {"commands"}
        assert await desk.db.fetchval("select released from commands where kind = 'APPROVE_MANDATE'")
        assert await approve(desk, mandate_id, TUESDAY) == DONE
        assert not await holds(desk, WEDNESDAY - timedelta(microseconds=1))
        assert await holds(desk, WEDNESDAY)
        assert await told(desk) == [("mandate_entered", None), ("mandate_approved", WEDNESDAY)]


async def test_a_confirmation_that_comes_late_counts_from_when_it_was_received(database: Database) -> None:
    async with open_desk(database) as desk:
        mandate_id = await enter(desk)
        assert await approve(desk, mandate_id, TUESDAY) == DONE
        assert await confirm(desk, mandate_id, MONDAY) == DONE
        assert await holds(desk, MONDAY)
        row = await desk.row("select starts_at, approved_by is null, confirmed_by is null from mandates")
        assert tuple(row) == (MONDAY, False, False)
        assert await told(desk) == [
            ("mandate_entered", None), ("mandate_approved", WEDNESDAY), ("mandate_confirmed", MONDAY),
        ]  # fmt: skip


@pytest.mark.parametrize("late", [False, True])
async def test_one_in_force_ends_with_the_start_of_the_next_and_not_with_one_that_never_started(
    database: Database, *, late: bool
) -> None:
    async with open_desk(database) as desk:
        first = await grant(desk, MONDAY)
        hour = timedelta(hours=1)
        second = await enter(desk, MONDAY + hour)
        assert await approve(desk, second, MONDAY + hour) == DONE
        rows = await desk.db.fetch("select mandate_id, revoked_at from mandates order by granted_at")
        assert [tuple(row) for row in rows] == [(first, TUESDAY + hour), (second, None)]
        # Received before the start it counts, even if it is carried out later.
        await revoke(desk, second, MONDAY + hour * 2)
        if late:
            await revoke(desk, first, WEDNESDAY)
        rows = await desk.db.fetch("select mandate_id, revoked_at from mandates order by granted_at")
        assert [tuple(row) for row in rows] == [(first, WEDNESDAY if late else None), (second, MONDAY + hour * 2)]
        assert await holds(desk, TUESDAY + hour)


async def test_an_agent_is_known_as_the_same_under_a_newer_key(database: Database) -> None:
    async with open_desk(database) as desk:
        first = await grant(desk, MONDAY)
        newer = await grant_of(desk)
        keys = ("00" * 32, *newer.agent_keys)
        given = newer.model_copy(update={"agent_keys": keys, "agent_key_version": "newer"})
        order = await record(desk, MandateCommand.GRANT, given, TUESDAY)
        assert await desk.steps.carry_out_mandate(order) == DONE
        # A revocation does not know the agent's number, and leaves the end of the first where it is.
        await revoke(desk, given.mandate_id, WEDNESDAY)
        rows = await desk.db.fetch("select mandate_id, revoked_at from mandates order by granted_at")
        assert [tuple(row) for row in rows] == [(first, TUESDAY), (given.mandate_id, WEDNESDAY)]


async def test_a_mandate_of_before_that_a_window_entered_without_a_paper_waits_like_the_others(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        given = (await grant_of(desk)).model_copy(update={"entered_in": BEIJING})
        order = await record(desk, MandateCommand.GRANT, given, MONDAY, O_CLERK)
        assert await desk.steps.carry_out_mandate(order) == DONE
        assert not await holds(desk, WEDNESDAY)
        assert await approve(desk, given.mandate_id, MONDAY) == DONE
        assert await holds(desk, TUESDAY)


async def test_mandates_of_before_the_migration_keep_what_they_were(database: Database) -> None:
    async with open_desk(database) as desk:
        first, second = await grant(desk, MONDAY), await grant(desk, TUESDAY)
        await revoke(desk, second, WEDNESDAY)
        (sql,) = (sql for name, sql in migrations() if name.startswith("0025"))
        added = [
            *("paper_reference", "starts_at", "approved_by", "confirmed_by"),
            *("taken_back_at", "taken_back_by", "agent_keys"),
        ]
        await desk.db.execute("drop table mandate_notices")
        await desk.db.execute("alter table mandates " + ", ".join(f"drop column {name}" for name in added))
        await desk.db.execute("update mandates set entered_in = '110000' where mandate_id = $1", first)
        await desk.db.execute(sql)
        rows = await desk.db.fetch("select mandate_id, starts_at, revoked_at from mandates order by granted_at")
        assert [tuple(row) for row in rows] == [(first, MONDAY, TUESDAY), (second, TUESDAY, WEDNESDAY)]
        third = await grant(desk, MONDAY + timedelta(hours=1))
        # What is carried out afterwards leaves the ends of the others where they are.
        rows = await desk.db.fetch("select mandate_id, revoked_at from mandates order by granted_at")
        ended = MONDAY + timedelta(hours=1)
        assert [tuple(row) for row in rows] == [(first, ended), (third, TUESDAY), (second, WEDNESDAY)]


async def test_the_table_refuses_a_mandate_from_a_window_that_starts_without_two_persons_and_a_day(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        await enter(desk)
        before = await snapshot(desk.db)
        for change in (
            "starts_at = granted_at",
            "starts_at = granted_at, approved_by = granted_by",
            "starts_at = granted_at + interval '23 hours', approved_by = granted_by",
            "starts_at = granted_at + interval '5 days', approved_by = granted_by",
            "taken_back_at = granted_at",
        ):
            with pytest.raises(asyncpg.CheckViolationError):
                await desk.cases.worker_pool.execute(f"update mandates set {change}")  # noqa: S608 - our own changes
        assert await snapshot(desk.db) == before


async def test_the_sweeper_carries_out_what_was_left_behind(database: Database, temporal_client: Client) -> None:
    async with open_desk(database) as desk:
        await desk.db.execute("delete from commands")
        given = await grant_of(desk)
        await record(desk, MandateCommand.GRANT, given, MONDAY)
        sweeper = Sweeper(desk.cases.worker_pool, temporal_client, desk.steps)
        assert await sweeper.resend_commands() == 1
        assert await holds(desk, MONDAY)
        assert await sweeper.resend_commands() == 0
        await record(desk, MandateCommand.REVOKE, MandateRevocation(mandate_id=given.mandate_id), MONDAY)
        assert await sweeper.resend_commands() == 1
        assert not await holds(desk, MONDAY)
        mandate_id = await enter(desk)
        await record(desk, MandateCommand.APPROVE, MandateApproval(mandate_id=mandate_id), MONDAY, O_FINANCE)
        assert await sweeper.resend_commands() == 1
        assert [await holds(desk, at) for at in (MONDAY, TUESDAY)] == [False, True]
        await record(desk, MandateCommand.CONFIRM, MandateConfirmation(mandate_id=mandate_id), MONDAY)
        assert await sweeper.resend_commands() == 1
        assert await holds(desk, MONDAY)


async def test_a_command_that_is_not_in_the_log_changes_nothing(database: Database) -> None:
    async with open_desk(database) as desk:
        before = await snapshot(desk.db)
        with pytest.raises(LookupError, match="there is no command nothing"):
            await desk.steps.carry_out_mandate(MandateOrder(command_id="nothing"))
        assert await snapshot(desk.db) == before


@pytest.mark.parametrize(
    "change",
    [
        {"valid_until": date(2026, 3, 1)},
        {"valid_until": date(2028, 3, 3)},
        {"person_id": UUID(int=1)},
    ],
)
async def test_the_table_itself_refuses_what_cannot_be(database: Database, change: dict[str, object]) -> None:
    async with open_desk(database) as desk:
        given = (await grant_of(desk)).model_copy(update=change)
        order = await record(desk, MandateCommand.GRANT, given, MONDAY)
        before = await snapshot(desk.db)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await desk.steps.carry_out_mandate(order)
        assert await snapshot(desk.db) == before


async def test_the_worker_ends_mandates_and_changes_nothing_else_in_them_and_the_gateway_only_reads(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        await grant(desk)
        before = await snapshot(desk.db)
        forbidden = "update mandates set valid_until = valid_until + 1"
        for pool, statements in (
            (desk.cases.worker_pool, [forbidden, "delete from mandates"]),
            (desk.cases.gateway_pool, [forbidden, "delete from mandates", "update mandates set revoked_at = now()"]),
        ):
            for statement in statements:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await pool.execute(statement)
        assert await snapshot(desk.db) == before
