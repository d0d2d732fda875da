"""What the documents of a case say, as its steps issue them: sealed on real PostgreSQL, opened with the person's key."""

from datetime import date

from activities.documents import store
from activities.documents.content import (
    AcceptanceNoticeContent,
    CompletionNoticeContent,
    ContinuationStatementContent,
    DocumentContent,
    RefusalNoticeContent,
    RemittanceOrderContent,
    digest,
    from_canonical_bytes,
)
from activities.documents.render import render_pdf
from activities.documents.sheet import texts
from activities.documents.sheets import sheet_of
from activities.documents.verification import contact_letter_number
from activities.documents.words import TITLE
from activities.people import person_by_id
from activities.reference import set_policy
from tests.activities.desk import RECEIPT, THURSDAY, TUESDAY, WEDNESDAY, Desk, open_desk
from tests.activities.documents_samples import CONTACT_LETTER, INFORMATION_FORM
from tests.activities.register_extracts import WANG
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, R_CLERK, R_FINANCE, SHANGHAI_POOL
from tests.conftest import Database
from workflows import commands as c
from workflows.policy import RegionPolicy, WaitingPolicy
from workflows.vocabulary import DocumentKind, ReturnReason

K = DocumentKind
NOTHING_TO_MOVE = "余额为零，无需划转"


async def content_of(desk: Desk, kind: DocumentKind) -> DocumentContent:
    """The one document of `kind`, opened."""
    row = await desk.row("select person_id, content_sealed from documents where kind = $1", kind)
    person = await person_by_id(desk.db, desk.cases.keyring, row["person_id"])
    assert person is not None
    return from_canonical_bytes(person.data_key.open(row["content_sealed"], b"document"))


async def statement_of(desk: Desk) -> ContinuationStatementContent:
    content = await content_of(desk, K.CONTINUATION_STATEMENT)
    assert isinstance(content, ContinuationStatementContent)
    return content


def printed(content: DocumentContent) -> list[str]:
    return list(texts(sheet_of(content)))


async def test_the_continuation_statement_says_what_was_credited_before_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        await desk.take(c.ConfirmContinuation(), R_CLERK, THURSDAY)
        statement = await statement_of(desk)
        assert (statement.credited_fen, statement.credited_on) == (BALANCE_FEN, date(2026, 3, 5))
        assert "4,200.00元（人民币肆仟贰佰元整）" in printed(statement)
        assert "2026年3月5日" in printed(statement)
        assert "尚未到账" not in printed(statement)


