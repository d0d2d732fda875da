"""The desk of what came from outside: money that is nobody's yet, the bank's words on their way, contributions that are late."""

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from activities.bank import sending_home
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.polling import Poller
from activities.contribution_load import load_contributions
from activities.residuals import ResidualSweep
from stack.bank_faults import BankFault, FaultFile, FaultKind
from tests.activities.bank_messages import PAYER_NAME, Inbox, advice, ask_home, entry
from tests.activities.contribution_feeds import CONTRIBUTION, contribution, feed
from tests.activities.desk import RECEIPT, THURSDAY
from tests.cases import BALANCE_FEN, R_CLERK, R_FINANCE
from tests.faults.books import Opening
from tests.faults.desk import MoneyDesk
from workflows import commands as c
from workflows.deadlines import shanghai_date
from workflows.messages import UnmatchedFundsOrder
from workflows.vocabulary import MatchDecision

# A month after the case.
LATER = THURSDAY + timedelta(days=31)
CONTRIBUTION_FEN = int(CONTRIBUTION["amount_fen"])
PAYER_ACCOUNT = "9999110000871090000"


class _NoTemporal:
    """The desk carries its case by itself."""

    async def start_workflow(self, *_: object, **__: object) -> None:
        return


@dataclass
class OutsideDesk(MoneyDesk):
    inbox: Inbox = field(init=False)

    def __post_init__(self) -> None:
        self.inbox = Inbox(self)

    # ---------------------------------------------------------------- money that is nobody's yet

    async def stray(self) -> None:
        """Money on R's account that names no order."""
        await self.inbox.takes(advice("M1", await self._credit("C1", named=False)))

    async def asked_home(self) -> None:
        await self.accepted()
        await self.stray()
        await self._asked_home("NO_REFERENCE")

    async def going_home(self) -> None:
        await self.asked_home()
        await self._decided_home()

    async def excess_going_home(self) -> None:
        """What came beyond an order."""
        await self.came_more()
        await self.take(await self.match(MatchDecision.ACCEPT_AMOUNT), R_FINANCE, THURSDAY)
        await self._asked_home("EXCESS")
        await self._decided_home()

    async def refused_home(self) -> None:
        self._at_the_bank(FaultKind.REFUSE, reference="TH-")
        await self.going_home()

    async def stray_confirmed(self) -> None:
        """Finance knows that it is the order's."""
        await self.remitted()
        await self.stray()
        await self.take(RECEIPT.model_copy(update={"bank_reference": "C1"}), R_FINANCE, THURSDAY)

    async def stray_sent_home(self) -> None:
        """Finance knows that it is the order's, and that it is too little: its case sends it home."""
        await self.remitted()
        await self.inbox.takes(advice("M1", await self._credit("C1", named=False, amount_fen=BALANCE_FEN - 1)))
        receipt = RECEIPT.model_copy(update={"bank_reference": "C1", "amount_fen": BALANCE_FEN - 1})
        await self.take(receipt, R_FINANCE, THURSDAY)
        await self.take(await self.match(MatchDecision.SEND_HOME), R_FINANCE, THURSDAY)

    async def second_confirmed(self) -> None:
        """The order was paid twice, and finance has entered the credit that is on the list."""
        await self.remitted()
        await self.inbox.takes(advice("M1", await self._credit("C1"), await self._credit("C2")))
        await self.take(RECEIPT.model_copy(update={"bank_reference": "C2"}), R_FINANCE, THURSDAY)

    # ---------------------------------------------------------------- what stands in the bank's outbox

    async def advised_without_reference(self) -> None:
        self._at_the_bank(FaultKind.NO_REFERENCE)
        await self.advised()

    async def advised_twice(self) -> None:
        self._at_the_bank(FaultKind.CREDIT_TWICE)
        await self.advised()

    async def advised_after_another(self) -> None:
        """A credit that will be booked tomorrow paid the order, until the bank says that one of today does."""
        await self.remittance_ordered()
        tomorrow = shanghai_date(datetime.now(UTC)) + timedelta(days=1)
        other = advice("M1", await self._credit("Z1", booked_on=tomorrow, value_on=tomorrow))
        assert (await self.bank._ask("PUT", "/sandbox/messages/M1", other.document)).status == 202
        words: Any = None
        await Poller(self.cases.worker_pool, self.cases.keyring, self.bank, words).read_outbox()
        await self.to_the_bank()
        await self.until_advised()

    # ---------------------------------------------------------------- words on their way

    async def return_to_tell(self) -> None:
        await self.remitted()
        await self._back()

    async def return_to_tell_late(self) -> None:
        await self.completed()
        await self._back()

    async def return_to_tell_spent(self) -> None:
        """The case is open, and what has come back is in R's account no more."""
        await self.credited()
        await self._back()
        await self._spent()

    async def return_to_tell_late_spent(self) -> None:
        await self.completed()
        await self._back()
        await self._spent()

    async def advice_to_tell(self) -> None:
        await self.sent()
        await self.inbox.takes(advice("M1", await self._credit("C1")))

    # ---------------------------------------------------------------- contributions

    async def contribution_late(self) -> None:
        await self.completed()
        await self._contribution()

    async def contribution_waiting(self) -> None:
        """It came before the case was completed."""
        await self.continued()
        await self._contribution()
        await self.take(RECEIPT, R_FINANCE, THURSDAY)

    async def contribution_retained(self) -> None:
        await self.retained()
        await self.take(c.ConfirmContinuation(), R_CLERK, THURSDAY)
        await self._contribution()

    async def residual_remitted(self) -> None:
        """What came late is on its way to R."""
        await self.contribution_late()
        nobody: Any = _NoTemporal()
        await ResidualSweep(self.cases.worker_pool, nobody, self.cases.keyring).sweep(LATER)
        await self.taken_by_the_bank(LATER)

    # ---------------------------------------------------------------- its parts

    async def _contribution(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = feed(Path(folder), contribution(region=self.between[0]))
            url = self.cases.database.worker_url
            assert (await load_contributions(url, self.cases.keyring, file, at=LATER)).error_count == 0

    async def _asked_home(self, why: str) -> None:
        await ask_home(self, await self.db.fetchval("select entry_id from bank_entries where why = $1", why))

    async def _decided_home(self) -> None:
        await sending_home.carry_out(self.cases.worker_pool, UnmatchedFundsOrder(command_id="C"))

    async def _credit(self, name: str, *, named: bool = True, **more: Any) -> BankEntry:
        region = await self.row("select * from pooling_regions where code = $1", self.between[1])
        said = {"other_name": PAYER_NAME, "other_account": PAYER_ACCOUNT} | more
        said |= {"own_name": region["receiving_account_name"]} if named else {}
        reference = f"{self.transfer.transfer_no}-01" if named else None
        fen = said.pop("amount_fen", BALANCE_FEN)
        return entry(EntryKind.CREDIT, name, region["receiving_account"], fen, reference, **said)

    async def _back(self) -> None:
        """The bank has advised that the order came back."""
        account = await self.db.fetchval(
            "select receiving_account from pooling_regions where code = $1", self.between[0]
        )
        reference = f"{self.transfer.transfer_no}-01"
        await self.inbox.takes(
            advice("M2", entry(EntryKind.RETURN, "R-1", account, BALANCE_FEN, reference, code="AC04"))
        )

    async def _spent(self) -> None:
        """The person has spent all that is in R's account: it is gone from there, and nowhere else."""
        row = await self.enrolment(self.between[1])
        whose, fen = (str(row["person_id"]), row["region"], row["scheme"]), row["personal_account_fen"]
        await self.db.execute("update enrolments set personal_account_fen = 0 where region = $1", self.between[1])
        then = self.openings[whose]
        self.openings[whose] = Opening(then.usable_fen - fen, then.frozen_fen)

    def _at_the_bank(self, kind: FaultKind, reference: str | None = None) -> None:
        self.bank_dir.mkdir(parents=True, exist_ok=True)
        FaultFile(self.bank_dir).write([BankFault(kind=kind, reference=reference, code="AC04")])
