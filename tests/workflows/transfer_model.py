"""A transfer as law.md tells it, in a few booleans and a list of orders: what the real one is held against.

Written from the law alone. It shares the field's vocabulary with the code, and no rule, fold or clock.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from workflows.actors import Actor
from workflows.vocabulary import (
    CLERKS,
    FINANCE,
    FORM_CHECKERS,
    FORM_MAKERS,
    FundsStatus,
    MailItem,
    Role,
    TransferAction,
    TransferStatus,
    TransferStepKind,
)

A, K = TransferAction, TransferStepKind
AT_AN_END = {
    FundsStatus.NOT_REQUIRED,
    FundsStatus.CREDITED,
    FundsStatus.PAID_OUT_TO_PERSON,
    FundsStatus.RETAINED_IN_PROVINCE,
}


class Stage(StrEnum):
    WAITING = "WAITING"
    TO_ACCEPT = "TO_ACCEPT"
    TO_STOP = "TO_STOP"
    UNDER_WAY = "UNDER_WAY"
    ENDING = "ENDING"


class Way(StrEnum):
    """Where money goes: from O to R, home again, or to the person."""

    THERE = "THERE"
    HOME = "HOME"
    OUT = "OUT"


@dataclass
class Order:
    way: Way
    amount_fen: int
    # PENDING: proposed, and not approved yet.
    status: FundsStatus
    by_post: bool


@dataclass
class Said:
    """What a step says beside its kind: the form's balance and whether a note explains it, the advice's amount."""

    balance_fen: int | None = None
    note: bool = False
    mail: MailItem = MailItem.CONTACT_LETTER
    amount_is_right: bool = True


@dataclass
class Model:
    origin: str
    destination: str
    held_fen: int
    unconnected: frozenset[str] = frozenset()
    pays_out: bool = False
    retains: bool = False
    needs_checker: bool = False
    # The person's employer submitted the application, and not the person.
    by_employer: bool = False
    manual: bool = False
    stop_needed: bool = False
    stage: Stage = Stage.WAITING
    ended: TransferStatus | None = None
    # No agency has done a step yet.
    untouched: bool = True
    letter_asked: bool = False
    letter_sent: bool = False
    form_asked: bool = False
    form_arrived: bool = False
    prepared_by: str | None = None
    form_fen: int | None = None
    disputed: bool = False
    to_continue: bool = False
    continuing_clock: bool = False
    continued: bool = False
    ever_continued: bool = False
    orders: list[Order] = field(default_factory=list)
    account_known: bool = False
    remit_open: bool = False
    prepared_fen: int | None = None

    # ---------------------------------------------------------------- the beginning

    @property
    def paper(self) -> bool:
        return bool(self.unconnected)

    def registers_agree(self) -> None:
        """Nothing stands in the way (any more)."""
        if self.manual or self.paper:
            self.stage = Stage.TO_ACCEPT
        else:
            self._accepted_or_to_stop()

    def _accepted_or_to_stop(self) -> None:
        if self.stop_needed:
            self.stage = Stage.TO_STOP
            return
        self.stage = Stage.UNDER_WAY
        self.letter_asked, self.form_asked = self.paper, not self.paper

    # ---------------------------------------------------------------- what can be seen

    @property
    def status(self) -> TransferStatus:
        if self.ended is not None:
            return self.ended
        if self.stage in (Stage.WAITING, Stage.TO_ACCEPT, Stage.TO_STOP):
            return TransferStatus.SUBMITTED
        if self.disputed and self.stage is not Stage.ENDING:
            return TransferStatus.CORRECTION_REQUESTED
        if self.continued:
            return TransferStatus.AWAITING_FUNDS
        under_way = self.form_fen is None and self.stage is not Stage.ENDING
        return TransferStatus.TRANSFERRING_OUT if under_way else TransferStatus.TRANSFERRING_IN

    @property
    def funds(self) -> FundsStatus:  # noqa: PLR0911 - one answer for each place where money can be
        order = self.on_its_way
        if order is not None:
            return order.status
        if self.form_fen is None:
            return FundsStatus.PENDING
        if self.retains and self.form_fen:
            return FundsStatus.RETAINED_IN_PROVINCE
        if not self.orders:
            return FundsStatus.PENDING if self.form_fen else FundsStatus.NOT_REQUIRED
        if self.settled_fen != self.target_fen:
            return FundsStatus.PENDING
        if self.stage is Stage.ENDING:
            # Of a case that came to nothing the money is home.
            return FundsStatus.RETURNED
        return FundsStatus.PAID_OUT_TO_PERSON if self.pays_out else FundsStatus.CREDITED

    @property
    def open_steps(self) -> dict[TransferStepKind, str]:
        """Every open step, and the region that holds it."""
        if self.ended is not None:
            return {}
        order = self.on_its_way
        receipt = order is not None and order.way is not Way.OUT and order.status is not FundsStatus.PENDING
        payee = self.origin if order is not None and order.way is Way.HOME else self.destination
        is_open = {
            (K.ACCEPT_APPLICATION, self.destination): self.stage is Stage.TO_ACCEPT,
            (K.STOP_COVERAGE, self.origin): self.stage is Stage.TO_STOP,
            (K.ISSUE_CONTACT_LETTER, self.destination): self.letter_asked,
            (K.DELIVER_INFORMATION_FORM, self.origin): self.form_asked,
            (K.REMIT_PERSONAL_ACCOUNT, self.origin): self.remit_open,
            (K.CONFIRM_CONTINUATION, self.destination): self.to_continue,
            (K.CONFIRM_RECEIPT, payee): receipt,
        }
        return {kind: region for (kind, region), opened in is_open.items() if opened}

    @property
    def paused(self) -> set[TransferStepKind]:
        """The steps whose clocks stand still: R's while O answers, O's while the person has not named an account."""
        still: set[TransferStepKind] = set()
        if self.ended is not None:
            return still
        if self.to_continue and self.continuing_clock and self.disputed:
            still.add(K.CONFIRM_CONTINUATION)
        if self.remit_open and self.pays_out and not self.account_known:
            still.add(K.REMIT_PERSONAL_ACCOUNT)
        return still

    # ---------------------------------------------------------------- money

    @property
    def on_its_way(self) -> Order | None:
        return next((each for each in self.orders if each.status is not FundsStatus.CREDITED), None)

    @property
    def settled_fen(self) -> int:
        done = [each for each in self.orders if each.status is FundsStatus.CREDITED]
        return sum(-each.amount_fen if each.way is Way.HOME else each.amount_fen for each in done)

    @property
    def target_fen(self) -> int:
        """What must have left O in the end."""
        nothing = self.stage is Stage.ENDING or self.ended is TransferStatus.TERMINATED or self.retains
        return 0 if nothing else self.form_fen or 0

    @property
    def paid_out(self) -> bool:
        return any(each.way is Way.OUT for each in self.orders)

    def _follow(self) -> None:
        """What follows by itself: money is asked for or called home, clocks start, the case ends."""
        owed = self.target_fen - self.settled_fen
        if self.form_fen is not None and self.on_its_way is None and owed < 0:
            self.orders.append(Order(Way.HOME, -owed, FundsStatus.PENDING, self.destination in self.unconnected))
        # Money is asked for while some is owed and none is on its way.
        asked_for = self.form_fen is not None and self.stage is Stage.UNDER_WAY
        self.remit_open = asked_for and owed > 0 and self.on_its_way is None
        # 94号: R's days begin when form and money are there, and none of them while it disputes the form.
        here = self.form_arrived or self.destination not in self.unconnected
        if self.to_continue and here and self.funds in AT_AN_END and not self.disputed:
            self.continuing_clock = True
        if self.stage is Stage.ENDING and self.on_its_way is None and self.settled_fen == 0:
            self._end(TransferStatus.TERMINATED)
        if self.continued and self.funds in AT_AN_END:
            self._end(TransferStatus.COMPLETED)

    def _end(self, status: TransferStatus) -> None:
        self.ended = status

    # ---------------------------------------------------------------- who may do what, and when

    def allows(self, action: TransferAction, actor: Actor, said: Said) -> bool:
        if self.ended is not None:
            return False
        return self._may(action, actor) and self._now(action, actor) and self._makes_sense(action, said)

    def _may(self, action: TransferAction, actor: Actor) -> bool:
        role = actor.roles[0]
        receipt = self.open_steps.get(K.CONFIRM_RECEIPT, self.destination)
        turns: dict[TransferAction, tuple[tuple[Role, ...], str | None]] = {
            A.ACCEPT_TRANSFER: (CLERKS, self.destination),
            A.DECLINE_TRANSFER: (CLERKS, self.destination),
            A.STOP_COVERAGE: (CLERKS, self.origin),
            A.RETURN_TRANSFER: (FORM_MAKERS, self.origin),
            A.ISSUE_CONTACT_LETTER: (CLERKS, self.destination),
            A.DELIVER_INFORMATION_FORM: (FORM_MAKERS, self.origin),
            A.CHECK_INFORMATION_FORM: (FORM_CHECKERS, self.origin),
            A.REQUEST_CORRECTION: (FORM_MAKERS, self.destination),
            A.REMIT_PERSONAL_ACCOUNT: (FINANCE, self.origin),
            A.CONFIRM_RECEIPT: (FINANCE, receipt),
            A.CONFIRM_CONTINUATION: (FORM_MAKERS, self.destination),
            A.PROVIDE_PAYOUT_ACCOUNT: ((Role.INSURED_PERSON,), None),
            # The person always; an employer what it submitted itself.
            A.WITHDRAW_TRANSFER: ((Role.INSURED_PERSON, *((Role.EMPLOYER,) if self.by_employer else ())), None),
            A.TERMINATE_TRANSFER: ((Role.SUPERVISOR,), None),
            A.APPROVE_REVERSE_REMITTANCE: ((Role.SUPERVISOR,), None),
        }
        if action is A.RECORD_MAIL:
            return role in CLERKS and actor.region in (self.origin, self.destination)
        if action is A.REISSUE_CERTIFICATE:
            return role is Role.INSURED_PERSON or (role in CLERKS and self._enters(actor, self.origin))
        roles, region = turns[action]
        return role in roles and (region is None or self._enters(actor, region))

    def _enters(self, actor: Actor, region: str) -> bool:
        """What an unconnected agency does by post, the other side enters."""
        other = self.destination if region == self.origin else self.origin
        return actor.region == (other if region in self.unconnected else region)

    def _now(self, action: TransferAction, actor: Actor) -> bool:
        order, under_way = self.on_its_way, self.stage is Stage.UNDER_WAY
        disputable = (self.to_continue or self.continued) and not self.disputed
        return {
            A.ACCEPT_TRANSFER: self.stage is Stage.TO_ACCEPT,
            A.DECLINE_TRANSFER: self.stage is Stage.TO_ACCEPT,
            A.STOP_COVERAGE: self.stage is Stage.TO_STOP,
            # Before any money is ordered and before R has continued the record.
            A.RETURN_TRANSFER: (self.stage is Stage.TO_STOP or self.form_asked)
            and not self.orders
            and not self.ever_continued,
            A.ISSUE_CONTACT_LETTER: self.letter_asked,
            A.RECORD_MAIL: self.paper and self.stage is not Stage.ENDING,
            A.REISSUE_CERTIFICATE: under_way,
            A.DELIVER_INFORMATION_FORM: self.form_asked,
            A.CHECK_INFORMATION_FORM: self.prepared_by not in (None, actor.subject),
            A.REQUEST_CORRECTION: disputable and under_way,
            # What is paid to the person no bank calls back: not while the form is disputed.
            A.REMIT_PERSONAL_ACCOUNT: self.remit_open
            and (not self.pays_out or (self.account_known and not self.disputed)),
            A.PROVIDE_PAYOUT_ACCOUNT: self.remit_open and self.pays_out,
            A.CONFIRM_RECEIPT: K.CONFIRM_RECEIPT in self.open_steps,
            A.CONFIRM_CONTINUATION: self.to_continue and not self.disputed,
            A.APPROVE_REVERSE_REMITTANCE: order is not None and order.status is FundsStatus.PENDING,
            A.WITHDRAW_TRANSFER: self.untouched,
            A.TERMINATE_TRANSFER: self.stage is not Stage.ENDING and not self.ever_continued and not self.paid_out,
        }[action]

    def _makes_sense(self, action: TransferAction, said: Said) -> bool:
        if action is A.DELIVER_INFORMATION_FORM:
            balance = self.held_fen if said.balance_fen is None else said.balance_fen
            sent = sum(each.amount_fen for each in self.orders if each.way is Way.OUT)
            return balance <= self.held_fen and (balance == self.held_fen or said.note) and balance >= sent
        if action is A.CONFIRM_RECEIPT:
            order = self.on_its_way
            return order is None or order.status is not FundsStatus.MISMATCHED or said.note
        if action is A.RECORD_MAIL:
            return said.mail is MailItem.CERTIFICATE or self.letter_sent
        return True

    # ---------------------------------------------------------------- what a step makes true

    def take(self, action: TransferAction, actor: Actor, said: Said) -> None:  # noqa: C901, PLR0912 - one arm for each action
        match action:
            case A.ACCEPT_TRANSFER:
                self._accepted_or_to_stop()
            case A.DECLINE_TRANSFER | A.RETURN_TRANSFER:
                self._end(TransferStatus.DECLINED)
            case A.STOP_COVERAGE:
                self.stop_needed = False
                self._accepted_or_to_stop()
            case A.ISSUE_CONTACT_LETTER:
                self.letter_asked, self.letter_sent, self.form_asked = False, True, True
            case A.RECORD_MAIL:
                self.form_arrived |= said.mail is MailItem.INFORMATION_FORM
            case A.DELIVER_INFORMATION_FORM if self.needs_checker:
                self.prepared_by, self.prepared_fen = actor.subject, said.balance_fen
            case A.DELIVER_INFORMATION_FORM:
                self._deliver(said.balance_fen)
            case A.CHECK_INFORMATION_FORM:
                self._deliver(self.prepared_fen)
            case A.REQUEST_CORRECTION:
                self.disputed, self.form_asked, self.continued = True, True, False
                # Another form will be posted.
                self.form_arrived = False
            case A.REMIT_PERSONAL_ACCOUNT:
                way = Way.OUT if self.pays_out else Way.THERE
                owed, by_post = self.target_fen - self.settled_fen, self.origin in self.unconnected
                self.orders.append(Order(way, owed, FundsStatus.ORDERED, by_post))
            case A.PROVIDE_PAYOUT_ACCOUNT:
                self.account_known = True
            case A.CONFIRM_RECEIPT:
                assert self.on_its_way is not None
                self.on_its_way.status = FundsStatus.CREDITED if said.amount_is_right else FundsStatus.MISMATCHED
            case A.CONFIRM_CONTINUATION:
                self.to_continue, self.continued, self.ever_continued = False, True, True
            case A.APPROVE_REVERSE_REMITTANCE:
                assert self.on_its_way is not None
                self.on_its_way.status = FundsStatus.ORDERED
            case A.WITHDRAW_TRANSFER:
                self._end(TransferStatus.WITHDRAWN)
            case A.TERMINATE_TRANSFER:
                self.stage = Stage.ENDING
                self.letter_asked = self.form_asked = self.to_continue = self.remit_open = False
                self.prepared_by = None
        others = (A.REISSUE_CERTIFICATE, A.RECORD_MAIL, A.PROVIDE_PAYOUT_ACCOUNT, A.TERMINATE_TRANSFER)
        prepared_only = action is A.DELIVER_INFORMATION_FORM and self.prepared_by is not None
        self.untouched &= action in others or prepared_only
        self._follow()

    def _deliver(self, balance_fen: int | None) -> None:
        self.form_fen = self.held_fen if balance_fen is None else balance_fen
        self.form_asked, self.prepared_by = False, None
        # A way home that nobody has approved is given up for what the new form says.
        self.orders = [each for each in self.orders if each.status is not FundsStatus.PENDING]
        if not self.to_continue:
            # After a continuation that was disputed R's clock begins anew, with the form.
            self.continuing_clock = not self.paper or self.ever_continued
            self.to_continue = True
        self.disputed = False

    def bank_takes(self) -> None:
        """The bank has taken the order; what is paid to the person is at its end with that."""
        order = self.on_its_way
        if order is not None and order.status is FundsStatus.ORDERED and not order.by_post:
            order.status = FundsStatus.CREDITED if order.way is Way.OUT else FundsStatus.REMITTED
        self._follow()

    def decline_by_register(self) -> None:
        self._end(TransferStatus.DECLINED)
