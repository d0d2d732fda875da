"""What a case makes of the documents of the paper route and of corrections: pure, on the directory as it is shipped."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from activities.directory import shipped_directory
from activities.documents.compose import certificate_content, continuation_content, form_content, remittance_content
from activities.documents.compose_letters import (
    CONSENT,
    HOW_TO_PAY,
    application_content,
    arrears_content,
    contact_letter_content,
    correction_content,
)
from activities.documents.content import AgentBlock, ApplicantContact, PersonBlock, ReceivingAccount
from activities.documents.sheet import Fields, texts
from activities.documents.sheets import sheet_of
from activities.reference import RegionEntry
from tests.activities.register_extracts import WANG
from tests.workflows.pure_cases import BALANCE_FEN, EMPLOYER, NO, O_PERIODS, REFERENCE, O, R, Story
from workflows import events as e
from workflows.policy import RegionPolicy
from workflows.state import TransferState
from workflows.vocabulary import CorrectionReason, TransferRoute

TODAY = date(2026, 9, 21)
PERSON = PersonBlock(name="王思琪", resident_id=WANG)
MASKED = PersonBlock(name="王*琪", resident_id="110101********1233")
REGIONS = {
    each.code: RegionEntry(**each.model_dump(), policy=RegionPolicy())
    for each in shipped_directory()
    if each.code in {O, R} and each.effective_to is None
}
ENROLMENT: dict[str, Any] = {
    "scheme": "EMPLOYEE",
    "enrolled_on": date(2014, 12, 15),
    "stopped_on": date(2026, 8, 31),
    "personal_account_fen": BALANCE_FEN,
    "frozen_fen": 0,
}


def without(code: str, *fields: str) -> dict[str, RegionEntry]:
    """The directory, `fields` of one region unknown."""
    return REGIONS | {code: REGIONS[code].model_copy(update=dict.fromkeys(fields))}


def on_paper(state: TransferState) -> TransferState:
    return state.model_copy(update={"route": TransferRoute.PAPER})


def story() -> Story:
    """A case with everything done but the receipt."""
    told = Story()
    told.deliver()
    told.remit()
    told.confirm_continuation()
    return told


def fact_of(told: Story, kind: type[e.Fact]) -> Any:
    return next(event.fact for event in told.events if isinstance(event.fact, kind))


CASE = story()


def test_the_contact_letter_names_the_person_both_agencies_and_the_account_of_the_destination() -> None:
    letter = contact_letter_content(
        on_paper(CASE.state), person=PERSON, regions=REGIONS, contact="示例经办", post_code="000042", issued_on=TODAY
    )
    assert (letter.transfer_no, letter.route, letter.person, letter.issued_on) == (NO, "PAPER", PERSON, TODAY)
    assert letter.agency.model_dump() == {
        "code": "YB319900",
        "name": "上海市本级医疗保障事务中心",
        "region": "319900",
        "region_name": "上海市本级",
        "address": "上海市本级医保路108号（示例）",
        "contact": "示例经办",
        "phone": "021-12393003",
        "post_code": "000042",
    }
    assert (letter.addressee.name, letter.origin.code, letter.destination.code) == (
        "北京市医疗保障事务中心",
        "110000",
        "319900",
    )
    assert letter.receiving_account == ReceivingAccount(
        name="上海市本级医疗保障事务中心医疗保障基金收入户",
        bank="示例银行上海市本级支行",
        bank_code="999319900900",
        account="9999319900533288100",
    )


def test_what_the_directory_lacks_is_said_to_be_missing_in_the_contact_letter() -> None:
    lacking = without(
        R, "service_phone", "receiving_account_name", "receiving_bank", "receiving_bank_code", "receiving_account"
    )
    letter = contact_letter_content(
        on_paper(CASE.state), person=PERSON, regions=lacking, contact="示例经办", issued_on=TODAY
    )
    assert (letter.agency.phone, letter.agency.post_code) == ("未登记", None)
    account = letter.receiving_account
    assert (account.name, account.bank, account.bank_code, account.account) == (
        "上海市本级医疗保障事务中心",
        "未登记",
        None,
        "未登记",
    )


def test_the_application_says_what_was_asked_for_by_whom_and_when() -> None:
    form = application_content(
        on_paper(CASE.state),
        applicant="PERSON",
        person=PERSON,
        regions=REGIONS,
        enrolment=ENROLMENT,
        periods=O_PERIODS,
        certificate_number="京2026000042",
        contact=ApplicantContact(phone="000-0000042"),
    )
    assert (form.transfer_no, form.route, form.applicant, form.agent) == (NO, "PAPER", "PERSON", None)
    assert (form.coverage_from, form.coverage_to, form.declared_months) == (
        date(2014, 12, 15),
        date(2026, 8, 31),
        140,
    )
    assert (form.certificate_number, form.contact.phone, form.consent) == ("京2026000042", "000-0000042", CONSENT)
    assert form.employer_ids == (EMPLOYER.subject,)
    assert (form.agency.region, form.origin_agency.region) == (R, O)
    assert form.applied_at == datetime(2026, 9, 18, 10, 0, tzinfo=timezone(timedelta(hours=8)))
    assert form.issued_on == date(2026, 9, 18)


def test_an_instant_of_the_database_is_shown_in_shanghai() -> None:
    late = CASE.state.model_copy(update={"submitted_at": datetime(2026, 9, 18, 16, 5, 9, 123, tzinfo=UTC)})
    form = application_content(late, applicant="EMPLOYER", person=PERSON, regions=REGIONS)
    assert (form.route, form.issued_on, form.applied_at.isoformat()) == (
        "PLATFORM",
        date(2026, 9, 19),
        "2026-09-19T00:05:09+08:00",
    )
    assert "2026年9月19日 00:05" in list(texts(sheet_of(form)))


def test_an_application_without_the_origins_register_declares_no_coverage() -> None:
    form = application_content(on_paper(CASE.state), applicant="PERSON", person=PERSON, regions=REGIONS)
    assert (form.coverage_from, form.coverage_to, form.declared_months) == (None, None, None)
    unknown_day = application_content(
        CASE.state,
        applicant="PERSON",
        person=PERSON,
        regions=REGIONS,
        enrolment=ENROLMENT | {"enrolled_on": None},
        periods=O_PERIODS,
    )
    assert unknown_day.coverage_from == date(2015, 1, 1)


def test_an_agent_is_shown_by_relation_and_masked_name() -> None:
    form = application_content(
        CASE.state, applicant="AGENT", person=PERSON, regions=REGIONS, agent_relation="配偶", agent_name="李示例"
    )
    assert form.agent == AgentBlock(relation="配偶", name="李*例")
    assert "李示例" not in "".join(texts(sheet_of(form)))
    nameless = application_content(CASE.state, applicant="AGENT", person=PERSON, regions=REGIONS, agent_relation="子女")
    assert nameless.agent == AgentBlock(relation="子女", name=None)


def test_an_agent_is_named_if_and_only_if_an_agent_applies() -> None:
    with pytest.raises(ValidationError, match="an agent is named if and only if an agent applies"):
        application_content(CASE.state, applicant="AGENT", person=PERSON, regions=REGIONS)
    with pytest.raises(ValidationError, match="an agent is named if and only if an agent applies"):
        application_content(CASE.state, applicant="PERSON", person=PERSON, regions=REGIONS, agent_relation="配偶")


DISPUTED = {
    CorrectionReason.FORM_INCOMPLETE: ("信息表内容不完整", "信息表中缺少或填写不完整的项目"),
    CorrectionReason.YEARS_DISPUTED: ("缴费年限有疑义", "缴费记录的起止月份、月数及合计"),
    CorrectionReason.AMOUNT_DISPUTED: ("个人账户金额有疑义", "个人账户余额"),
    CorrectionReason.IDENTITY_DOUBT: ("身份信息存疑", "姓名、证件号码"),
    CorrectionReason.SEAL_INVALID: ("印章无效或无法辨认", "出具机构的印章或电子签章"),
}


@pytest.mark.parametrize("reason", list(CorrectionReason))
def test_a_correction_request_names_the_form_the_reason_and_the_round(reason: CorrectionReason) -> None:
    request = correction_content(
        CASE.state,
        correction_round=2,
        reason=reason,
        note="请核实2018年的缴费月数。",
        person=PERSON,
        regions=REGIONS,
        issued_on=TODAY,
    )
    assert (request.transfer_no, request.round, request.disputed_version, request.reason) == (NO, 2, 1, reason)
    assert (request.agency.region, request.addressee.region, request.route) == (R, O, "PLATFORM")
    assert (request.reply, request.replied_on) == (None, None)
    sheet = sheet_of(request)
    why, fields = DISPUTED[reason]
    assert sheet.blocks[1] == Fields(
        heading="核对请求",
        pairs=(
            ("纠错轮次", "第2次", False),
            ("信息表版本", "第1版", False),
            ("纠错原因", why, True),
            ("有疑义的项目", fields, True),
            ("具体说明", "请核实2018年的缴费月数。", True),
        ),
    )
    assert sheet.opening is not None
    assert sheet.opening.startswith("北京市医疗保障事务中心：\n")


def test_without_a_form_there_is_nothing_to_correct() -> None:
    with pytest.raises(ValueError, match="no form, nothing to correct"):
        correction_content(
            Story().state,
            correction_round=1,
            reason=CorrectionReason.SEAL_INVALID,
            note="x",
            person=PERSON,
            regions=REGIONS,
            issued_on=TODAY,
        )


def test_the_arrears_notice_says_what_is_owed_where_and_how_it_is_paid() -> None:
    owed = e.ArrearsNotified(arrears_fen=186_000, first_month="2026-03", last_month="2026-04")
    notice = arrears_content(CASE.state, owed, person=PERSON, regions=REGIONS, issued_on=TODAY)
    assert (notice.transfer_no, notice.agency.region, notice.origin.code) == (NO, O, O)
    assert (notice.first_month, notice.last_month, notice.amount_fen) == ("2026-03", "2026-04", 186_000)
    assert (notice.how_to_pay, notice.where_to_pay) == (HOW_TO_PAY, "北京市医疗保障事务中心，电话010-12393001")
    unlisted = arrears_content(CASE.state, owed, person=PERSON, regions=without(O, "service_phone"), issued_on=TODAY)
    assert unlisted.where_to_pay == "北京市医疗保障事务中心，电话见该机构官方网站"


def test_the_order_of_the_paper_route_is_the_notice_that_travels_with_the_form() -> None:
    fact = fact_of(CASE, e.FundsOrdered)
    told: dict[str, Any] = {"person": PERSON, "regions": REGIONS, "ordered_by": "finance-o", "issued_on": TODAY}
    order = remittance_content(CASE.state, fact, **told)
    notice = remittance_content(on_paper(CASE.state), fact, batch="第1批", released_by="finance-p", **told)
    assert (order.route, order.origin, order.destination, order.batch, order.released_by) == (
        "PLATFORM",
        None,
        None,
        None,
        None,
    )
    assert sheet_of(order).title == "基本医疗保险个人账户划转单"
    assert notice.origin is not None
    assert notice.destination is not None
    assert (notice.route, notice.origin.code, notice.destination.code) == ("PAPER", O, R)
    assert (notice.batch, notice.released_by) == ("第1批", "finance-p")
    assert sheet_of(notice).title == "基本医疗保险关系转出通知书\n（个人账户划转单）"
    for each in (order, notice):
        assert (each.reference, each.person, each.payee_bank_code) == (REFERENCE, MASKED, "999319900900")


def test_the_form_and_the_certificate_know_their_route() -> None:
    fact = fact_of(CASE, e.FormDelivered)
    told: dict[str, Any] = {
        "person": PERSON,
        "regions": REGIONS,
        "enrolled_on": None,
        "made_by": "clerk-o",
        "issued_on": TODAY,
    }
    assert form_content(CASE.state, fact, **told).route == "PLATFORM"
    assert form_content(on_paper(CASE.state), fact, **told).route == "PAPER"
    shown: dict[str, Any] = {
        "person": PERSON,
        "region": REGIONS[O],
        "enrolment": ENROLMENT,
        "periods": O_PERIODS,
        "verification_code": "7K3M-0QXZ-9V2C",
        "issued_on": TODAY,
        "transfer_no": NO,
    }
    plain = certificate_content(**shown)
    paper = certificate_content(**shown, route=TransferRoute.PAPER, valid_until=date(2026, 12, 21))
    assert (plain.valid_until, paper.valid_until) == (None, date(2026, 12, 21))
    assert (len(sheet_of(plain).copies), len(sheet_of(paper).copies)) == (0, 3)


def test_a_second_continuation_statement_supersedes_the_first() -> None:
    fact = fact_of(CASE, e.ContinuationConfirmed)
    told: dict[str, Any] = {"person": PERSON, "regions": REGIONS, "issued_on": TODAY}
    first, second = (continuation_content(CASE.state, fact, **told, version=version) for version in (1, 2))
    assert continuation_content(CASE.state, fact, **told) == first
    assert (sheet_of(first).opening, sheet_of(first).captions) == (None, (f"业务流水号：{NO}",))
    assert sheet_of(second).opening == "本文书为第2版，取代第1版；原第1版作废，请以本版为准。"
