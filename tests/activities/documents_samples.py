"""One synthetic content of each document kind, and how tests read its PDF. No such persons, agencies or accounts exist."""

import io
from datetime import date, datetime, timedelta, timezone
from typing import Final

from pypdf import PdfReader

from activities.documents.content import (
    AcceptanceNoticeContent,
    AgencyBlock,
    AgentBlock,
    ApplicantContact,
    ApplicationContent,
    ArrearsNoticeContent,
    CompletionNoticeContent,
    ContactLetterContent,
    ContinuationStatementContent,
    ContributionSegment,
    CorrectionRequestContent,
    DeadlineLine,
    DocumentContent,
    EnrolmentCertificateContent,
    InformationFormContent,
    IssuedDocument,
    OverlapLine,
    PartyDays,
    PersonBlock,
    ReceivingAccount,
    RefusalNoticeContent,
    RefusalReason,
    RegionBlock,
    RemittanceOrderContent,
    StepLine,
)
from activities.documents.render import render_pdf
from workflows.vocabulary import CorrectionReason, InsuranceScheme, RefusalCode, Side, TransferRoute

TRANSFER_NO: Final = "ZY-319900-20261122-000042"
BEIJING_AGENCY: Final = AgencyBlock(
    code="110000A",
    name="示例北京市医疗保险经办机构",
    region="110000",
    region_name="北京市",
    address="北京市示例区示例路1号",
    contact="示例经办",
    phone="010-00000000",
)
SHANGHAI_AGENCY: Final = AgencyBlock(
    code="319900A", name="示例上海市医疗保险经办机构", region="319900", region_name="上海市市本级", phone="021-00000000"
)
PERSON: Final = PersonBlock(name="王示例", resident_id="11010119900307002X", sex="女")
MASKED_PERSON: Final = PersonBlock(name="王*例", resident_id="110101********002X")
BEIJING: Final = RegionBlock(code="110000", name="北京市", scheme=InsuranceScheme.EMPLOYEE)
SHANGHAI: Final = RegionBlock(code="319900", name="上海市市本级", scheme=InsuranceScheme.EMPLOYEE)

