"""Steps that may not be: recorded as refused, their key free again, and nothing else changed."""

import traceback
from datetime import date

import asyncpg
import pytest

from activities.registers import named_person
from tests.activities.desk import RECEIPT, THURSDAY, TUESDAY, WEDNESDAY, Desk, changed, open_desk, snapshot
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, O_FINANCE, PERSON, R_CLERK, R_FINANCE
from tests.conftest import Database
from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.messages import CommandOutcome
from workflows.vocabulary import RefusalCode, TransferStatus
from workflows.words import WORDS


async def _refused(desk: Desk, ask: c.Ask, actor: Actor) -> CommandOutcome:
    """The outcome of a step that changes nothing but its own command, whose key it frees; asked twice, the same."""
    command = await desk.cases.ask(desk.transfer, ask, actor, at=THURSDAY)
    order = await desk.order(command)
    before = await snapshot(desk.db)
    result = await desk.steps.carry_out(order)
    after = await snapshot(desk.db)
    assert changed(before, after) == {"commands"}
    row = await desk.outcome(command.command_id)
    assert CommandOutcome.model_validate_json(row["outcome"]) == result.outcome
    assert row["released"] is True
    assert result.events == ()
    assert await desk.steps.carry_out(order) == result
    assert await snapshot(desk.db) == after
    return result.outcome


@pytest.mark.parametrize(
    ("ask", "actor", "why"),
    [
        (c.RemitPersonalAccount(), O_FINANCE, "NOT_YET"),
        (c.ConfirmContinuation(), R_CLERK, "NOT_YET"),
        (RECEIPT, R_FINANCE, "NOT_YET"),
        (c.AcceptTransfer(), R_CLERK, "NOT_YET"),
        (c.DeliverInformationForm(), R_CLERK, "WRONG_SIDE"),
        (c.DeliverInformationForm(), O_FINANCE, "WRONG_ROLE"),
        (c.DeliverInformationForm(), PERSON, "WRONG_ROLE"),
        (c.DeliverInformationForm(), O_CLERK.model_copy(update={"region": "120000"}), "WRONG_SIDE"),
        (c.WithdrawTransfer(reason="x"), O_CLERK, "WRONG_ROLE"),
    ],
)
async def test_a_step_out_of_order_or_by_another_is_refused(
    database: Database, ask: c.Ask, actor: Actor, why: str
) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        assert await _refused(desk, ask, actor) == CommandOutcome(kind="NOT_ALLOWED", why=why)
        await desk.verify()


