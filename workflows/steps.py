"""Every activity on one page: its name, what it carries, its time limits and retries, and its summary for operators.

All are tried again until they succeed: PostgreSQL or the bank being away is no reason for a transfer to fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from temporalio.common import RetryPolicy

from workflows.messages import (
    BankNote,
    BankOrder,
    BankSaid,
    BankWord,
    CertificateOrder,
    ClockOrder,
    CommandOutcome,
    MandateOrder,
    StepOrder,
    StepResult,
    UnmatchedFundsOrder,
)
from workflows.vocabulary import TransferAction

Given = TypeVar("Given", bound=BaseModel)
Answer = TypeVar("Answer")

# One short transaction. The limit is how long a step waits for a worker that died with it in its hands.
TRANSACTION = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30)),
}
# Each attempt asks the bank once; "not yet" is an attempt that will be made again.
BANK = {
    "start_to_close_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500), backoff_coefficient=1.5, maximum_interval=timedelta(minutes=5)
    ),
}


@dataclass(frozen=True, eq=False)
class ActivityStep(Generic[Given, Answer]):
    """`summary` is what the Temporal UI shows beside the activity.

    `bookkeeping` does nothing but note, at once, what another activity has said: it is carried out beside the workflow,
    as a local activity, in cases that began with that.
    """

    name: str
    given: type[Given]
    answer: type[Answer]
    summary: str
    options: Mapping[str, Any] = field(default_factory=lambda: TRANSACTION)
    bookkeeping: bool = False


OPEN_TRANSFER: Final = ActivityStep("open_transfer", StepOrder, StepResult, "核验双方登记并立案")
ISSUE_CERTIFICATE: Final = ActivityStep("issue_certificate", ClockOrder, StepResult, "转出地：开具参保凭证")
NOTE_DEADLINES: Final = ActivityStep("note_deadlines", ClockOrder, StepResult, "记录办理时限")
SEND_TO_BANK: Final = ActivityStep("send_to_bank", BankOrder, BankSaid, "银行：送达划转指令并等待受理", BANK)
NOTE_BANK_TOOK_ORDER: Final = ActivityStep(
    "note_bank_took_order", BankWord, StepResult, "记录银行已划出", bookkeeping=True
)
NOTE_BANK_WORD: Final = ActivityStep("note_bank_word", BankNote, StepResult, "记录银行回执", bookkeeping=True)
RECHECK_REGISTERS: Final = ActivityStep("recheck_registers", ClockOrder, StepResult, "重新核验双方登记")
ISSUE_CERTIFICATE_ALONE: Final = ActivityStep(
    "issue_certificate_alone", CertificateOrder, CommandOutcome, "转出地：即时开具参保凭证"
)
SEND_FUNDS_HOME: Final = ActivityStep("send_funds_home", UnmatchedFundsOrder, CommandOutcome, "退回无主资金")
CARRY_OUT_MANDATE: Final = ActivityStep("carry_out_mandate", MandateOrder, CommandOutcome, "登记或撤销代办授权")

ACTIONS: Final[dict[TransferAction, ActivityStep[StepOrder, StepResult]]] = {
    action: ActivityStep(action.value.lower(), StepOrder, StepResult, summary)
    for action, summary in {
        TransferAction.ACCEPT_TRANSFER: "转入地：受理申请",
        TransferAction.DECLINE_TRANSFER: "转入地：不予受理",
        TransferAction.STOP_COVERAGE: "转出地：中止参保",
        TransferAction.RETURN_TRANSFER: "转出地：退回",
        TransferAction.REISSUE_CERTIFICATE: "转出地：补发参保凭证",
        TransferAction.ISSUE_CONTACT_LETTER: "转入地：发出联系函",
        TransferAction.RECORD_MAIL: "登记邮寄与到达",
        TransferAction.DELIVER_INFORMATION_FORM: "转出地：生成并上传信息表，冻结个人账户",
        TransferAction.CHECK_INFORMATION_FORM: "转出地：复核信息表",
        TransferAction.REQUEST_CORRECTION: "转入地：要求核对信息表，中止计时",
        TransferAction.PROVIDE_PAYOUT_ACCOUNT: "参保人：提供收款账户",
        TransferAction.APPROVE_REVERSE_REMITTANCE: "主管部门：批准退回资金",
        TransferAction.TERMINATE_TRANSFER: "主管部门：终止",
        TransferAction.REMIT_PERSONAL_ACCOUNT: "转出地财务：划转个人账户余额",
        TransferAction.RELEASE_REMITTANCE: "转出地财务：另一人放行划转指令",
        TransferAction.CONFIRM_RECEIPT: "转入地财务：确认到账并计入个人账户",
        TransferAction.MATCH_FUNDS: "转入地财务：处理金额不符的到账",
        TransferAction.CONFIRM_CONTINUATION: "转入地：确认接续",
        TransferAction.WITHDRAW_TRANSFER: "申请人：撤回",
    }.items()
}
