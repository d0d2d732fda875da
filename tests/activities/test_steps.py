"""What each step changes: registers, ledger, documents, worklist, read model and events, and nothing else."""

import json
from collections.abc import Awaitable, Callable
from datetime import date

import pytest

from activities.free_text import read_texts
from tests.activities.desk import (
    MONDAY,
    RECEIPT,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    Desk,
    broken_link,
    changed,
    open_desk,
    snapshot,
)
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, O_FINANCE, PERSON, R_CLERK, R_FINANCE, SHANGHAI_POOL
from tests.conftest import Database
from workflows import commands as c
from workflows import events as e
from workflows.messages import CertificateOrder, StepResult
from workflows.vocabulary import FundsStatus, RefusalCode, ReturnReason, TransferStatus, TransferStepKind

FORM_DUE, REMIT_DUE = "2026-03-16", "2026-03-16"


async def _last_types(desk: Desk, count: int) -> list[str]:
    return [event.fact.type for event in (await desk.cases.events(desk.transfer.transfer_id))[-count:]]


async def test_an_application_opens_the_case_with_the_form_on_the_origins_worklist(database: Database) -> None:
    async with open_desk(database) as desk:
        before = await snapshot(desk.db)
        result = await desk.open()
        touched = {"commands", "transfers", "transfer_events", "work_items", "documents", "notices"}
        assert changed(before, await snapshot(desk.db)) == touched
        assert [event.fact.type for event in result.events] == ["submitted.1", "accepted.1", "step_opened.1"]
        assert result.outcome.model_dump(exclude_defaults=True) == {"kind": "DONE", "seq": 1}
        assert await desk.worklist() == [("DELIVER_INFORMATION_FORM", BEIJING, FORM_DUE)]
        row = await desk.row("select status, funds_status, closed_at, employer_ids from transfers")
        assert tuple(row) == ("TRANSFERRING_OUT", "PENDING", None, ["91110000600037341L", "91310000600037341M"])
        await desk.verify()


async def test_arrears_at_the_origin_are_told_with_period_and_amount(database: Database) -> None:
    arrears = {"arrears_fen": "12345", "arrears_from": "202504", "arrears_to": "202506"}
    async with open_desk(database, arrears) as desk:
        result = await desk.open()
        told = [event.fact for event in result.events if isinstance(event.fact, e.ArrearsNotified)]
        assert told == [e.ArrearsNotified(arrears_fen=12345, first_month="2025-04", last_month="2025-06")]
        await desk.verify()


async def test_coverage_stops_in_the_register_and_the_ten_days_start(database: Database) -> None:
    async with open_desk(database, {"status": "ACTIVE", "stopped_on": ""}, request_stop=True) as desk:
        await desk.open()
        assert await desk.worklist() == [("STOP_COVERAGE", BEIJING, "2026-03-09")]
        before = await snapshot(desk.db)
        await desk.take(c.StopCoverage(stopped_on=date(2026, 2, 28)), O_CLERK, TUESDAY)
        after = await snapshot(desk.db)
        touched = {"commands", "transfers", "transfer_events", "work_items", "enrolments", "documents", "notices"}
        assert changed(before, after) == touched
        origin = await desk.enrolment(BEIJING)
        assert (origin["status"], origin["stopped_on"]) == ("STOPPED", date(2026, 2, 28))
        assert (origin["moved_on"], origin["moved_by"]) == (date(2026, 3, 3), desk.transfer.transfer_no)
        # Accepted on Tuesday: day 0 is the day of the stop, not of the application.
        assert await desk.worklist() == [("DELIVER_INFORMATION_FORM", BEIJING, "2026-03-17")]
        await desk.verify()


