"""The bank's own side of an advice and a statement: bookings written as camt.054 and camt.053."""

from collections.abc import Sequence
from datetime import date, datetime
from types import ModuleType
from typing import Any

from pyiso20022.camt.camt_053_001_08 import camt_053_001_08 as s
from pyiso20022.camt.camt_054_001_08 import camt_054_001_08 as a
from xsdata.models.datatype import XmlDate, XmlDateTime

from activities.bank.advices import Statement
from activities.bank.amounts import CURRENCY, yuan
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.wire import ADVICE, STATEMENT, write


def advice_of(message_id: str, entries: Sequence[BankEntry], at: datetime) -> bytes:
    """A camt.054 of bookings, one notification for each account."""
    accounts = sorted({each.account for each in entries})
    content = a.BankToCustomerDebitCreditNotificationV08(
        grp_hdr=a.GroupHeader81(msg_id=message_id, cre_dt_tm=_instant(at)),
        ntfctn=[
            a.AccountNotification17(
                id=f"{message_id[:30]}-{number}",
                acct=_account(a, account),
                ntry=[_entry(a, each) for each in entries if each.account == account],
            )
            for number, account in enumerate(accounts, 1)
        ],
    )
    return write(a.Document(bk_to_cstmr_dbt_cdt_ntfctn=content), ADVICE)


def statement_of(message_id: str, statement: Statement, at: datetime) -> bytes:
    """A camt.053 of an account for a day."""
    balances = [
        _balance("OPBD", statement.opening_fen, statement.day),
        _balance("CLBD", statement.closing_fen, statement.day),
    ]
    content = s.BankToCustomerStatementV08(
        grp_hdr=s.GroupHeader81(msg_id=message_id, cre_dt_tm=_instant(at)),
        stmt=[
            s.AccountStatement9(
                id=message_id,
                acct=_account(s, statement.account),
                bal=balances,
                ntry=[_entry(s, each) for each in statement.entries],
            )
        ],
    )
    return write(s.Document(bk_to_cstmr_stmt=content), STATEMENT)


def _balance(code: str, fen: int, day: date) -> Any:
    return s.CashBalance8(
        tp=s.BalanceType13(cd_or_prtry=s.BalanceType10Choice(cd=code)),
        amt=s.ActiveOrHistoricCurrencyAndAmount(value=yuan(abs(fen)), ccy=CURRENCY),
        cdt_dbt_ind=s.CreditDebitCode.CRDT if fen >= 0 else s.CreditDebitCode.DBIT,
        dt=s.DateAndDateTime2Choice(dt=XmlDate.from_date(day)),
    )


def _entry(m: ModuleType, entry: BankEntry) -> Any:
    """An entry in the classes of `m`, which are the same in both messages, and other classes."""
    is_credit = entry.kind is not EntryKind.DEBIT
    own, other = _party(m, entry.own_name), _party(m, entry.other_name)
    other_account = None if entry.other_account is None else _cash_account(m, entry.other_account)
    own_account = _cash_account(m, entry.account)
    comes_in = entry.kind is EntryKind.CREDIT
    parties = m.TransactionParties6(
        dbtr=other if comes_in else own,
        dbtr_acct=other_account if comes_in else own_account,
        cdtr=own if comes_in else other,
        cdtr_acct=own_account if comes_in else other_account,
    )
    bank = None if entry.other_bank is None else _agent(m, entry.other_bank)
    returned = None
    if entry.kind is EntryKind.RETURN:
        code = entry.code or ""
        own_code = len(code) > 4
        reason = m.ReturnReason5Choice(cd=None if own_code else code, prtry=code if own_code else None)
        returned = m.PaymentReturnReason5(rsn=reason if code else None)
    details = m.EntryTransaction10(
        refs=m.TransactionReferences6(
            acct_svcr_ref=entry.entry_reference, end_to_end_id=entry.end_to_end_id or "NOTPROVIDED"
        ),
        rltd_pties=parties,
        rltd_agts=None
        if bank is None
        else m.TransactionAgents5(dbtr_agt=bank if comes_in else None, cdtr_agt=None if comes_in else bank),
        rmt_inf=None if entry.text is None else m.RemittanceInformation16(ustrd=[entry.text]),
        rtr_inf=returned,
    )
    return m.ReportEntry10(
        amt=m.ActiveOrHistoricCurrencyAndAmount(value=yuan(entry.amount_fen), ccy=CURRENCY),
        cdt_dbt_ind=m.CreditDebitCode.CRDT if is_credit else m.CreditDebitCode.DBIT,
        sts=m.EntryStatus1Choice(cd="BOOK"),
        bookg_dt=m.DateAndDateTime2Choice(dt=XmlDate.from_date(entry.booked_on)),
        val_dt=m.DateAndDateTime2Choice(dt=XmlDate.from_date(entry.value_on)),
        acct_svcr_ref=entry.entry_reference,
        bk_tx_cd=m.BankTransactionCodeStructure4(
            domn=m.BankTransactionCodeStructure5(
                cd="PMNT",
                fmly=m.BankTransactionCodeStructure6(cd="RCDT" if is_credit else "ICDT", sub_fmly_cd="DMCT"),
            )
        ),
        ntry_dtls=[m.EntryDetails9(tx_dtls=[details])],
    )


def _party(m: ModuleType, name: str | None) -> Any:
    return None if name is None else m.Party40Choice(pty=m.PartyIdentification135(nm=name))


def _account(m: ModuleType, number: str) -> Any:
    identity = m.AccountIdentification4Choice(othr=m.GenericAccountIdentification1(id=number))
    return m.CashAccount39(id=identity, ccy=CURRENCY)


def _cash_account(m: ModuleType, number: str) -> Any:
    return m.CashAccount38(id=m.AccountIdentification4Choice(othr=m.GenericAccountIdentification1(id=number)))


def _agent(m: ModuleType, name: str) -> Any:
    return m.BranchAndFinancialInstitutionIdentification6(fin_instn_id=m.FinancialInstitutionIdentification18(nm=name))


def _instant(at: datetime) -> XmlDateTime:
    return XmlDateTime.from_datetime(at.replace(microsecond=0))
