"""What no message of the bank's may be: each is refused whole, in words that say what to do."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pyiso20022.camt.camt_054_001_08 import camt_054_001_08 as c
from xsdata.models.datatype import XmlDateTime

from activities.bank import Answer, BankStatus, Payment, PaymentOrder, Posted
from activities.bank.advices import Statement, entries_of, read_advice, read_statement
from activities.bank.advising import advice_of, statement_of
from activities.bank.amounts import MOST_FEN, yuan
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.inbox import open_message
from activities.bank.initiation import initiation_of, order_of
from activities.bank.parts import parts_of
from activities.bank.reports import answer_of, report_of
from activities.bank.restrictions import faults
from activities.bank.wire import INITIATION, MOST_BYTES, RefusedMessageError, kind_of, read

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
ORDER = PaymentOrder(
    reference="ZY-319900-20260302-000001-01",
    amount_fen=864_205,
    execute_on=date(2026, 3, 4),
    payments=parts_of("ZY-319900-20260302-000001-01", 864_205, None),
    payer_agency="YB110000",
    payer_name="北京市医疗保障事务中心",
    payer_bank="示例银行北京市支行",
    payer_account="9999110000871090000",
    payee_name="㛃䶮𫍽",
    payee_bank="示例银行",
    payee_bank_code=None,
    payee_account="6222000011112222",
)
CREDIT = BankEntry(
    kind=EntryKind.CREDIT,
    entry_reference="C1",
    account="9999319900871090000",
    amount_fen=864_205,
    end_to_end_id=ORDER.reference,
    booked_on=date(2026, 3, 4),
    value_on=date(2026, 3, 5),
    own_name="上海市",
    other_name="北京市",
    other_account="9999110000871090000",
    other_bank="示例银行",
    text="医保关系转移",
)
ADVICE = advice_of("M1", [CREDIT], NOW).decode()


def _fault(document: str | bytes) -> str:
    """What the inbox notes of a document under the id M1; nothing of it is taken."""
    sent = document.encode() if isinstance(document, str) else document
    opened = open_message(Posted("1", "M1", sent))
    assert opened.fault is not None
    assert list(opened.entries) == []
    return opened.fault


def test_an_order_arrives_as_it_was_written_rare_characters_and_all() -> None:
    document = initiation_of(ORDER, NOW)
    assert order_of(document) == ORDER
    text = document.decode()
    assert "<Nm>㛃䶮𫍽</Nm>" in text
    assert '<InstdAmt Ccy="CNY">8642.05</InstdAmt>' in text
    assert f"<EndToEndId>{ORDER.reference}</EndToEndId>" in text
    assert kind_of(document) == INITIATION


@pytest.mark.parametrize("fen", [1, 9, 10, 99, 100, 101, 864_205, MOST_FEN])
def test_whole_fen_are_yuan_with_two_decimals(fen: int) -> None:
    order = ORDER.model_copy(update={"amount_fen": fen, "payments": parts_of(ORDER.reference, fen, None)})
    document = initiation_of(order, NOW)
    assert order_of(document).amount_fen == fen
    assert f">{fen // 100}.{fen % 100:02d}</InstdAmt>".encode() in document


@pytest.mark.parametrize("limit", [1, 2, 99, 100, 864_204, 864_205, 864_206])
def test_the_parts_of_an_order_are_within_the_limit_and_sum_to_the_fen(limit: int) -> None:
    amount = min(864_205, limit * 50)
    parts = parts_of("R", amount, limit)
    assert sum(each.amount_fen for each in parts) == amount
    assert all(0 < each.amount_fen <= limit for each in parts)
    assert [each.end_to_end_id for each in parts] == (
        ["R"] if amount <= limit else [f"R/{number}" for number in range(1, len(parts) + 1)]
    )


def test_a_split_order_is_one_message_with_a_payment_for_each_part() -> None:
    order = ORDER.model_copy(update={"payments": parts_of(ORDER.reference, 864_205, 300_000)})
    document = initiation_of(order, NOW)
    assert order_of(document) == order
    assert document.count(b"<CdtTrfTxInf>") == 3
    assert b"<NbOfTxs>3</NbOfTxs><CtrlSum>8642.05</CtrlSum>" in document


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"payee_name": "某" * 141}, "Cdtr/Nm: 141 characters, where 1 to 140 are allowed"),
        ({"payee_name": ""}, "Cdtr/Nm: 0 characters"),
        ({"payee_account": "9" * 35}, "35 characters, where 1 to 34 are allowed"),
        ({"payments": (Payment(end_to_end_id="R", amount_fen=1),)}, "do not add up to its amount"),
    ],
)
def test_an_order_that_no_message_can_carry_is_not_sent(differs: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedMessageError, match=said):
        initiation_of(ORDER.model_copy(update=differs), NOW)


def test_an_advice_and_a_statement_say_what_was_booked() -> None:
    back = CREDIT.model_copy(
        update={"kind": EntryKind.RETURN, "entry_reference": "R1", "code": "AC04", "own_name": None}
    )
    gone = CREDIT.model_copy(update={"kind": EntryKind.DEBIT, "entry_reference": "D1", "amount_fen": 5})
    assert read_advice(advice_of("M1", [CREDIT, back, gone], NOW)) == [CREDIT, back, gone]
    statement = Statement(CREDIT.account, date(2026, 3, 4), 100, 100 + 2 * 864_205 - 5, (CREDIT, back, gone))
    document = statement_of("S1", statement, NOW)
    assert read_statement(document) == statement
    # The same lines, in whichever message they come.
    assert open_message(Posted("1", "S1", document)).entries == [CREDIT, back, gone]
    with pytest.raises(RefusedMessageError, match="balances differ by"):
        read_statement(statement_of("S1", statement._replace(closing_fen=1), NOW))


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ([("R", "ACSP", None)], Answer(BankStatus.TAKEN)),
        ([("R", "ACSC", None)], Answer(BankStatus.TAKEN)),
        ([("R", "PDNG", None)], Answer(BankStatus.PENDING)),
        ([("R", "RJCT", "AC01")], Answer(BankStatus.REFUSED, "AC01")),
        ([("R/1", "ACSC", None), ("R/2", "PDNG", None)], Answer(BankStatus.PENDING)),
        ([("R/1", "ACSC", None), ("R/2", "RJCT", "AM14")], Answer(BankStatus.TAKEN)),
    ],
)
def test_a_status_report_answers_for_the_whole_order(lines: list[tuple[str, str, str | None]], answer: Answer) -> None:
    assert answer_of(report_of("Q1", "R", lines, NOW)) == answer


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "not well-formed XML"),
        (ADVICE[:-20], "not well-formed XML"),
        (ADVICE.replace("</Nm>", "</Name>", 1), "not well-formed XML"),
        ("<Document/>", "is no kind of message known here: send pain.001.001.09, "),
        (ADVICE.replace("camt.054.001.08", "camt.054.001.99"), "is no kind of message known here"),
        (ADVICE.replace("camt.054.001.08", "camt.053.001.08"), "not a camt.053.001.08"),
        (initiation_of(ORDER, NOW), "a pain.001.001.09 is not taken here: send pain.002.001.10 or camt.054"),
        (ADVICE.replace("<GrpHdr>", "<GrpHdr><Foo/>"), "not a camt.054.001.08: Unknown property"),
        (ADVICE.replace("<MsgId>M1</MsgId>", ""), "not a camt.054.001.08"),
        (ADVICE.replace("<MsgId>M1</MsgId>", "<MsgId>M2</MsgId>"), "its own id is M2"),
        (ADVICE.replace("<MsgId>M1</MsgId>", f"<MsgId>{'M' * 36}</MsgId>"), "36 characters, where 1 to 35"),
        (ADVICE.replace(">8642.05<", ">8642.055<"), "is no whole fen: send the amount with two decimals"),
        (ADVICE.replace(">8642.05<", ">-8642.05<"), "outside the bounds of the schema"),
        (ADVICE.replace(">8642.05<", ">0.00<"), "is not from 0.01 to 10000000000.00"),
        (ADVICE.replace(">8642.05<", ">10000000000.01<"), "is not from 0.01 to 10000000000.00"),
        (ADVICE.replace(">8642.05<", ">1234567890123456789<"), "more than 18 digits"),
        (ADVICE.replace(">8642.05<", ">0.000001<"), "6 digits behind the point, where 5 are allowed"),
        (ADVICE.replace(">8642.05<", ">NaN<"), "not a number"),
        (ADVICE.replace(">8642.05<", ">much<"), "not a camt.054.001.08"),
        (ADVICE.replace('Ccy="CNY"', 'Ccy="USD"'), "an amount in USD: only CNY is taken"),
        (ADVICE.replace('Ccy="CNY"', 'Ccy="cny"'), "not of the form that the schema gives"),
        (ADVICE.replace("<Ccy>CNY</Ccy>", "<Ccy>USD</Ccy>"), "an account in USD: only CNY is taken"),
        (ADVICE.replace("<CdtDbtInd>CRDT", "<CdtDbtInd>BOTH"), "not a camt.054.001.08"),
        (ADVICE.replace("<BookgDt><Dt>2026-03-04</Dt></BookgDt>", ""), "entry C1 has no BookgDt"),
        (ADVICE.replace("<Dt>2026-03-04</Dt>", "<Dt>2026-02-30</Dt>"), "not a camt.054.001.08"),
        (ADVICE.replace("<AcctSvcrRef>C1</AcctSvcrRef>", ""), "cannot be told from another"),
        (
            ADVICE.replace("<Othr><Id>9999319900871090000</Id></Othr>", "<IBAN>CN00</IBAN><Othr><Id>9</Id></Othr>", 1),
            "of a choice of one|not of the form",
        ),
        (ADVICE.replace("<Sts>", "<RvslInd>true</RvslInd><Sts>"), "a reversal"),
    ],
)
def test_a_message_that_is_not_as_agreed_is_refused_whole(wrong: str | bytes, said: str) -> None:
    fault = _fault(wrong)
    assert re.search(said if "|" in said else re.escape(said), fault), fault


def test_entities_and_documents_of_others_are_not_read() -> None:
    head, rest = ADVICE.split("\n", 1)
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    assert "document type declaration" in _fault(f"{head}\n{bomb}\n{rest.replace('上海市', '&b;')}")
    outside = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    assert "document type declaration" in _fault(f"{head}\n{outside}\n{rest.replace('上海市', '&x;')}")
    assert "document type declaration" in _fault(f'{head}\n<!DOCTYPE d SYSTEM "http://127.0.0.1:1/d.dtd">\n{rest}')


def test_a_message_beyond_all_measure_is_not_even_parsed() -> None:
    assert "bytes, where" in _fault(b"<" + b" " * MOST_BYTES)
    deep = "<a>" * 5_000 + "</a>" * 5_000
    assert "not well-formed XML" in _fault(deep)


def test_one_bad_entry_of_many_refuses_the_message() -> None:
    text = advice_of("M1", [CREDIT, CREDIT.model_copy(update={"entry_reference": "C2"})], NOW).decode()
    assert "USD" in _fault(text.replace('Ccy="CNY"', 'Ccy="USD"', 1))
    twice = advice_of("M1", [CREDIT, CREDIT.model_copy(update={"amount_fen": 1})], NOW)
    assert "stands in it twice, with two contents" in _fault(twice)


def test_a_batch_counts_payment_by_payment_and_must_add_up() -> None:
    document = read(ADVICE.encode(), "camt.054.001.08")
    entry = document.bk_to_cstmr_dbt_cdt_ntfctn.ntfctn[0].ntry[0]
    first = entry.ntry_dtls[0].tx_dtls[0]
    first.amt = c.ActiveOrHistoricCurrencyAndAmount(value=yuan(864_200), ccy="CNY")
    second = c.EntryTransaction10(
        refs=c.TransactionReferences6(acct_svcr_ref="C1-2", end_to_end_id="OTHER"),
        amt=c.ActiveOrHistoricCurrencyAndAmount(value=yuan(5), ccy="CNY"),
    )
    entry.ntry_dtls[0].tx_dtls.append(second)
    assert [(each.entry_reference, each.amount_fen) for each in entries_of(document)] == [("C1", 864_200), ("C1-2", 5)]
    second.amt.value = yuan(6)
    with pytest.raises(RefusedMessageError, match="do not add up"):
        entries_of(document)


def test_the_restrictions_of_a_schema_are_found_wherever_they_stand() -> None:
    amount = c.ActiveOrHistoricCurrencyAndAmount(value=Decimal("1.123456"), ccy="yuan")
    assert faults(amount) == [
        "/value: 6 digits behind the point, where 5 are allowed",
        "/Ccy: not of the form that the schema gives",
    ]
    header = c.GroupHeader81(msg_id="", cre_dt_tm=XmlDateTime(2026, 3, 4, 0, 0, 0))
    empty = c.BankToCustomerDebitCreditNotificationV08(grp_hdr=header, ntfctn=[])
    assert faults(empty) == [
        "/GrpHdr/MsgId: 0 characters, where 1 to 35 are allowed",
        "/Ntfctn: there are 0 of them",
    ]
    assert faults(c.AccountIdentification4Choice()) == [": 0 of a choice of one"]


def test_a_booking_that_differs_by_its_reference_has_an_id_of_its_own() -> None:
    other = CREDIT.model_copy(update={"entry_reference": f"{CREDIT.entry_reference}-2"})
    assert CREDIT.entry_id != other.entry_id
    assert CREDIT.model_copy(update={"entry_reference": other.entry_reference}).entry_id == other.entry_id
