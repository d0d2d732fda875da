"""The statutory figures, each with the instrument it comes from.

A rule of law is found here by its number: every deadline, finding and waiting period carries one of these bases.
"""

from datetime import date
from typing import Final

from pydantic import BaseModel

from workflows.vocabulary import RefusalCode, Side, TransferRoute, TransferStepKind

# Instruments, by the short name that the rest of the code carries as data.
INSTRUMENTS: Final = {
    "SIL": "《社会保险法》第三十二条",
    "43号": "医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》",
    "43号 待遇衔接": "医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》（待遇衔接）",
    "38号": "国办发〔2024〕38号《国务院办公厅关于健全基本医疗保险参保长效机制的指导意见》",
    "94号": "人社厅发〔2016〕94号《流动就业人员基本医疗保险关系转移接续业务经办规程》",
    "94号 art. 4": "人社厅发〔2016〕94号《流动就业人员基本医疗保险关系转移接续业务经办规程》第四条",
    "94号 art. 5": "人社厅发〔2016〕94号《流动就业人员基本医疗保险关系转移接续业务经办规程》第五条",
    "94号 art. 6": "人社厅发〔2016〕94号《流动就业人员基本医疗保险关系转移接续业务经办规程》第六条",
    "GB 11643": "GB 11643-1999《公民身份号码》",
    "PIPL": "《个人信息保护法》第十三条",
    "platform": "本平台服务承诺",
    "platform, after 43号": "本平台服务承诺（医保办发〔2021〕43号 一站式联办）",
    "platform, after 94号": "本平台服务承诺（人社厅发〔2016〕94号 信息核对）",
}


class Period(BaseModel, frozen=True):
    """A time limit: `working_days`, and the key of its instrument in `INSTRUMENTS`."""

    working_days: int
    basis: str


# Step → limit on the platform route. Steps without an entry are done at once.
PLATFORM_PERIODS: Final[dict[TransferStepKind, Period]] = {
    # Ours: a clerk who must look at a MANUAL finding gets a working week.
    TransferStepKind.ACCEPT_APPLICATION: Period(working_days=5, basis="platform"),
    # Ours: before the ten days of 43号 start, the employer's stop must be confirmed or sent back.
    TransferStepKind.STOP_COVERAGE: Period(working_days=5, basis="platform, after 43号"),
    # 43号: the transfer-out agency's ten working days, from acceptance; the money is inside the same clock.
    TransferStepKind.DELIVER_INFORMATION_FORM: Period(working_days=10, basis="43号"),
    TransferStepKind.REMIT_PERSONAL_ACCOUNT: Period(working_days=10, basis="43号"),
    # Ours: money that has not arrived ten working days after its order is looked for.
    TransferStepKind.CONFIRM_RECEIPT: Period(working_days=10, basis="platform"),
    # 43号: the transfer-in agency's five working days, from the form's arrival.
    TransferStepKind.CONFIRM_CONTINUATION: Period(working_days=5, basis="43号"),
}
# Step → limit on the paper route, where either region is not connected (94号).
PAPER_PERIODS: Final[dict[TransferStepKind, Period]] = {
    # Acceptance and letter are one act of R's; each has the fifteen days, from the application and from acceptance.
    TransferStepKind.ACCEPT_APPLICATION: Period(working_days=15, basis="94号 art. 5"),
    TransferStepKind.ISSUE_CONTACT_LETTER: Period(working_days=15, basis="94号 art. 5"),
    TransferStepKind.STOP_COVERAGE: Period(working_days=5, basis="platform, after 43号"),
    # From the arrival of the contact letter; the money is inside the same clock.
    TransferStepKind.DELIVER_INFORMATION_FORM: Period(working_days=15, basis="94号 art. 6"),
    TransferStepKind.REMIT_PERSONAL_ACCOUNT: Period(working_days=15, basis="94号 art. 6"),
    TransferStepKind.CONFIRM_RECEIPT: Period(working_days=10, basis="platform"),
    # From the arrival of both the form and the money.
    TransferStepKind.CONFIRM_CONTINUATION: Period(working_days=15, basis="94号"),
}
PERIODS: Final = {TransferRoute.PLATFORM: PLATFORM_PERIODS, TransferRoute.PAPER: PAPER_PERIODS}
# Ours: a step that a correction opens again, while R's clock stands still.
CORRECTION_PERIOD: Final = Period(working_days=5, basis="platform, after 94号")

