"""Chinese words for the values that documents show."""

from datetime import date, datetime
from typing import Final

from activities.documents.amounts import yuan_figures, yuan_words
from activities.documents.sheet import ABSENT
from workflows.deadlines import SHANGHAI
from workflows.vocabulary import DocumentKind, InsuranceScheme, Side, TransferRoute

TITLE: Final = {
    DocumentKind.ACCEPTANCE_NOTICE: "受理告知书",
    DocumentKind.REFUSAL_NOTICE: "不予受理告知书",
    DocumentKind.ENROLMENT_CERTIFICATE: "参保凭证",
    DocumentKind.CONTACT_LETTER: "联系函",
    DocumentKind.INFORMATION_FORM: "转移接续信息表",
    DocumentKind.REMITTANCE_ORDER: "个人账户划转单",
    DocumentKind.CONTINUATION_STATEMENT: "关系接续说明",
    DocumentKind.COMPLETION_NOTICE: "办结通知",
    DocumentKind.APPLICATION: "转移接续申请表",
    DocumentKind.CORRECTION_REQUEST: "纠错单",
    DocumentKind.ARREARS_NOTICE: "欠费提示",
}
SCHEME: Final = {
    InsuranceScheme.EMPLOYEE: "职工基本医疗保险",
    InsuranceScheme.RESIDENT: "城乡居民基本医疗保险",
}
SIDE: Final = {Side.TRANSFER_OUT: "转出地", Side.TRANSFER_IN: "转入地", Side.PLATFORM: "平台"}
DISPOSITION: Final = {
    "REMIT": "划转至转入地医保经办机构",
    "PAY_OUT": "一次性支付给本人",
    "RETAIN": "省内账户保留，不划转",
    "NOT_REQUIRED": "余额为零，无需划转",
}
ROUTE: Final = {
    TransferRoute.PLATFORM: "平台办理（两地均已接入）",
    TransferRoute.PAPER: "纸质办理（邮寄）",
}
APPLICANT: Final = {"PERSON": "参保人本人", "EMPLOYER": "用人单位", "AGENT": "代办人"}
# The enrolment certificate on paper.
COPIES: Final = (
    "第一联　转移联（交转入地经办机构）",
    "第二联　存档联（转出地经办机构留存）",
    "第三联　参保人联（参保人留存）",
)
SCAN: Final = "扫描二维码可核验本文书。"
SCAN_FOR_CASE: Final = "经办人员扫描二维码，可找到本业务并核验本文书。"


def day(value: date | None) -> str:
    """`2026年11月22日`; a dash when absent."""
    return f"{value.year}年{value.month}月{value.day}日" if value else ABSENT


def days(first: date | None, last: date | None, *, open_end: str = ABSENT) -> str:
    """`2015年1月1日 至 2026年10月31日`; a dash when there is no first day."""
    return f"{day(first)} 至 {day(last) if last else open_end}" if first else ABSENT


def moment(value: datetime) -> str:
    """`2026年11月22日 09:30`, in Asia/Shanghai."""
    there = value.astimezone(SHANGHAI)
    return f"{day(there.date())} {there:%H:%M}"


def month(value: str | None) -> str:
    """`2015-01` → `2015年1月`."""
    return f"{int(value[:4])}年{int(value[5:])}月" if value else ABSENT


def money(amount_fen: int) -> str:
    """Figures and words: `1,234.56元（人民币壹仟贰佰叁拾肆元伍角陆分）`."""
    return f"{yuan_figures(amount_fen)}元（{yuan_words(amount_fen)}）"
