"""The steps of a transfer, each one transaction: the effect, the events, the read model, the worklist, the outcome.

Run twice a step changes nothing and answers the same: what is recorded is the answer.
"""

import json
from collections.abc import Callable
from datetime import datetime

import asyncpg
from pydantic import TypeAdapter

from activities import mandates, records, registers
from activities.application import read_application, rechecked, submission
from activities.database import Connection, transaction
from activities.documents import store
from activities.effects import certificate, complete, issue_application
from activities.free_text import SealedText, keep_texts, seal_texts_of
from activities.keyring import Keyring, KeyringError
from activities.mandates import (
    MandateApproval,
    MandateCommand,
    MandateConfirmation,
    MandateGrant,
    MandateRevocation,
)
from activities.people import PersonRef
from activities.records import Locked
from activities.reference import CALENDAR_KEY_SQL, calendar_in_force, regions_on
from activities.scene import Scene
from activities.step_facts import read_facts
from activities.step_record import DONE, record_step, step_result
from workflows import commands as c
from workflows.actors import BANK, PLATFORM, Actor
from workflows.clocks import tick
from workflows.conclusion import conclude
from workflows.deadlines import shanghai_date
from workflows.decide import decide, decide_submission, issue_certificate, recheck
from workflows.eligibility import assess
from workflows.fold import Facts, advance
from workflows.free_text import clear_texts
from workflows.mandate_terms import WhyNot
from workflows.messages import (
    BankWord,
    CertificateOrder,
    ClockOrder,
    CommandOutcome,
    MandateOrder,
    StepOrder,
    StepResult,
)
from workflows.money import bank_took_order
from workflows.rules import Invalid, NotAllowed, Objection, Stale, objection
from workflows.state import TransferState
from workflows.vocabulary import TransferRoute
from workflows.workdays import WorkingCalendar

_ASK: TypeAdapter[c.AnyAsk] = TypeAdapter(c.AnyAsk)
# With what the calendar rests on of the day on which it was received.
LOCK_COMMAND_SQL = f"""
select c.*, ({CALENDAR_KEY_SQL.format(day=records.RECEIVED_ON)}) as calendar_key
  from commands c where c.command_id = $1 for update
"""  # noqa: S608 - our own statement
NOT_RECORDED = CommandOutcome(kind="NOT_ALLOWED", why="NOT_RECORDED")