async def test_the_continuation_statement_names_the_rule_of_the_wait_its_instrument_and_the_share(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        await set_policy(desk.db, SHANGHAI_POOL, RegionPolicy(waiting=WaitingPolicy(ratio="0.5")), date(2026, 3, 1))
        await desk.db.execute("update enrolments set enrolled_on = '2026-03-02' where region = $1", SHANGHAI_POOL)
        await desk.continued()
        statement = await statement_of(desk)
        # Covered until 31 October 2025.
        assert (statement.gap_months, statement.waiting_months, statement.waiting_ratio_percent) == (4, 6, 50)
        assert (statement.waiting_from, statement.waiting_to) == (date(2026, 3, 2), date(2026, 9, 1))
        text = printed(statement)
        assert text[text.index("等待期报销比例") + 1] == "50%"
        assert text[text.index("适用规则") + 1] == (
            "中断缴费4个月，超过政策规定的期限，需等待6个月后享受统筹基金待遇。等待期内先按正常待遇的50%享受。"
        )
        assert text[text.index("依据") + 1] == ("医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》（待遇衔接）")


async def test_the_continuation_statement_has_no_share_where_there_is_no_wait(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        statement = await statement_of(desk)
        assert (statement.waiting_months, statement.waiting_ratio_percent) == (0, None)
        assert "等待期报销比例" not in printed(statement)


async def test_the_continuation_statement_says_that_the_money_is_on_its_way_while_it_is(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        statement = await statement_of(desk)
        assert (statement.credited_fen, statement.credited_on) == (None, None)
        assert "尚未到账" in printed(statement)


async def test_the_continuation_statement_says_that_a_balance_of_zero_need_not_move(database: Database) -> None:
    async with open_desk(database, {"personal_account_fen": "0"}) as desk:
        await desk.form_delivered()
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        statement = await statement_of(desk)
        assert (statement.credited_fen, statement.credited_on) == (0, None)
        assert NOTHING_TO_MOVE in printed(statement)
        completion = await content_of(desk, K.COMPLETION_NOTICE)
        assert isinstance(completion, CompletionNoticeContent)
        assert completion.amount_fen == 0
        # The statement was issued by the step that completes the case.
        listed = [each.title for each in completion.documents]
        assert listed == [
            TITLE[kind]
            for kind in (K.ACCEPTANCE_NOTICE, K.ENROLMENT_CERTIFICATE, K.INFORMATION_FORM, K.CONTINUATION_STATEMENT)
        ]
        assert NOTHING_TO_MOVE in printed(completion)


async def test_an_acceptance_comes_with_a_notice_of_every_deadline_by_step_and_party(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        assert await desk.documents() == [(K.ACCEPTANCE_NOTICE, desk.transfer.transfer_no, False)]
        notice = await content_of(desk, K.ACCEPTANCE_NOTICE)
        assert isinstance(notice, AcceptanceNoticeContent)
        assert (notice.agency.region, notice.transfer_no) == (SHANGHAI_POOL, desk.transfer.transfer_no)
        assert (notice.person.name, notice.person.resident_id) == ("王思琪", WANG)
        assert [(each.step, each.working_days, each.due_on, each.provisional) for each in notice.deadlines] == [
            ("生成并上传信息表", 10, date(2026, 3, 16), False),
            ("划转个人账户余额", 10, date(2026, 3, 16), False),
            ("确认接续", 5, date(2026, 3, 23), False),
        ]
        first, second, third = (each.agency_name for each in notice.deadlines)
        assert first == second != third == notice.agency.name


async def test_an_acceptance_after_the_stop_of_coverage_counts_from_the_stop(database: Database) -> None:
    async with open_desk(database, {"status": "ACTIVE", "stopped_on": ""}, request_stop=True) as desk:
        await desk.open()
        assert await desk.documents() == []
        await desk.take(c.StopCoverage(stopped_on=date(2026, 2, 28)), O_CLERK, TUESDAY)
        notice = await content_of(desk, K.ACCEPTANCE_NOTICE)
        assert isinstance(notice, AcceptanceNoticeContent)
        assert [each.due_on for each in notice.deadlines] == [
            date(2026, 3, 17),
            date(2026, 3, 17),
            date(2026, 3, 24),
        ]


async def test_the_order_to_the_bank_is_a_document_that_shows_the_person_masked(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        order = await content_of(desk, K.REMITTANCE_ORDER)
        assert isinstance(order, RemittanceOrderContent)
        reference = f"{desk.transfer.transfer_no}-01"
        row = await desk.row("select number, issued_by from documents where kind = 'REMITTANCE_ORDER'")
        assert tuple(row) == (reference, BEIJING)
        assert (order.reference, order.amount_fen, order.ordered_by) == (reference, BALANCE_FEN, "finance-110000")
        assert (order.person.name, order.person.resident_id) == ("王*琪", f"{WANG[:6]}********{WANG[-4:]}")
        payee = await desk.row(
            "select receiving_account_name, receiving_bank, receiving_account from pooling_regions where code = $1",
            SHANGHAI_POOL,
        )
        assert (order.payee_name, order.payee_bank, order.payee_account) == tuple(payee)


async def test_the_end_of_a_case_comes_with_its_days_steps_money_and_documents(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        notice = await content_of(desk, K.COMPLETION_NOTICE)
        assert isinstance(notice, CompletionNoticeContent)
        # Monday accepted, Tuesday the form, Wednesday the order and the continuation, Thursday the receipt.
        assert [(each.party, each.working_days) for each in notice.days_used] == [("转出地", 2), ("转入地", 2)]
        assert [(each.step, each.done_on.day) for each in notice.steps] == [
            ("开具参保凭证", 2),
            ("生成并上传信息表", 3),
            ("划转个人账户余额", 4),
            ("确认接续", 4),
            ("确认到账并计入个人账户", 5),
        ]
        assert (notice.amount_fen, notice.completed_on) == (BALANCE_FEN, date(2026, 3, 5))
        no = desk.transfer.transfer_no
        certificate = (await desk.state()).certificate
        assert [(each.title, each.number) for each in notice.documents] == [
            ("受理告知书", no),
            ("参保凭证", certificate),
            ("转移接续信息表", no),
            ("关系接续说明", no),
            ("个人账户划转单", f"{no}-01"),
        ]
        row = await desk.row("select verification_code from documents where kind = 'COMPLETION_NOTICE'")
        assert row["verification_code"] == notice.verification_code
        await desk.verify()


async def test_a_refusal_notice_shows_what_the_origin_wrote(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        note = "查无此人在本地参保记录，请核对转出地。"
        await desk.take(c.ReturnTransfer(reason=ReturnReason.NO_RECORD, note=note), O_CLERK, TUESDAY)
        notice = await content_of(desk, K.REFUSAL_NOTICE)
        assert isinstance(notice, RefusalNoticeContent)
        assert (notice.note, notice.agency.region) == (note, BEIJING)
        assert {"经办机构说明", note} <= set(printed(notice))


async def test_a_version_that_supersedes_leaves_the_earlier_ones_void_and_itself_in_force(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        state = await desk.state()
        person = await person_by_id(desk.db, desk.cases.keyring, state.person_id)
        assert person is not None
        second = INFORMATION_FORM.model_copy(update={"transfer_no": state.no, "version": 2})
        issued = store.drawn_up(person, second, number=state.no, issued_at=WEDNESDAY, version=2)
        await store.keep(desk.db, [issued], transfer_id=state.transfer_id)
        await store.void_earlier_versions(desk.db, state.transfer_id, K.INFORMATION_FORM, 2, WEDNESDAY)
        rows = await desk.db.fetch(
            "select version, voided_at from documents where kind = 'INFORMATION_FORM' order by 1"
        )
        assert [tuple(row) for row in rows] == [(1, WEDNESDAY), (2, None)]
        untouched = await desk.db.fetchval(
            "select count(*) from documents where kind <> 'INFORMATION_FORM' and voided_at is not null"
        )
        assert untouched == 0


async def test_a_contact_letter_is_kept_under_its_number_and_printed_with_the_way_to_its_case(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        state = await desk.state()
        person = await person_by_id(desk.db, desk.cases.keyring, state.person_id)
        assert person is not None
        letter = CONTACT_LETTER.model_copy(update={"transfer_no": state.no})
        number, code = contact_letter_number(SHANGHAI_POOL, 2026, 42), store.new_verification_code()
        issued = store.drawn_up(
            person, letter, number=number, issued_at=TUESDAY, issued_by=SHANGHAI_POOL, verification_code=code
        )
        await store.keep(desk.db, [issued], transfer_id=state.transfer_id)
        assert issued.digest == digest(letter)
        printed_letter = await store.rendered(
            desk.db, desk.cases.keyring, issued.document_id, public_url="https://y.example"
        )
        assert printed_letter is not None
        assert (printed_letter.kind, printed_letter.number) == (K.CONTACT_LETTER, number)
        leads_to = f"https://y.example/case/{state.no}?number={number}&code={code}"
        assert printed_letter.pdf == render_pdf(letter, number=number, issued_at=TUESDAY, qr_url=leads_to)
