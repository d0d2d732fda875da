"""What must hold of the ledger, and of the cases beside it, in every snapshot. Pure: what is broken is the answer.

The database refuses most of it at commit. The auditor asks again, for a disk, a restore or a superuser asks nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from activities.ledger.accounts import MAY_BE_NEGATIVE, AccountName
from activities.ledger.books import Books, Case, Line, Posting
from workflows.remittance import Remittance
from workflows.state import TransferState
from workflows.vocabulary import FUNDS_AT_AN_END, RemittanceKind, RemittanceStatus, TransferStatus

Held = tuple[AccountName, str, str]
ON_THE_WAY = (RemittanceStatus.REMITTED, RemittanceStatus.MISMATCHED)
# From where a credit comes, and to where.
CREDITS = {"PERSONAL_ACCOUNTS": "RECEIVED", "PAID_OUT": "IN_TRANSIT"}
# Each of these moves money out of one account into another.
MOVING_FACTS = ("funds_remitted", "funds_received", "funds_credited", "funds_paid_out")


class Invariant(StrEnum):
    CASE_READABLE = "CASE_READABLE"
    SUMS_TO_ZERO = "SUMS_TO_ZERO"
    WHOLE = "WHOLE"
    OF_AN_EVENT = "OF_AN_EVENT"
    REVERSES_WHAT_IT_NAMES = "REVERSES_WHAT_IT_NAMES"
    NOT_NEGATIVE = "NOT_NEGATIVE"
    EVENT_IS_BOOKED = "EVENT_IS_BOOKED"
    ORDERS_AGREE = "ORDERS_AGREE"
    FROZEN_AGREES = "FROZEN_AGREES"
    RETURNED_AGREES = "RETURNED_AGREES"
    IN_TRANSIT_AGREES = "IN_TRANSIT_AGREES"
    RECEIVED_AGREES = "RECEIVED_AGREES"
    PAID_OUT_AGREES = "PAID_OUT_AGREES"
    PERSONAL_ACCOUNTS_AGREE = "PERSONAL_ACCOUNTS_AGREE"
    CREDITED_ONCE = "CREDITED_ONCE"
    REGISTER_AGREES = "REGISTER_AGREES"
    COMPLETED_AT_AN_END = "COMPLETED_AT_AN_END"


class Broken(NamedTuple):
    """`posting_id` broke it; None where a posting is missing, or where it is not the ledger that is wrong."""

    invariant: Invariant
    posting_id: int | None
    transfer_no: str | None
    says: str


def broken_in(books: Books) -> Iterator[Broken]:
    """Everything that is broken in the books of some cases."""
    for no in books.unreadable:
        yield Broken(
            Invariant.CASE_READABLE, None, no, "its state cannot be read, so that nothing is known of its money"
        )
    for posting_id, line in books.strays:
        says = f"line {line.line} over {line.amount_fen} fen has no posting"
        yield Broken(Invariant.WHOLE, posting_id, None, says)
    for case in books.cases:
        for posting in case.postings:
            yield from broken_posting(posting, books.undone, case)
        yield from _broken_case(case)


def broken_posting(posting: Posting, undone: dict[int, Posting], case: Case | None) -> Iterator[Broken]:
    """What is broken in one posting by itself; `case` is its transfer's."""

    def broken(invariant: Invariant, says: str) -> Broken:
        return Broken(invariant, posting.posting_id, case.state.no if case else None, says)

    total = sum(line.amount_fen for line in posting.entries)
    if total:
        yield broken(Invariant.SUMS_TO_ZERO, f"it sums to {total} fen")
    if [line.line for line in posting.entries] != list(range(1, posting.lines + 1)) or posting.lines < 2:
        yield broken(Invariant.WHOLE, f"it has {len(posting.entries)} of its {posting.lines} entries")
    if any(line.transfer_id not in {None, posting.transfer_id} for line in posting.entries):
        yield broken(Invariant.WHOLE, "it has an entry of another transfer")
    if case is not None and posting.seq not in case.events:
        yield broken(Invariant.OF_AN_EVENT, f"there is no event {posting.seq}")
    if posting.reverses is not None:
        wrong = undone.get(posting.reverses)
        turned = Counter(_turned(line) for line in wrong.entries) if wrong else None
        if wrong is None or wrong.reverses is not None or turned != Counter(line[1:] for line in posting.entries):
            yield broken(Invariant.REVERSES_WHAT_IT_NAMES, f"it does not undo posting {posting.reverses}")


