"""Bookings as the bank advises them: camt.054 as they happen, and camt.053, the statement of an account for a day.

The same booking has the same reference of the bank's (`AcctSvcrRef`) in both.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from activities.bank.amounts import fen_of
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.wire import ADVICE, STATEMENT, RefusedMessageError, read
from workflows.deadlines import SHANGHAI, shanghai_date

_NO_REFERENCE = "NOTPROVIDED"
_BOOKED, _CREDIT = "BOOK", "CRDT"


class Statement(NamedTuple):
    """An account on a day: what it held before and after, and everything that was booked between."""

    account: str
    day: date
    opening_fen: int
    closing_fen: int
    entries: tuple[BankEntry, ...]


def entries_of(message: Any) -> list[BankEntry]:
    """The bookings of an advice or a statement. Raises `RefusedMessageError`, and then not one of them counts."""
    if hasattr(message, "bk_to_cstmr_dbt_cdt_ntfctn"):
        parts: Sequence[Any] = message.bk_to_cstmr_dbt_cdt_ntfctn.ntfctn
        return [entry for part in parts for entry in _bookings(part)]
    return [entry for part in message.bk_to_cstmr_stmt.stmt for entry in _statement(part).entries]


def read_advice(document: bytes) -> list[BankEntry]:
    """The bookings of a camt.054. Raises `RefusedMessageError`."""
    return entries_of(read(document, ADVICE))


def read_statement(document: bytes) -> Statement:
    """The one statement of a camt.053. Raises `RefusedMessageError`, for a sum that is not right as well."""
    statements = read(document, STATEMENT).bk_to_cstmr_stmt.stmt
    if len(statements) != 1:
        raise RefusedMessageError(f"{len(statements)} statements in a message: send one")
    return _statement(statements[0])


def _statement(part: Any) -> Statement:
    balances = {each.tp.cd_or_prtry.cd: each for each in part.bal}
    if not {"OPBD", "CLBD"} <= balances.keys():
        raise RefusedMessageError("a statement has an opening and a closing balance (OPBD, CLBD): send both")
    opening, closing = (_balance_fen(balances[code]) for code in ("OPBD", "CLBD"))
    entries = tuple(_bookings(part))
    moved = sum(each.amount_fen if each.direction == _CREDIT else -each.amount_fen for each in entries)
    if opening + moved != closing:
        raise RefusedMessageError(
            f"the bookings of statement {part.id} sum to {moved} fen, its balances differ by {closing - opening}: "
            "send the whole statement"
        )
    return Statement(_account_of(part.acct), _day(balances["CLBD"].dt), opening, closing, entries)


def _balance_fen(balance: Any) -> int:
    if balance.amt.value == 0:
        return 0
    fen = fen_of(balance.amt)
    return fen if balance.cdt_dbt_ind.value == _CREDIT else -fen


def _bookings(part: Any) -> list[BankEntry]:
    account = _account_of(part.acct)
    # What is pending is announced and may not come; when it is booked it is said again.
    return [entry for each in part.ntry if each.sts.cd == _BOOKED for entry in _of_entry(each, account)]


def _of_entry(entry: Any, account: str) -> list[BankEntry]:
    """The bookings of an entry: itself, or each payment of a batch under a reference of its own."""
    details = [each for group in entry.ntry_dtls for each in group.tx_dtls]
    if entry.rvsl_ind:
        raise RefusedMessageError("a reversal (RvslInd) is not taken: send a return with its reason (RtrInf)")
    if len(details) <= 1:
        detail = details[0] if details else None
        reference = entry.acct_svcr_ref or entry.ntry_ref
        return [_booking(entry, detail, account, reference, fen_of(entry.amt))]
    found = []
    for each in details:
        if each.amt is None or each.refs is None or each.refs.acct_svcr_ref is None:
            raise RefusedMessageError("a payment of a batch without Amt or AcctSvcrRef: send both for each")
        found.append(_booking(entry, each, account, each.refs.acct_svcr_ref, fen_of(each.amt)))
    if sum(each.amount_fen for each in found) != fen_of(entry.amt):
        raise RefusedMessageError("the payments of a batch do not add up to its entry: send the whole batch")
    return found


def _booking(entry: Any, detail: Any, account: str, reference: str | None, amount_fen: int) -> BankEntry:
    if reference is None:
        raise RefusedMessageError("an entry without AcctSvcrRef or NtryRef cannot be told from another: send one")
    if entry.bookg_dt is None:
        raise RefusedMessageError(f"entry {reference} has no BookgDt: send the day on which it was booked")
    booked_on = _day(entry.bookg_dt)
    is_credit = entry.cdt_dbt_ind.value == _CREDIT
    returned = None if detail is None else detail.rtr_inf
    kind = (EntryKind.CREDIT if returned is None else EntryKind.RETURN) if is_credit else EntryKind.DEBIT
    parties = None if detail is None else detail.rltd_pties
    debtor = None if parties is None else (parties.dbtr, parties.dbtr_acct)
    creditor = None if parties is None else (parties.cdtr, parties.cdtr_acct)
    # A return names the parties of the payment that it takes back.
    own, other = (creditor, debtor) if kind is EntryKind.CREDIT else (debtor, creditor)
    return BankEntry(
        kind=kind,
        entry_reference=reference,
        account=account,
        amount_fen=amount_fen,
        end_to_end_id=_reference_of(detail),
        booked_on=booked_on,
        value_on=booked_on if entry.val_dt is None else _day(entry.val_dt),
        code=None if returned is None or returned.rsn is None else returned.rsn.cd or returned.rsn.prtry,
        own_name=_name(own),
        other_name=_name(other),
        other_account=_number(other),
        other_bank=_agent(detail, kind),
        text=_text(detail),
    )


def _reference_of(detail: Any) -> str | None:
    refs = None if detail is None else detail.refs
    given = None if refs is None else refs.end_to_end_id
    return None if given == _NO_REFERENCE else given


def _name(party: Any) -> str | None:
    who = None if party is None else party[0]
    return who.pty.nm if who is not None and who.pty is not None else None


def _number(party: Any) -> str | None:
    account = None if party is None else party[1]
    return None if account is None else account.id.iban or account.id.othr.id


def _agent(detail: Any, kind: EntryKind) -> str | None:
    agents = None if detail is None else detail.rltd_agts
    agent = None if agents is None else agents.dbtr_agt if kind is EntryKind.CREDIT else agents.cdtr_agt
    return None if agent is None else agent.fin_instn_id.nm


def _text(detail: Any) -> str | None:
    information = None if detail is None else detail.rmt_inf
    return " ".join(information.ustrd) or None if information is not None else None


def _account_of(account: Any) -> str:
    number: str = account.id.iban or account.id.othr.id
    if account.ccy not in (None, "CNY"):
        raise RefusedMessageError(f"an account in {account.ccy}: only CNY is taken")
    return number


def _day(said: Any) -> date:
    if said.dt is not None:
        day: date = said.dt.to_date()
        return day
    instant: datetime = said.dt_tm.to_datetime()
    return shanghai_date(instant if instant.tzinfo is not None else instant.replace(tzinfo=SHANGHAI))