async def test_a_step_changes_the_cases_row_in_place_and_enters_it_into_no_index_anew(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        changes = desk.db.transaction()
        await changes.start()
        await desk.db.execute(
            """update transfers set state = state || '{"revision": 9}', revision = 9, status = 'AWAITING_FUNDS', funds_status = 'ORDERED'"""
        )
        assert await desk.db.fetchval("select pg_stat_get_xact_tuples_hot_updated('transfers'::regclass)") == 1
        await changes.rollback()


async def test_the_certificate_is_issued_sealed_with_its_code(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        before = await snapshot(desk.db)
        result = await desk.steps.issue_certificate(await desk.clock())
        # The serial of certificates is a sequence, not a table.
        assert changed(before, await snapshot(desk.db)) == {"transfers", "transfer_events", "documents"}
        (event,) = result.events
        assert isinstance(event.fact, e.CertificateIssued)
        row = await desk.row("select * from documents where kind = 'ENROLMENT_CERTIFICATE'")
        assert (row["document_id"], row["number"], row["sha256"]) == (
            event.fact.document_id,
            event.fact.number,
            event.fact.digest,
        )
        assert (row["kind"], row["issued_by"], row["voided_at"]) == ("ENROLMENT_CERTIFICATE", BEIJING, None)
        assert row["verification_code"]
        assert "王思琪".encode() not in row["content_sealed"]
        await desk.verify()


async def test_a_reissued_certificate_voids_the_earlier_one(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await desk.take(c.ReissueCertificate(reason="遗失"), PERSON, TUESDAY)
        documents = [each for each in await desk.documents() if each[0] == "ENROLMENT_CERTIFICATE"]
        assert [(kind, voided) for kind, _, voided in documents] == [
            ("ENROLMENT_CERTIFICATE", True),
            ("ENROLMENT_CERTIFICATE", False),
        ]
        assert (await desk.state()).certificate == documents[1][1] != documents[0][1]
        await desk.verify()


async def test_the_form_freezes_the_balance_and_opens_both_tracks(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        before = await snapshot(desk.db)
        await desk.take(c.DeliverInformationForm(), O_CLERK, TUESDAY)
        touched = {"commands", "transfers", "transfer_events", "work_items", "enrolments", "documents"}
        assert changed(before, await snapshot(desk.db)) == touched | {"ledger_postings", "ledger_entries"}
        origin = await desk.enrolment(BEIJING)
        assert (origin["personal_account_fen"], origin["frozen_fen"]) == (0, BALANCE_FEN)
        assert await desk.balances() == {("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN, ("FROZEN", BEIJING): BALANCE_FEN}
        posting = await desk.row("select seq, posted_at from ledger_postings")
        assert tuple(posting) == (5, TUESDAY)
        # The money moves inside O's ten days from acceptance; R has five from the form's arrival.
        assert await desk.worklist() == [
            ("CONFIRM_CONTINUATION", SHANGHAI_POOL, "2026-03-10"),
            ("REMIT_PERSONAL_ACCOUNT", BEIJING, REMIT_DUE),
        ]
        assert (await desk.documents())[-1][:2] == ("INFORMATION_FORM", desk.transfer.transfer_no)
        await desk.verify()


async def test_a_zero_balance_moves_no_money_and_the_continuation_completes_the_case(database: Database) -> None:
    async with open_desk(database, {"personal_account_fen": "0"}) as desk:
        await desk.form_delivered()
        assert await desk.worklist() == [("CONFIRM_CONTINUATION", SHANGHAI_POOL, "2026-03-10")]
        assert (await desk.state()).funds_status is FundsStatus.NOT_REQUIRED
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        assert await _last_types(desk, 2) == ["continuation_confirmed.1", "completed.2"]
        assert await desk.balances() == {}
        assert await desk.db.fetchval("select count(*) from remittances") == 0
        await desk.verify()


async def test_the_remittance_is_ordered_once_under_our_reference(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        before = await snapshot(desk.db)
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)
        touched = {"commands", "transfers", "transfer_events", "work_items", "remittances", "documents"}
        assert changed(before, await snapshot(desk.db)) == touched
        row = await desk.row("select reference, amount_fen, status, ordered_at, ordered_by from remittances")
        reference = f"{desk.transfer.transfer_no}-01"
        assert tuple(row) == (reference, BALANCE_FEN, "ORDERED", WEDNESDAY, "finance-110000")
        assert await desk.worklist() == [
            ("CONFIRM_CONTINUATION", SHANGHAI_POOL, "2026-03-10"),
            ("CONFIRM_RECEIPT", SHANGHAI_POOL, "2026-03-18"),
        ]
        await desk.verify()


async def test_the_money_leaves_the_frozen_account_when_the_bank_has_taken_the_order(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        before = await snapshot(desk.db)
        await desk.steps.note_bank_took_order(await desk.bank_word())
        touched = {"transfers", "transfer_events", "remittances", "enrolments", "ledger_postings", "ledger_entries"}
        assert changed(before, await snapshot(desk.db)) == touched | {"register_movements"}
        assert (await desk.enrolment(BEIJING))["frozen_fen"] == 0
        assert (await desk.balances())["IN_TRANSIT", BEIJING] == BALANCE_FEN
        assert await desk.db.fetchval("select status from remittances") == "REMITTED"
        await desk.verify()


async def test_continuation_merges_the_months_into_the_destinations_register(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        before = await snapshot(desk.db)
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        touched = {"commands", "transfers", "transfer_events", "work_items", "enrolments", "documents", "notices"}
        assert changed(before, await snapshot(desk.db)) == touched
        periods = json.loads((await desk.enrolment(SHANGHAI_POOL))["contribution_periods"])
        assert [(each["region"], each["first_month"], each["last_month"]) for each in periods] == [
            (BEIJING, "2015-01", "2020-12"),
            (BEIJING, "2022-03", "2025-10"),
            (SHANGHAI_POOL, "2025-11", "2025-11"),
        ]
        # 72 + 44 months from Beijing and one of Shanghai's own; the record is continued, the money still on its way.
        state = await desk.state()
        assert state.continuation is not None
        assert state.continuation.total_months == 117
        assert state.status is TransferStatus.AWAITING_FUNDS
        await desk.verify()


async def test_the_receipt_credits_the_account_and_completes_the_case(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        assert await _last_types(desk, 4) == [
            "receipt_confirmed.1",
            "funds_received.1",
            "funds_credited.1",
            "completed.2",
        ]
        assert (await desk.enrolment(SHANGHAI_POOL))["personal_account_fen"] == 10_000 + BALANCE_FEN
        assert await desk.balances() == {
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
            ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN,
        }
        row = await desk.row("select status, bank_reference, received_fen, received_on from remittances")
        assert tuple(row) == ("CREDITED", "B-1", BALANCE_FEN, date(2026, 3, 5))
        assert await desk.worklist() == []
        await desk.verify()


async def test_a_credit_that_comes_before_the_banks_word_proves_that_the_money_left(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        assert await _last_types(desk, 4) == [
            "funds_remitted.1",
            "receipt_confirmed.1",
            "funds_received.1",
            "funds_credited.1",
        ]
        assert (await desk.enrolment(BEIJING))["frozen_fen"] == 0
        before = await snapshot(desk.db)
        assert (await desk.steps.note_bank_took_order(await desk.bank_word())).events == ()
        assert await snapshot(desk.db) == before


async def test_another_amount_is_noted_as_mismatched_and_never_credited(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        wrong = RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1})
        await desk.take(wrong, R_FINANCE, THURSDAY)
        assert await _last_types(desk, 1) == ["funds_mismatched.1"]
        assert (await desk.enrolment(SHANGHAI_POOL))["personal_account_fen"] == 10_000
        assert (await desk.balances())["IN_TRANSIT", BEIJING] == BALANCE_FEN
        row = await desk.row("select status, received_fen from remittances")
        assert tuple(row) == ("MISMATCHED", BALANCE_FEN - 1)
        state = await desk.state()
        assert (state.status, state.funds_status) == (TransferStatus.AWAITING_FUNDS, FundsStatus.MISMATCHED)
        # The advice that matches, with a reason, is credited.
        await desk.take(RECEIPT.model_copy(update={"note": "银行更正"}), R_FINANCE, THURSDAY)
        assert (await desk.state()).status is TransferStatus.COMPLETED
        await desk.verify()


async def test_a_mismatch_before_the_banks_word_can_be_matched_afterwards(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        await desk.take(RECEIPT.model_copy(update={"amount_fen": 1}), R_FINANCE, THURSDAY)
        await desk.steps.note_bank_took_order(await desk.bank_word())
        await desk.take(RECEIPT.model_copy(update={"note": "银行更正"}), R_FINANCE, THURSDAY)
        assert (await desk.state()).funds_status is FundsStatus.CREDITED
        assert (await desk.enrolment(BEIJING))["frozen_fen"] == 0
        await desk.verify()


async def test_a_return_declines_the_case_with_a_notice_and_voids_the_certificate(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        before = await snapshot(desk.db)
        result = await desk.take(c.ReturnTransfer(reason=ReturnReason.NO_RECORD, note="查无王思琪"), O_CLERK, TUESDAY)
        touched = {"commands", "transfers", "transfer_events", "work_items", "documents", "notices", "sealed_texts"}
        assert changed(before, await snapshot(desk.db)) == touched
        assert [(kind, voided) for kind, _, voided in await desk.documents()] == [
            ("ACCEPTANCE_NOTICE", False),
            ("ENROLMENT_CERTIFICATE", True),
            ("REFUSAL_NOTICE", False),
        ]
        (event,) = result.events
        # What people wrote may name a person: it stays in PostgreSQL, sealed, and does not travel through Temporal.
        assert isinstance(event.fact, e.Declined)
        assert event.fact.note == ""
        stored = (await desk.cases.events(desk.transfer.transfer_id))[-1].fact
        assert isinstance(stored, e.Declined)
        assert stored.note is not None
        texts = await read_texts(desk.db, desk.cases.keyring, desk.transfer.transfer_id, [stored.note])
        assert texts == {stored.note: "查无王思琪"}
        assert [finding.code for finding in stored.findings] == [RefusalCode.NO_RECORD_AT_ORIGIN]
        assert await desk.worklist() == []
        await desk.verify()


async def test_a_withdrawal_closes_the_case_and_voids_the_certificate(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await desk.take(c.WithdrawTransfer(reason="不转了"), PERSON, TUESDAY)
        assert [(kind, voided) for kind, _, voided in await desk.documents()] == [
            ("ACCEPTANCE_NOTICE", False),
            ("ENROLMENT_CERTIFICATE", True),
        ]
        assert await desk.worklist() == []
        assert await desk.db.fetchval("select closed_at from transfers") == TUESDAY
        await desk.verify()


async def test_clocks_mark_the_case_overdue_once_and_the_step_can_still_be_done(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        deadline = (await desk.state()).step(TransferStepKind.DELIVER_INFORMATION_FORM).deadline
        assert deadline is not None
        for now, expected in (
            (deadline.due_soon_at, ["deadline_due_soon.1"]),
            (deadline.due_soon_at, []),
            (deadline.due_at, ["deadline_missed.1"]),
            (deadline.due_at, []),
        ):
            noted = await desk.steps.note_deadlines(await desk.clock(now))
            assert [event.fact.type for event in noted.events] == expected
        assert await desk.worklist() == [("DELIVER_INFORMATION_FORM", BEIJING, FORM_DUE)]
        await desk.take(c.DeliverInformationForm(), O_CLERK, deadline.due_at)
        await desk.verify()


Way = Callable[[Desk], Awaitable[StepResult]]


async def test_every_step_run_twice_changes_nothing_and_answers_the_same(database: Database) -> None:
    async with open_desk(database) as desk:

        async def twice(way: Way) -> None:
            first = await way(desk)
            before = await snapshot(desk.db)
            assert await way(desk) == first
            assert await snapshot(desk.db) == before
            await desk.verify()

        order = await desk.order(desk.transfer)
        await twice(lambda desk: desk.steps.open_transfer(order))
        clock = await desk.clock()
        await twice(lambda desk: desk.steps.issue_certificate(clock))
        for ask, actor, at in (
            (c.DeliverInformationForm(), O_CLERK, TUESDAY),
            (c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY),
            (c.ConfirmContinuation(), R_CLERK, WEDNESDAY),
        ):
            command = await desk.cases.ask(desk.transfer, ask, actor, at=at)
            taken = await desk.order(command)
            await twice(lambda desk, taken=taken: desk.steps.carry_out(taken))  # type: ignore[misc]
        word = await desk.bank_word()
        await twice(lambda desk: desk.steps.note_bank_took_order(word))
        last = await desk.order(await desk.cases.ask(desk.transfer, RECEIPT, R_FINANCE, at=THURSDAY))
        await twice(lambda desk: desk.steps.carry_out(last))
        assert (await desk.state()).status is TransferStatus.COMPLETED


async def test_a_workflow_that_missed_events_is_given_all_of_them(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        command = await desk.cases.ask(desk.transfer, c.RemitPersonalAccount(), O_FINANCE, at=WEDNESDAY)
        order = (await desk.order(command)).model_copy(update={"after_seq": 3})
        result = await desk.steps.carry_out(order)
        assert [event.seq for event in result.events] == [4, 5, 6, 7, 8, 9, 10]
        assert result.outcome.seq == 8


@pytest.mark.parametrize(
    "tampering",
    [
        "update transfer_events set event = jsonb_set(event, '{fact,balance_fen}', '1') where type = 'form_delivered.1'",
        "update transfer_events set event = jsonb_set(event, '{actor,subject}', '\"another\"') where seq = 5",
    ],
)
async def test_a_tampered_event_breaks_the_chain_where_it_was_tampered_with(database: Database, tampering: str) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        chain = "select * from transfer_events order by seq"
        assert broken_link(await desk.db.fetch(chain)) is None
        await desk.db.execute("alter table transfer_events disable trigger append_only")
        await desk.db.execute(tampering)
        assert broken_link(await desk.db.fetch(chain)) == 5


async def test_a_certificate_by_itself_is_issued_once(database: Database) -> None:
    async with open_desk(database) as desk:
        said = {
            "person_keys": [key.hex() for key in desk.cases.keyring.person_keys("110101199003071233")],
            "region": BEIJING,
            "scheme": "EMPLOYEE",
        }
        command_id = "certificate-alone"
        await desk.cases.gateway_pool.execute(
            """insert into commands (command_id, key_hash, input_hash, kind, actor, input, received_at)
               values ($1, $1, '', 'REQUEST_CERTIFICATE', $2, $3, $4)""",
            command_id, PERSON.model_dump_json(), json.dumps(said), MONDAY,
        )  # fmt: skip
        order = CertificateOrder(command_id=command_id)
        first = await desk.steps.issue_certificate_alone(order)
        row = await desk.row("select document_id, transfer_id, kind from documents")
        assert tuple(row) == (first.document_id, None, "ENROLMENT_CERTIFICATE")
        before = await snapshot(desk.db)
        assert await desk.steps.issue_certificate_alone(order) == first
        assert await snapshot(desk.db) == before