CERTIFICATE: Final = EnrolmentCertificateContent(
    agency=BEIJING_AGENCY,
    issued_on=date(2026, 11, 22),
    verification_code="7K3M-0QXZ-9V2C",
    transfer_no=TRANSFER_NO,
    person=PERSON,
    scheme=InsuranceScheme.EMPLOYEE,
    coverage_from=date(2015, 1, 1),
    coverage_to=date(2026, 10, 31),
    actual_months=142,
    deemed_months=0,
    personal_account_fen=1_234_56,
    valid_until=date(2027, 2, 22),
)
INFORMATION_FORM: Final = InformationFormContent(
    agency=BEIJING_AGENCY,
    issued_on=date(2026, 11, 27),
    transfer_no=TRANSFER_NO,
    version=1,
    person=PERSON,
    destination=SHANGHAI,
    segments=(
        ContributionSegment(
            scheme=InsuranceScheme.EMPLOYEE,
            region_name="北京市",
            first_month="2000-01",
            last_month="2005-12",
            months=72,
            deemed=True,
        ),
        ContributionSegment(
            scheme=InsuranceScheme.EMPLOYEE,
            region_name="北京市",
            first_month="2015-01",
            last_month="2026-10",
            months=142,
            deemed=False,
            payment_kind="单位缴费",
        ),
    ),
    first_enrolled_on=date(2000, 1, 1),
    stopped_on=date(2026, 10, 31),
    actual_months=142,
    deemed_months=72,
    total_months=214,
    personal_account_fen=1_234_56,
    personal_account_opened_in="2015-01",
    disposition="REMIT",
    made_by="示例经办甲",
    checked_by="示例复核乙",
)
CONTINUATION_STATEMENT: Final = ContinuationStatementContent(
    agency=SHANGHAI_AGENCY,
    issued_on=date(2026, 12, 2),
    transfer_no=TRANSFER_NO,
    person=PERSON,
    origin=BEIJING,
    destination=SHANGHAI,
    actual_months=143,
    deemed_months=72,
    total_months=215,
    overlaps=(OverlapLine(first_month="2026-10", last_month="2026-10", months=1),),
    gap_months=5,
    waiting_rule="中断缴费超过3个月，等待期6个月",
    waiting_basis="医保办发〔2021〕43号",
    waiting_months=6,
    waiting_from=date(2026, 11, 1),
    waiting_to=date(2027, 4, 30),
    waiting_ratio_percent=0,
    credited_fen=1_234_56,
    credited_on=date(2026, 12, 1),
)
REFUSAL_NOTICE: Final = RefusalNoticeContent(
    agency=SHANGHAI_AGENCY,
    issued_on=date(2026, 11, 22),
    person=MASKED_PERSON,
    origin=BEIJING,
    destination=SHANGHAI,
    reasons=(
        RefusalReason(
            code=RefusalCode.COVERAGE_STILL_ACTIVE,
            side=Side.TRANSFER_OUT,
            message="您在北京市的职工医保尚未停保。",
            fix="请原用人单位办理减员，或在申请时选择一站式联办。",
            where="示例北京市医疗保险经办机构，电话 010-00000000",
            legal_basis="医保办发〔2021〕43号",
            retry_on=date(2026, 12, 1),
        ),
        RefusalReason(
            code=RefusalCode.ARREARS_OUTSTANDING,
            side=Side.TRANSFER_OUT,
            message="2026年3月至2026年4月欠费 1,860.00 元。",
            fix="缴清欠费。",
            where="示例北京市医疗保险经办机构，电话 010-00000000",
            legal_basis="人社厅发〔2016〕94号",
        ),
    ),
    note="请先与原用人单位核对停保日期。",
    how_to_follow="请凭告知书编号在国家医保服务平台示例页面查询，或致电 12393。",
)
ACCEPTANCE_NOTICE: Final = AcceptanceNoticeContent(
    agency=SHANGHAI_AGENCY,
    issued_on=date(2026, 11, 22),
    transfer_no=TRANSFER_NO,
    person=MASKED_PERSON,
    origin=BEIJING,
    destination=SHANGHAI,
    deadlines=(
        DeadlineLine(
            step="生成并上传信息表",
            agency_name="示例北京市医疗保险经办机构",
            working_days=10,
            due_on=date(2026, 12, 4),
            provisional=False,
            legal_basis="医保办发〔2021〕43号",
        ),
        DeadlineLine(
            step="全部办结",
            agency_name="示例上海市医疗保险经办机构",
            working_days=15,
            due_on=date(2027, 1, 4),
            provisional=True,
            legal_basis="医保办发〔2021〕43号",
        ),
    ),
    how_to_follow="请凭业务流水号在国家医保服务平台示例页面查询，或致电 12393。",
)
REMITTANCE_ORDER: Final = RemittanceOrderContent(
    agency=BEIJING_AGENCY,
    issued_on=date(2026, 11, 27),
    transfer_no=TRANSFER_NO,
    reference="R319900202611270000421",
    payee_name="示例上海市医疗保险基金专户",
    payee_bank="示例银行上海分行",
    payee_account="6000000000000000042",
    amount_fen=1_234_56,
    person=MASKED_PERSON,
    ordered_by="示例财务丙",
)
COMPLETION_NOTICE: Final = CompletionNoticeContent(
    agency=SHANGHAI_AGENCY,
    issued_on=date(2026, 12, 2),
    verification_code="4H8D-2RTW-0NJ6",
    transfer_no=TRANSFER_NO,
    person=PERSON,
    origin=BEIJING,
    destination=SHANGHAI,
    completed_on=date(2026, 12, 2),
    days_used=(PartyDays(party="转出地", working_days=5), PartyDays(party="转入地", working_days=3)),
    steps=(
        StepLine(step="开具参保凭证", agency_name="示例北京市医疗保险经办机构", done_on=date(2026, 11, 22)),
        StepLine(step="生成并上传信息表", agency_name="示例北京市医疗保险经办机构", done_on=date(2026, 11, 27)),
        StepLine(step="确认到账并计入个人账户", agency_name="示例上海市医疗保险经办机构", done_on=date(2026, 12, 1)),
        StepLine(step="确认接续", agency_name="示例上海市医疗保险经办机构", done_on=date(2026, 12, 2)),
    ),
    amount_fen=1_234_56,
    documents=(IssuedDocument(title="参保凭证", number="京2026000042"),),
)