async def test_a_step_is_refused_a_second_time_and_after_the_end(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        done = CommandOutcome(kind="NOT_ALLOWED", why="ALREADY_DONE")
        assert await _refused(desk, c.DeliverInformationForm(), O_CLERK) == done
        assert await _refused(desk, c.WithdrawTransfer(reason="x"), PERSON) == done
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        closed = CommandOutcome(kind="NOT_ALLOWED", why="CLOSED")
        assert await _refused(desk, RECEIPT, R_FINANCE) == closed
        assert await _refused(desk, c.ReissueCertificate(reason="x"), PERSON) == closed
        assert (await desk.state()).status is TransferStatus.COMPLETED


async def test_a_stale_revision_is_recorded_as_stale_and_one_that_still_holds_goes_on(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        seen = (await desk.state()).revision
        await desk.take(c.DeliverInformationForm(expected_revision=seen), O_CLERK, TUESDAY)
        stale = CommandOutcome(kind="STALE")
        assert await _refused(desk, c.ConfirmContinuation(expected_revision=seen), R_CLERK) == stale
        assert await _refused(desk, c.ConfirmContinuation(expected_revision=99), R_CLERK) == stale
        # The money's track does not make the record's revision stale.
        seen = (await desk.state()).revision
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)
        result = await desk.take(c.ConfirmContinuation(expected_revision=seen), R_CLERK, WEDNESDAY)
        assert result.outcome.kind == "DONE"


@pytest.mark.parametrize(
    ("ask", "field", "code"),
    [
        (RECEIPT.model_copy(update={"remittance_reference": "another"}), "remittanceReference", "UNKNOWN_REFERENCE"),
        (RECEIPT.model_copy(update={"received_on": date(2026, 3, 6)}), "receivedOn", "IN_THE_FUTURE"),
        (RECEIPT.model_copy(update={"received_on": date(2026, 3, 3)}), "receivedOn", "BEFORE_THE_ORDER"),
        (RECEIPT.model_copy(update={"bank_reference": "B-0"}), "bankReference", "ALREADY_USED"),
    ],
)
async def test_a_bad_bank_advice_is_recorded_as_invalid(
    database: Database, ask: c.ConfirmReceipt, field: str, code: str
) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        await _another_remittance_credited_by(desk, "B-0")
        outcome = await _refused(desk, ask, R_FINANCE)
        assert outcome.kind == "INVALID"
        assert [(violation.field, violation.code) for violation in outcome.violations] == [(field, code)]


async def _another_remittance_credited_by(desk: Desk, bank_reference: str) -> None:
    """An earlier transfer's order, credited by that advice."""
    await desk.db.execute(
        """insert into remittances (reference, transfer_id, kind, amount_fen, status, ordered_at, ordered_by, bank_reference)
           select 'earlier', transfer_id, 'PAYOUT', 1, 'CREDITED', ordered_at, ordered_by, $1 from remittances""",
        bank_reference,
    )


@pytest.mark.parametrize(
    ("ask", "codes"),
    [
        (c.DeliverInformationForm(balance_fen=BALANCE_FEN - 1), ["DIFFERS_FROM_REGISTER"]),
        (c.DeliverInformationForm(balance_fen=BALANCE_FEN + 1, note="x"), ["MORE_THAN_THE_ACCOUNT_HOLDS"]),
        (
            c.DeliverInformationForm(
                periods=(c.FormPeriod(first_month="2015-01", last_month="2015-02"),), balance_fen=0, note=" "
            ),
            ["DIFFERS_FROM_REGISTER", "DIFFERS_FROM_REGISTER"],
        ),
    ],
)
async def test_a_form_unlike_the_register_is_recorded_as_invalid(
    database: Database, ask: c.DeliverInformationForm, codes: list[str]
) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        outcome = await _refused(desk, ask, O_CLERK)
        assert [violation.code for violation in outcome.violations] == codes


async def test_a_stop_that_the_register_had_meanwhile_keeps_its_date(database: Database) -> None:
    async with open_desk(database, {"status": "ACTIVE", "stopped_on": ""}, request_stop=True) as desk:
        await desk.open()
        await desk.db.execute(
            "update enrolments set status = 'STOPPED', stopped_on = '2026-02-27' where region = $1", BEIJING
        )
        outcome = await _refused(desk, c.StopCoverage(stopped_on=date(2026, 2, 28)), O_CLERK)
        (violation,) = outcome.violations
        said = ("stoppedOn", "STOPPED_ALREADY", {"stopped_on": "2026-02-27"})
        assert (violation.field, violation.code, violation.figures) == said
        await desk.take(c.StopCoverage(stopped_on=date(2026, 2, 27)), O_CLERK, TUESDAY)
        assert (await desk.state()).stopped_on == (await desk.enrolment(BEIJING))["stopped_on"] == date(2026, 2, 27)
        await desk.verify()


async def test_a_register_that_changed_since_the_application_ends_the_case_as_it_begins(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.cases.standard_person(retired="true")
        before = await snapshot(desk.db)
        result = await desk.open()
        touched = {"commands", "transfers", "transfer_events", "documents", "notices"}
        assert changed(before, await snapshot(desk.db)) == touched
        assert [event.fact.type for event in result.events] == ["submitted.1", "declined.1"]
        assert result.outcome == CommandOutcome(kind="DONE", seq=1)
        state = await desk.state()
        assert (state.status, [finding.code for finding in state.findings]) == (
            TransferStatus.DECLINED,
            [RefusalCode.RETIRED],
        )
        assert await desk.documents() == [("REFUSAL_NOTICE", desk.transfer.transfer_no, False)]
        assert (await desk.outcome(desk.transfer.command_id))["released"] is False
        assert await desk.worklist() == []
        await desk.verify()


async def test_an_enrolment_gone_from_the_origins_register_ends_the_case_with_a_notice(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.db.execute("delete from enrolments where region = $1", BEIJING)
        await desk.open()
        state = await desk.state()
        assert [finding.code for finding in state.findings] == [RefusalCode.NO_RECORD_AT_ORIGIN]
        assert [kind for kind, _, _ in await desk.documents()] == ["REFUSAL_NOTICE"]
        await desk.db.execute("delete from enrolments")
        with pytest.raises(LookupError, match="no register has person"):
            await named_person(desk.db, desk.cases.keyring, state)


async def test_a_second_application_of_a_person_with_an_open_case_is_declined_beside_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        second = await desk.cases.apply(at=TUESDAY)
        before = await snapshot(desk.db)
        result = await desk.steps.open_transfer(await desk.order(second))
        touched = {"commands", "transfers", "transfer_events", "documents", "notices"}
        assert changed(before, await snapshot(desk.db)) == touched
        declined = result.events[-1].fact
        assert isinstance(declined, e.Declined)
        assert [(finding.code, finding.figures) for finding in declined.findings] == [
            (RefusalCode.TRANSFER_IN_PROGRESS, {"transfer_no": desk.transfer.transfer_no})
        ]
        await desk.verify()


async def test_the_database_holds_one_open_case_a_person(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        with pytest.raises(asyncpg.UniqueViolationError, match="transfers_one_open_per_person"):
            await desk.db.execute(
                """insert into transfers (transfer_id, no, person_id, route, from_region, to_region, from_scheme, to_scheme,
                                          status, funds_status, state, revision, submitted_at)
                   select gen_random_uuid(), 'another', person_id, route, from_region, to_region, from_scheme, to_scheme,
                          status, funds_status, state, revision, submitted_at from transfers"""
            )


@pytest.mark.parametrize("funds", ["PENDING", "ORDERED", "REMITTED", "RETURNED", "RECEIVED", "MISMATCHED"])
async def test_completed_cannot_be_stored_with_money_on_its_way(database: Database, funds: str) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        with pytest.raises(asyncpg.CheckViolationError, match="completed_means_funds_at_an_end"):
            await desk.cases.worker_pool.execute("update transfers set status = 'COMPLETED', funds_status = $1", funds)
        assert (await desk.db.fetchval("select status from transfers")) == "TRANSFERRING_OUT"


async def test_a_command_that_does_not_exist_is_answered_and_changes_nothing(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        before = await snapshot(desk.db)
        order = (await desk.order(desk.transfer)).model_copy(update={"command_id": "unknown", "after_seq": 3})
        result = await desk.steps.carry_out(order)
        assert result.outcome == CommandOutcome(kind="NOT_ALLOWED", why="NOT_RECORDED")
        assert [event.seq for event in result.events] == [4]
        assert all(f"not_allowed.{result.outcome.why}" in words for words in WORDS.values())
        assert await snapshot(desk.db) == before


async def test_what_the_database_refuses_is_raised_without_the_words_of_people(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await desk.db.execute("alter table transfer_events add constraint no_end check (type <> 'withdrawn.1')")
        before = await snapshot(desk.db)
        with pytest.raises(asyncpg.CheckViolationError) as raised:
            await desk.take(c.WithdrawTransfer(reason="王思琪不转了"), PERSON)
        assert raised.value.constraint_name == "no_end"
        shown = "".join(traceback.format_exception_only(raised.value))
        assert ("王思琪" in shown, "DETAIL" in shown) == (False, False)
        assert changed(before, await snapshot(desk.db)) == {"commands"}