class Steps:
    """Each method raises `asyncpg.PostgresError` or `OSError` when the database is away, to be tried again."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring) -> None:
        self._pool = pool
        self._keyring = keyring

    async def open_transfer(self, order: StepOrder) -> StepResult:
        """Carry out an application: the case begins, and ends at once if the registers have changed meanwhile."""
        async with transaction(self._pool) as connection:
            row = await _locked_command(connection, order.command_id)
            if row["outcome"] is not None:
                return await _recorded(connection, row, order)
            actor, at = Actor.model_validate_json(row["actor"]), row["received_at"]
            reading, application = await read_application(connection, self._keyring, row, actor, shanghai_date(at))
            calendar = await calendar_in_force(connection, shanghai_date(at), row["calendar_key"])
            assessment = assess(reading.check, today=shanghai_date(at), calendar=calendar)
            facts = decide_submission(submission(application, reading, assessment), at, calendar)
            opening, state = advance(None, facts[:1], at=at, actor=actor)
            await records.insert_transfer(connection, state, closed_at=at if assessment.blocking else None)
            scene = Scene(
                connection,
                self._keyring,
                state,
                actor,
                at,
                calendar,
                known_person=reading.person,
                known_regions=reading.regions,
            )
            if state.route is TransferRoute.PAPER:
                enrolment = await registers.origin_row_if_any(connection, state)
                await issue_application(scene, enrolment, application.certificate_number)
            following, after = await complete(scene, facts[1:])
            events = (*opening, *following)
            outcome = CommandOutcome(kind="DONE", seq=1)
            await records.record(
                connection,
                None,
                after,
                events,
                last_hash=b"",
                documents=scene.issued,
                command_id=order.command_id,
                outcome=outcome,
            )
            return step_result(outcome, events)

    async def carry_out(self, order: StepOrder) -> StepResult:
        """Carry out one recorded step of a case, or record why it may not be. What is not recorded is not carried out."""
        async with transaction(self._pool) as connection:
            row = await records.lock_with_command(connection, order.transfer_id, order.command_id)
            if row is None:
                # A failure would be tried again for ever, with every other step of the case behind it.
                return step_result(
                    NOT_RECORDED, await records.events_after(connection, order.transfer_id, order.after_seq)
                )
            if row["outcome"] is not None:
                return await _recorded(connection, row, order)
            locked = await records.as_locked(connection, row)
            command = c.Command(
                command_id=order.command_id,
                actor=Actor.model_validate_json(row["actor"]),
                received_at=row["received_at"],
                ask=_ASK.validate_json(row["input"]),
            )
            scene = self._scene(connection, locked, command.actor, command.received_at)
            command, texts = await _sealed(scene, command)
            decided = await _decide(scene, command)
            if isinstance(decided, NotAllowed | Stale | Invalid):
                outcome = _refused(decided)
                await _answer(connection, order.command_id, outcome, released=True)
                return step_result(outcome, await records.events_after(connection, order.transfer_id, order.after_seq))
            if texts:
                await keep_texts(connection, order.transfer_id, texts)
            return await record_step(scene, locked, decided, order, command_id=order.command_id)

    async def issue_certificate(self, order: ClockOrder) -> StepResult:
        """Issue the certificate of an accepted transfer, unless it is issued."""
        return await self._by_itself(order, PLATFORM, lambda state, _: issue_certificate(state))

    async def recheck_registers(self, order: ClockOrder) -> StepResult:
        """Ask both registers again for a case that waits for them, and let it go on when nothing stands in its way."""
        async with transaction(self._pool) as connection:
            locked = await records.lock(connection, order.transfer_id, shanghai_date(order.now))
            await connection.execute(
                "update transfers set checked_at = clock_timestamp() where transfer_id = $1", order.transfer_id
            )
            facts = await self._recheck(connection, locked, order.now) if locked.state.waiting else ()
            if not facts:
                return step_result(DONE, await records.events_after(connection, order.transfer_id, order.after_seq))
            return await record_step(self._scene(connection, locked, PLATFORM, order.now), locked, facts, order)

    async def note_deadlines(self, order: ClockOrder) -> StepResult:
        """Note what the clocks say by the calendar in force: due soon, missed, revised."""
        return await self._by_itself(order, PLATFORM, lambda state, calendar: tick(state, order.now, calendar))

    async def note_bank_took_order(self, order: BankWord) -> StepResult:
        """Note that the bank has taken an order, unless that is known."""

        def took(state: TransferState, calendar: WorkingCalendar) -> Facts:
            facts = bank_took_order(state, order.reference)
            # A balance that is paid out to the person is at its end with the bank's word.
            return conclude(state, facts, at=order.now, actor=BANK, calendar=calendar) if facts else ()

        return await self._by_itself(order, BANK, took)

    async def issue_certificate_alone(self, order: CertificateOrder) -> CommandOutcome:
        """Issue a certificate by itself, as its command asks; its `document_id` is in the outcome.

        Raises LookupError when O's register has no such enrolment any more.
        """
        async with transaction(self._pool) as connection:
            row = await _locked_command(connection, order.command_id)
            if row["outcome"] is not None:
                return CommandOutcome.model_validate_json(row["outcome"])
            said, at = json.loads(row["input"]), row["received_at"]
            enrolment = await connection.fetchrow(
                """select e.*, p.wrapped_key, p.resident_id_sealed from persons p join enrolments e using (person_id)
                    where p.person_key = any($1) and e.region = $2 and e.scheme = $3""",
                [bytes.fromhex(each) for each in said["person_keys"]], said["region"], said["scheme"],
            )  # fmt: skip
            if enrolment is None:
                raise LookupError(f"the register of {said['region']} has no such enrolment any more")
            data_key = self._keyring.unwrap(enrolment["wrapped_key"])
            person = PersonRef(enrolment["person_id"], data_key, enrolment["resident_id_sealed"])
            regions = await regions_on(connection, shanghai_date(at), [said["region"]])
            issued = await certificate(connection, person, enrolment, regions[said["region"]], at=at)
            await store.keep(connection, [issued], transfer_id=None)
            outcome = CommandOutcome(kind="DONE", document_id=issued.document_id)
            await _answer(connection, order.command_id, outcome, released=False)
            return outcome

    async def carry_out_mandate(self, order: MandateOrder) -> CommandOutcome:
        """Write a mandate, have it start, or end it, as its command asks."""
        async with transaction(self._pool) as connection:
            row = await _locked_command(connection, order.command_id)
            if row["outcome"] is not None:
                return CommandOutcome.model_validate_json(row["outcome"])
            why = await _mandate_act(connection, row)
            outcome = DONE if why is None else CommandOutcome(kind="NOT_ALLOWED", why=why)
            await _answer(connection, order.command_id, outcome, released=why is not None)
            return outcome

    async def _by_itself(
        self,
        order: ClockOrder | BankWord,
        actor: Actor,
        happens: Callable[[TransferState, WorkingCalendar], Facts],
    ) -> StepResult:
        """Record what happens without anybody's command. Once it has happened, it does not happen again."""
        async with transaction(self._pool) as connection:
            locked = await records.lock(connection, order.transfer_id, shanghai_date(order.now))
            facts = happens(locked.state, locked.calendar)
            if not facts:
                return step_result(DONE, await records.events_after(connection, order.transfer_id, order.after_seq))
            return await record_step(self._scene(connection, locked, actor, order.now), locked, facts, order)

    def _scene(self, connection: Connection, locked: Locked, actor: Actor, at: datetime) -> Scene:
        return Scene(
            connection,
            self._keyring,
            locked.state,
            actor,
            at,
            locked.calendar,
            known_regions=dict(locked.regions),
            named=locked.named,
        )

    async def _recheck(self, connection: Connection, locked: Locked, now: datetime) -> Facts:
        """What the registers say now of the application that began the case."""
        state, calendar = locked.state, locked.calendar
        row = await connection.fetchrow(
            "select * from commands where transfer_id = $1 and kind = 'SUBMIT_TRANSFER'", state.transfer_id
        )
        if row is None:
            raise LookupError(f"there is no application of transfer {state.transfer_id}")
        actor, today = Actor.model_validate_json(row["actor"]), shanghai_date(now)
        reading, _ = await read_application(connection, self._keyring, row, actor, today)
        assessment = assess(reading.check, today=today, calendar=calendar)
        again = rechecked(reading, assessment)
        return recheck(state, again, now, calendar)