# ---------------------------------------------------------------- the paper route, and what parties write to each other
PAPER: Final = TransferRoute.PAPER
CERTIFICATE_ON_PAPER: Final = CERTIFICATE.model_copy(update={"route": PAPER})
INFORMATION_FORM_ON_PAPER: Final = INFORMATION_FORM.model_copy(update={"route": PAPER})
TRANSFER_OUT_NOTICE: Final = REMITTANCE_ORDER.model_copy(
    update={
        "route": PAPER,
        "payee_bank_code": "999000000042",
        "origin": BEIJING,
        "destination": SHANGHAI,
        "batch": "2026-11-27 第1批",
        "released_by": "示例财务丁",
    }
)
CONTACT_LETTER: Final = ContactLetterContent(
    agency=SHANGHAI_AGENCY.model_copy(
        update={"address": "上海市示例区示例路42号", "contact": "示例经办戊", "post_code": "000042"}
    ),
    issued_on=date(2026, 11, 24),
    transfer_no=TRANSFER_NO,
    addressee=BEIJING_AGENCY,
    person=PERSON,
    origin=BEIJING,
    destination=SHANGHAI,
    receiving_account=ReceivingAccount(
        name="示例上海市医疗保险基金专户",
        bank="示例银行上海分行",
        bank_code="999000000042",
        account="6000000000000000042",
    ),
)
APPLICATION: Final = ApplicationContent(
    agency=SHANGHAI_AGENCY,
    issued_on=date(2026, 11, 22),
    transfer_no=TRANSFER_NO,
    route=PAPER,
    applicant="AGENT",
    person=PERSON,
    contact=ApplicantContact(
        phone="000-0000042",
        household_address="北京市示例区示例胡同1号",
        address="上海市示例区示例路7号",
        post_code="000042",
    ),
    origin=BEIJING,
    origin_agency=BEIJING_AGENCY,
    destination=SHANGHAI,
    employer_ids=("91310000EXAMPLE42X",),
    coverage_from=date(2015, 1, 1),
    coverage_to=date(2026, 10, 31),
    declared_months=142,
    certificate_number="京2026000042",
    agent=AgentBlock(relation="配偶", name="李*例"),
    consent="示例声明：本人自愿申请，所填内容真实。",
    applied_at=datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=8))),
)
CORRECTION_REQUEST: Final = CorrectionRequestContent(
    agency=SHANGHAI_AGENCY,
    issued_on=date(2026, 11, 30),
    transfer_no=TRANSFER_NO,
    route=PAPER,
    round=1,
    addressee=BEIJING_AGENCY,
    person=PERSON,
    disputed_version=1,
    reason=CorrectionReason.YEARS_DISPUTED,
    note="2006年1月至2014年12月无缴费记录，请核实。",
)
ARREARS_NOTICE: Final = ArrearsNoticeContent(
    agency=BEIJING_AGENCY,
    issued_on=date(2026, 11, 22),
    transfer_no=TRANSFER_NO,
    person=PERSON,
    origin=BEIJING,
    first_month="2026-03",
    last_month="2026-04",
    amount_fen=1_860_00,
    how_to_pay="个人欠缴的，请到下列地点办理补缴。",
    where_to_pay="示例北京市医疗保险经办机构，电话 010-00000000",
    legal_basis="人社厅发〔2016〕94号",
)

EACH_KIND: Final[tuple[DocumentContent, ...]] = (
    CERTIFICATE,
    INFORMATION_FORM,
    CONTINUATION_STATEMENT,
    REFUSAL_NOTICE,
    ACCEPTANCE_NOTICE,
    REMITTANCE_ORDER,
    COMPLETION_NOTICE,
    CONTACT_LETTER,
    APPLICATION,
    CORRECTION_REQUEST,
    ARREARS_NOTICE,
)
ON_PAPER: Final[tuple[DocumentContent, ...]] = (
    CONTACT_LETTER,
    APPLICATION,
    CERTIFICATE_ON_PAPER,
    INFORMATION_FORM_ON_PAPER,
    TRANSFER_OUT_NOTICE,
    CORRECTION_REQUEST,
)

NUMBER: Final = "京2026000042"
ISSUED_AT: Final = datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=8)))
VERIFY_URL: Final = "http://127.0.0.1/verify/京2026000042"


def read_pdf(content: DocumentContent) -> PdfReader:
    pdf = render_pdf(content, number=NUMBER, issued_at=ISSUED_AT, qr_url=VERIFY_URL)
    return PdfReader(io.BytesIO(pdf))


def lines_of(content: DocumentContent) -> list[str]:
    """Every line of text of the PDF, in reading order, without the white space of the layout."""
    text = "\n".join(page.extract_text() for page in read_pdf(content).pages)
    return [line.replace(" ", "") for line in text.splitlines() if line.strip()]


def run_of(content: DocumentContent) -> str:
    return "".join(lines_of(content))