# A step is said to be due soon this many working days before its last day (ours).
DUE_SOON_WORKING_DAYS: Final = 2
# An overdue step is escalated once it is this many working days late (ours): to the supervising bureau, to the province.
ESCALATION_WORKING_DAYS: Final = (1, 5)

# 43号 待遇衔接: a gap of up to three months may be paid and means no wait, for who switches schemes after two continuous
# years; after a longer one, or without the two years, a region lets the person wait for at most six months.
FREE_GAP_MONTHS: Final = 3
CONTINUOUS_MONTHS_TO_SWITCH: Final = 24
LONGEST_WAIT_MONTHS: Final = 6
# 38号, the resident scheme from 2025: three months, one more for each year missed (每多断保1年), and from four missed years
# on at least six, whatever a region takes off.
RESIDENT_WAIT_FROM: Final = date(2025, 1, 1)
RESIDENT_WAIT_MONTHS: Final = 3
RESIDENT_WAIT_PER_MISSED_YEAR: Final = 1
RESIDENT_MISSED_YEARS_WITH_LEAST_WAIT: Final = 4
RESIDENT_LEAST_WAIT_MONTHS: Final = 6

# Ours: the person is warned this many days before the last day on which cover may begin without a wait, most distant first.
COVERAGE_GAP_WARNING_DAYS: Final = (30, 10, 3)


class Ground(BaseModel, frozen=True):
    """Where a refusal can be mended: on one side, or on either of two; and the key of its instrument."""

    sides: tuple[Side, ...]
    basis: str = "43号"


_O, _R, _P = (Side.TRANSFER_OUT,), (Side.TRANSFER_IN,), (Side.PLATFORM,)

# The closed list of refusals.
REFUSALS: Final[dict[RefusalCode, Ground]] = {
    RefusalCode.COVERAGE_STILL_ACTIVE: Ground(sides=_O),
    RefusalCode.NOT_ENROLLED_AT_DESTINATION: Ground(sides=_R),
    RefusalCode.CURRENT_MONTH_UNPAID: Ground(sides=_R),
    RefusalCode.RETIRED: Ground(sides=_O),
    RefusalCode.SAME_POOLING_REGION: Ground(sides=_P),
    RefusalCode.NO_RECORD_AT_ORIGIN: Ground(sides=_O),
    RefusalCode.RESIDENT_SAME_YEAR: Ground(sides=_R),
    RefusalCode.SCHEME_MISMATCH: Ground(sides=_O + _R),
    RefusalCode.IDENTITY_MISMATCH: Ground(sides=_O + _R),
    RefusalCode.RESIDENT_ID_INVALID: Ground(sides=_P, basis="GB 11643"),
    # 94号 informs and reminds; the transfer goes on.
    RefusalCode.ARREARS_OUTSTANDING: Ground(sides=_O, basis="94号"),
    # 社会保险法: one person, one insurance; months count once.
    RefusalCode.DOUBLE_INSURED: Ground(sides=_O + _R, basis="SIL"),
    RefusalCode.OVERLAPPING_MONTHS: Ground(sides=_R, basis="SIL"),
    RefusalCode.UNSETTLED_CLAIMS: Ground(sides=_O),
    RefusalCode.TRANSFER_IN_PROGRESS: Ground(sides=_P),
    RefusalCode.ALREADY_TRANSFERRED: Ground(sides=_P),
    RefusalCode.DESTINATION_NOT_OPEN: Ground(sides=_P),
    RefusalCode.CERTIFICATE_INVALID: Ground(sides=_R),
    RefusalCode.ACCOUNT_FROZEN: Ground(sides=_O),
    RefusalCode.DECEASED: Ground(sides=_O),
    RefusalCode.AGENT_NOT_AUTHORISED: Ground(sides=_P, basis="PIPL"),
    RefusalCode.SPECIAL_PERSONNEL: Ground(sides=_P),
    RefusalCode.REGISTER_UNAVAILABLE: Ground(sides=_O + _R),
    RefusalCode.RECEIVING_ACCOUNT_MISSING: Ground(sides=_R),
}
