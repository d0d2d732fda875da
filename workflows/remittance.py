"""One order of money: what it is to bring, what came back or never came, and where it stands. Whole fen."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from workflows.vocabulary import BankReturnReason, RemittanceKind, RemittanceStatus


class Remittance(BaseModel, frozen=True):
    """`corrects`: the order that it corrects. `by_post`: an unconnected side ordered it itself.

    `returned_fen` came back from the bank, at once or in parts, for `return_reason`; `returns` are the bank's references of
    those parts. `missing_fen` never came: R accepted less. `sent_home_fen` came with a wrong amount and was never credited.
    `uncredited`: a way home of such money. `prepared_by` made an order that another person has to release;
    `maker_names` are the canonical names by which that person was known then. `send_on`: the day on which the region's
    cycle sends it, None at once.
    """

    reference: str
    amount_fen: int
    status: RemittanceStatus
    ordered_at: datetime
    kind: RemittanceKind = RemittanceKind.TRANSFER
    corrects: str | None = None
    by_post: bool = False
    bank_reference: str | None = None
    received_fen: int | None = None
    received_on: date | None = None
    returned_fen: int = 0
    return_reason: BankReturnReason | None = None
    returns: tuple[str, ...] = ()
    missing_fen: int = 0
    sent_home_fen: int = 0
    uncredited: bool = False
    prepared_by: str | None = None
    maker_names: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    send_on: date | None = None

    @property
    def comes_home(self) -> bool:
        return self.kind is RemittanceKind.REVERSE

    @property
    def awaits_release(self) -> bool:
        """Prepared by one person of O's finance, to be released by another: no money moves by it yet."""
        return self.status is RemittanceStatus.AWAITING_RELEASE and not self.comes_home

    @property
    def waits_for_cycle(self) -> bool:
        """Ordered, and not handed to the bank before its region's batch day."""
        return self.status is RemittanceStatus.ORDERED and self.send_on is not None

    @property
    def on_its_way(self) -> bool:
        """Neither at its end nor given back. A way home is on it as soon as it is proposed."""
        at_an_end = self.status in (RemittanceStatus.CREDITED, RemittanceStatus.RETURNED)
        return not (at_an_end or self.awaits_release)

    @property
    def given_up(self) -> bool:
        """Needless before anybody released or approved it, for the form changed or the case ended."""
        return self.status is RemittanceStatus.RETURNED and self.return_reason is None

    @property
    def expected_fen(self) -> int:
        """What the payee has yet to get, or got, of this order."""
        return self.amount_fen - self.returned_fen - self.missing_fen

    @property
    def settled_fen(self) -> int:
        """What has left O for good by this order; negative where money came home that R had credited."""
        if self.status is not RemittanceStatus.CREDITED or self.uncredited:
            return 0
        return -self.expected_fen if self.comes_home else self.expected_fen
