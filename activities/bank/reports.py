"""Status reports, pain.002: the answer to a question after a reference, or sent by the bank itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pyiso20022.pain.pain_002_001_10 import pain_002_001_10 as p
from xsdata.models.datatype import XmlDateTime

from activities.bank import Answer, BankStatus
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.wire import INITIATION, REPORT, RefusedMessageError, read, write
from workflows.deadlines import SHANGHAI, shanghai_date

# ACSP: being settled, ACSC and ACCC: settled. RJCT: refused. The others (RCVD, ACTC, PDNG …) are no answer yet.
TAKEN_CODES: Final = frozenset({"ACSP", "ACSC", "ACCC"})
REFUSED_CODE, PENDING_CODE = "RJCT", "PDNG"


def answer_of(document: bytes) -> Answer:
    """What a report says of the order that was asked after. Raises `RefusedMessageError`."""
    lines = [line for each in read(document, REPORT).cstmr_pmt_sts_rpt.orgnl_pmt_inf_and_sts for line in _lines(each)]
    if not lines:
        raise RefusedMessageError("a status report without a payment says nothing: ask again")
    refused = [each for each in lines if each.tx_sts == REFUSED_CODE]
    if len(refused) == len(lines):
        return Answer(BankStatus.REFUSED, _reason(refused[0]))
    if all(each.tx_sts in TAKEN_CODES or each in refused for each in lines):
        return Answer(BankStatus.TAKEN)
    return Answer(BankStatus.PENDING)


def entries_of(message: Any) -> list[BankEntry]:
    """The lines of a report that say yes or no, for those who keep them."""
    report = message.cstmr_pmt_sts_rpt
    said_at = _instant(report.grp_hdr.cre_dt_tm)
    found = []
    for instruction in report.orgnl_pmt_inf_and_sts:
        for line in _lines(instruction):
            if line.tx_sts not in TAKEN_CODES and line.tx_sts != REFUSED_CODE:
                continue
            refused = line.tx_sts == REFUSED_CODE
            found.append(
                BankEntry(
                    kind=EntryKind.REFUSED if refused else EntryKind.ACCEPTED,
                    # One yes and one no of a payment, however many reports repeat it.
                    entry_reference=f"{line.orgnl_end_to_end_id}:{'RJCT' if refused else 'ACSC'}",
                    end_to_end_id=line.orgnl_end_to_end_id,
                    booked_on=shanghai_date(said_at),
                    value_on=shanghai_date(said_at),
                    code=_reason(line) if refused else None,
                )
            )
    return found


def report_of(message_id: str, reference: str, lines: Sequence[tuple[str, str, str | None]], at: datetime) -> bytes:
    """The bank's own side: a report on an order, of each payment its id, its status and the reason for a refusal."""
    content = p.CustomerPaymentStatusReportV10(
        grp_hdr=p.GroupHeader86(msg_id=message_id, cre_dt_tm=XmlDateTime.from_datetime(at.replace(microsecond=0))),
        orgnl_grp_inf_and_sts=p.OriginalGroupHeader17(orgnl_msg_id=reference, orgnl_msg_nm_id=INITIATION),
        orgnl_pmt_inf_and_sts=[
            p.OriginalPaymentInstruction32(
                orgnl_pmt_inf_id=reference,
                tx_inf_and_sts=[
                    p.PaymentTransaction105(
                        orgnl_end_to_end_id=end_to_end_id,
                        tx_sts=status,
                        sts_rsn_inf=[] if code is None else [_said(code)],
                    )
                    for end_to_end_id, status, code in lines
                ],
            )
        ],
    )
    return write(p.Document(cstmr_pmt_sts_rpt=content), REPORT)


def _said(code: str) -> p.StatusReasonInformation12:
    own = len(code) <= 4
    return p.StatusReasonInformation12(rsn=p.StatusReason6Choice(cd=code if own else None, prtry=None if own else code))


def _lines(instruction: Any) -> list[Any]:
    """The payments of a report. Raises `RefusedMessageError` for one without its reference or status."""
    lines: list[Any] = instruction.tx_inf_and_sts
    for each in lines:
        if each.orgnl_end_to_end_id is None or each.tx_sts is None:
            raise RefusedMessageError("a payment of a status report without OrgnlEndToEndId or TxSts: send both")
    return lines


def _reason(line: Any) -> str | None:
    for each in line.sts_rsn_inf:
        if each.rsn is not None:
            code: str | None = each.rsn.cd or each.rsn.prtry
            return code
    return None


def _instant(said: XmlDateTime) -> datetime:
    """An instant of a message; one without an offset is Shanghai's."""
    instant = said.to_datetime()
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=SHANGHAI)