async def _sealed(scene: Scene, command: c.Command) -> tuple[c.Command, tuple[SealedText, ...]]:
    """The command without text in clear. The gateway seals its texts; those recorded before it did are sealed here."""
    clear = clear_texts(command.ask)
    if not clear:
        return command, ()
    try:
        data_key = (await scene.person()).data_key
    except KeyringError:
        data_key = None
    ask, texts = seal_texts_of(data_key, scene.state.transfer_id, command.ask, clear)
    return command.model_copy(update={"ask": ask}), texts


async def _decide(scene: Scene, command: c.Command) -> Facts | Objection:
    """Refuse first, so that no register is asked about a step that may not be; then decide on what they say."""
    refused = objection(scene.state, command.ask.action, command.actor, command.ask.expected_revision)
    if refused is not None:
        return refused
    return decide(scene.state, command, await read_facts(scene, command), scene.calendar)


async def _locked_command(connection: Connection, command_id: str) -> asyncpg.Record:
    row = await connection.fetchrow(LOCK_COMMAND_SQL, command_id)
    if row is None:
        raise LookupError(f"there is no command {command_id}")
    return row


async def _mandate_act(connection: Connection, row: asyncpg.Record) -> WhyNot | None:
    """Carry out a command about a mandate; or why it cannot be. Raises LookupError."""
    command_id, said, at = row["command_id"], row["input"], row["received_at"]
    match MandateCommand(row["kind"]):
        case MandateCommand.GRANT:
            await mandates.grant(connection, command_id, MandateGrant.model_validate_json(said), at)
            return None
        case MandateCommand.REVOKE:
            await mandates.revoke(connection, command_id, MandateRevocation.model_validate_json(said), at)
            return None
        case MandateCommand.APPROVE:
            approver = Actor.model_validate_json(row["actor"])
            approval = MandateApproval.model_validate_json(said)
            return await mandates.approve(connection, command_id, approval, approver, at)
        case MandateCommand.CONFIRM:
            return await mandates.confirm(connection, command_id, MandateConfirmation.model_validate_json(said), at)


async def _recorded(connection: Connection, row: asyncpg.Record, order: StepOrder) -> StepResult:
    outcome = CommandOutcome.model_validate_json(row["outcome"])
    return step_result(outcome, await records.events_after(connection, order.transfer_id, order.after_seq))


async def _answer(connection: Connection, command_id: str, outcome: CommandOutcome, *, released: bool) -> None:
    """A step that may not be leaves its key free (`released`): the caller can ask again when it may."""
    await connection.execute(
        "update commands set outcome = $2, carried_out_at = clock_timestamp(), released = $3 where command_id = $1",
        command_id, outcome.model_dump_json(exclude_defaults=True), released,
    )  # fmt: skip


def _refused(why: Objection) -> CommandOutcome:
    match why:
        case NotAllowed():
            return CommandOutcome(kind="NOT_ALLOWED", why=why.why)
        case Stale():
            return CommandOutcome(kind="STALE")
        case Invalid():
            return CommandOutcome(kind="INVALID", violations=why.violations)