def broken_unmatched(unmatched: str, entries: Sequence[tuple[int, Line]]) -> Iterator[Broken]:
    """What is broken in money that no case owns."""
    yield from _negative(f"unmatched {unmatched}", None, entries)


def _broken_case(case: Case) -> Iterator[Broken]:
    state = case.state
    entries = [(each.posting_id, line) for each in case.postings for line in each.entries if line.unmatched is None]
    yield from _negative(f"transfer {state.no}", state.no, entries)
    yield from _unbooked(case)
    kept = {order.reference: (order.kind, order.amount_fen, order.status) for order in case.orders}
    said = {order.reference: (order.kind, order.amount_fen, order.status) for order in state.remittances}
    if kept != said:
        differing = sorted(key for key in kept | said if kept.get(key) != said.get(key))
        yield Broken(Invariant.ORDERS_AGREE, None, state.no, f"the list of orders differs from the case: {differing}")
    yield from _balances(case, entries)
    yield from _credits(case)
    for side, (register, ledger) in case.registers.items():
        if register != ledger:
            culprit = _culprit(case, ("FROZEN", *side))
            says = f"register of {side[0]} has {register} fen set aside, the ledger {ledger}"
            yield Broken(Invariant.REGISTER_AGREES, culprit, state.no, says)
    if state.status is TransferStatus.COMPLETED:
        yield from _not_at_an_end(case, entries)


def _negative(owner: str, transfer_no: str | None, entries: Sequence[tuple[int, Line]]) -> Iterator[Broken]:
    """Accounts below zero, each with the posting that first took it there."""
    held, first = Counter[Held](), dict[Held, int]()
    for posting_id, line in entries:
        account = line.account, line.region, line.scheme
        held[account] += line.amount_fen
        if held[account] < 0:
            first.setdefault(account, posting_id)
        else:
            first.pop(account, None)
    for account, fen in held.items():
        if fen < 0 and account[0] not in MAY_BE_NEGATIVE:
            says = f"account {account[0]} of {owner} at {account[1]} holds {fen} fen"
            yield Broken(Invariant.NOT_NEGATIVE, first[account], transfer_no, says)


def _unbooked(case: Case) -> Iterator[Broken]:
    booked = {posting.seq for posting in case.postings}
    for seq, event in case.events.items():
        if event.type.partition(".")[0] in MOVING_FACTS and seq not in booked:
            says = f"event {seq} ({event.type}) over {event.fact.get('amount_fen')} fen has no posting"
            yield Broken(Invariant.EVENT_IS_BOOKED, None, case.state.no, says)


def _balances(case: Case, entries: Iterable[tuple[int, Line]]) -> Iterator[Broken]:
    """The accounts of a case are what its state says of its orders and of what is set aside."""
    held = Counter[Held]()
    for _, line in entries:
        held[line.account, line.region, line.scheme] += line.amount_fen
    for (invariant, account), fen in expected(case.state).items():
        if held[account] != fen:
            says = f"{account[0]} at {account[1]} holds {held[account]} fen, the case says {fen}"
            yield Broken(invariant, _culprit(case, account), case.state.no, says)


def expected(state: TransferState) -> dict[tuple[Invariant, Held], int]:
    """What each account of the case holds, by its state; what is in SUSPENSE at R has no figure there."""
    origin, destination = (state.from_region, state.from_scheme), (state.to_region, state.to_scheme)

    def fen_of(orders: Iterable[Remittance], *statuses: RemittanceStatus) -> int:
        return sum(order.expected_fen for order in orders if order.status in statuses)

    home = [order for order in state.remittances if order.comes_home]
    out = [order for order in state.remittances if not order.comes_home]
    to_person = [order for order in out if order.kind is RemittanceKind.PAYOUT]
    to_agency = [order for order in out if order.kind is not RemittanceKind.PAYOUT]
    from_person = [order for order in home if not order.uncredited]
    ordered, received, credited = RemittanceStatus.ORDERED, RemittanceStatus.RECEIVED, RemittanceStatus.CREDITED
    set_aside = state.frozen_fen + fen_of(out, ordered)
    at_destination = fen_of(to_agency, credited) - fen_of(from_person, ordered, *ON_THE_WAY, received, credited)
    return {
        (Invariant.FROZEN_AGREES, ("FROZEN", *origin)): set_aside - state.returned_fen - state.missing_fen,
        (Invariant.FROZEN_AGREES, ("FROZEN", *destination)): fen_of(from_person, ordered),
        (Invariant.RETURNED_AGREES, ("RETURNED", *origin)): state.returned_fen,
        (Invariant.IN_TRANSIT_AGREES, ("IN_TRANSIT", *origin)): fen_of(out, *ON_THE_WAY),
        (Invariant.IN_TRANSIT_AGREES, ("IN_TRANSIT", *destination)): fen_of(home, *ON_THE_WAY),
        (Invariant.RECEIVED_AGREES, ("RECEIVED", *origin)): fen_of(home, received),
        (Invariant.RECEIVED_AGREES, ("RECEIVED", *destination)): fen_of(to_agency, received),
        (Invariant.PAID_OUT_AGREES, ("PAID_OUT", *origin)): fen_of(to_person, credited),
        (Invariant.PERSONAL_ACCOUNTS_AGREE, ("PERSONAL_ACCOUNTS", *destination)): at_destination,
    }


