"""Payment orders as the bank takes them: pain.001, one message an order, our reference in all of its places."""

from datetime import UTC, datetime
from typing import Any, Final

from pyiso20022.pain.pain_001_001_09 import pain_001_001_09 as p
from xsdata.models.datatype import XmlDate, XmlDateTime

from activities.bank import Payment, PaymentOrder
from activities.bank.amounts import CURRENCY, fen_of, yuan
from activities.bank.wire import INITIATION, RefusedMessageError, read, write

# What a bank calls itself where a directory knows no more of it.
NOT_PROVIDED: Final = "NOTPROVIDED"


def initiation_of(order: PaymentOrder, at: datetime) -> bytes:
    """The message. Raises `RefusedMessageError` for what no message can carry: a name too long, parts that do not add up."""
    if sum(each.amount_fen for each in order.payments) != order.amount_fen:
        raise RefusedMessageError(f"the payments of {order.reference} do not add up to its amount")
    count, total = str(len(order.payments)), yuan(order.amount_fen)
    payer = p.PartyIdentification135(nm=order.payer_name, id=_agency(order.payer_agency))
    payee, account = p.PartyIdentification135(nm=order.payee_name), _account(order.payee_account)
    agent = _bank(order.payee_bank, order.payee_bank_code)
    instruction = p.PaymentInstruction30(
        pmt_inf_id=order.reference,
        pmt_mtd=p.PaymentMethod3Code.TRF,
        # Each payment is a booking of its own: they arrive, and come back, one by one.
        btch_bookg=False,
        nb_of_txs=count,
        ctrl_sum=total,
        reqd_exctn_dt=p.DateAndDateTime2Choice(dt=XmlDate.from_date(order.execute_on)),
        dbtr=payer,
        dbtr_acct=_account(order.payer_account),
        dbtr_agt=_bank(order.payer_bank, None),
        cdt_trf_tx_inf=[
            p.CreditTransferTransaction34(
                pmt_id=p.PaymentIdentification6(end_to_end_id=each.end_to_end_id),
                amt=p.AmountType4Choice(
                    instd_amt=p.ActiveOrHistoricCurrencyAndAmount(value=yuan(each.amount_fen), ccy=CURRENCY)
                ),
                cdtr_agt=agent,
                cdtr=payee,
                cdtr_acct=account,
            )
            for each in order.payments
        ],
    )
    header = p.GroupHeader85(
        msg_id=order.reference,
        cre_dt_tm=XmlDateTime.from_datetime(at.astimezone(UTC).replace(microsecond=0)),
        nb_of_txs=count,
        ctrl_sum=total,
        initg_pty=p.PartyIdentification135(nm=order.payer_name),
    )
    content = p.CustomerCreditTransferInitiationV09(grp_hdr=header, pmt_inf=[instruction])
    return write(p.Document(cstmr_cdt_trf_initn=content), INITIATION)


def order_of(document: bytes) -> PaymentOrder:
    """The order of a message, as the bank reads it. Raises `RefusedMessageError`."""
    content = read(document, INITIATION).cstmr_cdt_trf_initn
    if len(content.pmt_inf) != 1:
        raise RefusedMessageError("an order is one payment instruction: send one message for each")
    instruction = content.pmt_inf[0]
    first = instruction.cdt_trf_tx_inf[0]
    if instruction.reqd_exctn_dt.dt is None or first.cdtr is None or first.cdtr_acct is None:
        raise RefusedMessageError("an order names the day, and the account that is paid")
    payments = tuple(
        Payment(end_to_end_id=each.pmt_id.end_to_end_id, amount_fen=_instructed(each.amt))
        for each in instruction.cdt_trf_tx_inf
    )
    total = sum(each.amount_fen for each in payments)
    if content.grp_hdr.ctrl_sum != yuan(total) or content.grp_hdr.nb_of_txs != str(len(payments)):
        raise RefusedMessageError("the control sum is not that of the payments: send the message again")
    return PaymentOrder(
        reference=instruction.pmt_inf_id,
        amount_fen=total,
        execute_on=instruction.reqd_exctn_dt.dt.to_date(),
        payments=payments,
        payer_agency=instruction.dbtr.id.org_id.othr[0].id if instruction.dbtr.id is not None else "",
        payer_name=instruction.dbtr.nm or "",
        payer_bank=_name_of(instruction.dbtr_agt),
        payer_account=instruction.dbtr_acct.id.othr.id,
        payee_name=first.cdtr.nm or "",
        payee_bank=_name_of(first.cdtr_agt),
        payee_bank_code=_code_of(first.cdtr_agt),
        payee_account=first.cdtr_acct.id.othr.id,
    )


def _instructed(amount: Any) -> int:
    if amount.instd_amt is None:
        raise RefusedMessageError("an order says its amount in the currency of the account")
    return fen_of(amount.instd_amt)


def _account(number: str) -> p.CashAccount38:
    return p.CashAccount38(id=p.AccountIdentification4Choice(othr=p.GenericAccountIdentification1(id=number)))


def _agency(code: str) -> p.Party38Choice:
    return p.Party38Choice(org_id=p.OrganisationIdentification29(othr=[p.GenericOrganisationIdentification1(id=code)]))


def _bank(name: str, code: str | None) -> p.BranchAndFinancialInstitutionIdentification6:
    member = None if code is None else p.ClearingSystemMemberIdentification2(mmb_id=code)
    return p.BranchAndFinancialInstitutionIdentification6(
        fin_instn_id=p.FinancialInstitutionIdentification18(nm=name or NOT_PROVIDED, clr_sys_mmb_id=member)
    )


def _name_of(agent: Any) -> str:
    name = "" if agent is None else agent.fin_instn_id.nm or ""
    return "" if name == NOT_PROVIDED else name


def _code_of(agent: Any) -> str | None:
    member = None if agent is None else agent.fin_instn_id.clr_sys_mmb_id
    return None if member is None else member.mmb_id