def _credits(case: Case) -> Iterator[Broken]:
    """Each order at its end was credited exactly once, and no other ever was, but one that came back afterwards."""
    crediting = defaultdict[str, list[int]](list)
    undone = {posting.reverses for posting in case.postings}
    for posting in case.postings:
        counts = posting.reverses is None and posting.posting_id not in undone
        if counts and _credits_somebody(posting):
            crediting[_reference(case, posting) or ""].append(posting.posting_id)
    known = {order.reference for order in case.state.remittances}
    for reference in crediting.keys() - known:
        says = f"a credit of {reference or 'no order'}, which the case does not have"
        yield Broken(Invariant.CREDITED_ONCE, crediting[reference][-1], case.state.no, says)
    for order in case.state.remittances:
        times, (least, most) = crediting[order.reference], _CREDITED_TIMES.get(order.status, (0, 0))
        if not least <= len(times) <= most:
            says = f"{order.reference} is {order.status} and was credited {len(times)} times"
            yield Broken(Invariant.CREDITED_ONCE, times[-1] if times else None, case.state.no, says)


_CREDITED_TIMES = {RemittanceStatus.CREDITED: (1, 1), RemittanceStatus.RETURNED: (0, 1)}


def _not_at_an_end(case: Case, entries: Iterable[tuple[int, Line]]) -> Iterator[Broken]:
    no = case.state.no
    if case.state.funds_status not in FUNDS_AT_AN_END:
        yield Broken(Invariant.COMPLETED_AT_AN_END, None, no, f"it is completed with funds {case.state.funds_status}")
    held = Counter[Held]()
    for _, line in entries:
        held[line.account, line.region, line.scheme] += line.amount_fen
    for account, fen in held.items():
        if fen and account[0] in {"FROZEN", "IN_TRANSIT", "RECEIVED", "RETURNED"}:
            says = f"it is completed with {fen} fen {account[0]} at {account[1]}"
            yield Broken(Invariant.COMPLETED_AT_AN_END, _culprit(case, account), no, says)


def _culprit(case: Case, account: Held) -> int | None:
    """The posting on `account` that its event does not explain: of another amount, or booked twice; or else the last."""
    touching = [each for each in case.postings if account in {(line.account, *line[2:4]) for line in each.entries}]
    booked = set[tuple[int | None, tuple[Line, ...]]]()
    for posting in touching:
        event = case.events.get(posting.seq or 0)
        amounts = {value for key, value in event.fact.items() if key.endswith("_fen")} if event else set()
        moved = {abs(line.amount_fen) for line in posting.entries}
        again = (posting.seq, tuple(posting.entries)) in booked
        if again or (event is not None and event.fact and not moved & {abs(fen) for fen in amounts if fen}):
            return posting.posting_id
        booked.add((posting.seq, tuple(posting.entries)))
    return touching[-1].posting_id if touching else None


def _credits_somebody(posting: Posting) -> bool:
    left = {line.account for line in posting.entries if line.amount_fen < 0}
    return any(CREDITS.get(line.account) in left for line in posting.entries if line.amount_fen > 0)


def _reference(case: Case, posting: Posting) -> str | None:
    """The order of a posting; those of before 0009 name it by their event."""
    if posting.reference is not None:
        return posting.reference
    event = case.events.get(posting.seq or 0)
    return event.fact.get("reference") if event else None


def _turned(line: Line) -> tuple[object, ...]:
    return line._replace(amount_fen=-line.amount_fen)[1:]
