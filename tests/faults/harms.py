"""What is done to the books and to the bank's memory, behind all guards, and the checker's rules that are broken by it.

By the act that has left them behind.
"""

Harms = dict[str, tuple[str, set[str]]]

LAST = "confirm_receipt: the last of the case"
IN_THE_DATABASE: Harms = {
    "an entry of another amount": (
        "update ledger_entries set amount_fen = amount_fen + 1 where posting_id = (select max(posting_id) from ledger_postings) and amount_fen > 0",
        {"POSTING_NOT_ZERO", "REGISTER_DISAGREES", "CREDIT_NOT_ONCE"},
    ),
    "half of a posting": (
        "delete from ledger_entries where posting_id = (select max(posting_id) from ledger_postings) and amount_fen < 0",
        {"POSTING_NOT_ZERO", "MONEY_NOT_CONSERVED", "COMPLETED_TOO_EARLY"},
    ),
    "a posting without its head": (
        "delete from ledger_postings where posting_id = (select max(posting_id) from ledger_postings)",
        {
            "ENTRY_WITHOUT_POSTING",
            "REGISTER_DISAGREES",
            "MONEY_NOT_CONSERVED",
            "CREDIT_NOT_ONCE",
            "COMPLETED_TOO_EARLY",
        },
    ),
    "a posting of no event": (
        "update ledger_postings set seq = 99 where posting_id = (select max(posting_id) from ledger_postings)",
        {"POSTING_WITHOUT_EVENT", "CREDIT_NOT_ONCE", "COMPLETED_TOO_EARLY"},
    ),
    "more sent than was frozen": (
        """update ledger_entries set amount_fen = case when amount_fen > 0 then 420001 else -420001 end
            where posting_id = (select posting_id from ledger_entries where account = 'FROZEN' and amount_fen < 0)""",
        {"NEGATIVE_ACCOUNT", "REGISTER_DISAGREES", "MONEY_NOT_CONSERVED", "DEBIT_NOT_ONCE", "COMPLETED_TOO_EARLY"},
    ),
    "a fen too many in R's register": (
        "update enrolments set personal_account_fen = personal_account_fen + 1 where region = '319900'",
        {"REGISTER_DISAGREES", "MONEY_NOT_CONSERVED"},
    ),
    "a fen too many in O's register": (
        "update enrolments set frozen_fen = frozen_fen + 1 where region = '110000'",
        {"REGISTER_DISAGREES", "MONEY_NOT_CONSERVED"},
    ),
    "credited in the register of the wrong side": (
        """update enrolments set personal_account_fen =
                case when region = '319900' then personal_account_fen - 420000 else personal_account_fen + 420000 end""",
        {"REGISTER_DISAGREES"},
    ),
    "an enrolment that is gone with its money": (
        "delete from enrolments where region = '319900'",
        {"REGISTER_DISAGREES", "MONEY_NOT_CONSERVED"},
    ),
    "credited twice": (
        """with again as (insert into ledger_postings (transfer_id, seq, posted_at)
                          select transfer_id, seq, posted_at from ledger_postings order by posting_id desc limit 1
                          returning posting_id)
           insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
           select (select posting_id from again), line, account, region, scheme, transfer_id, amount_fen
             from ledger_entries where posting_id = (select max(posting_id) from ledger_entries)""",
        {"NEGATIVE_ACCOUNT", "REGISTER_DISAGREES", "MONEY_NOT_CONSERVED", "CREDIT_NOT_ONCE", "COMPLETED_TOO_EARLY"},
    ),
    "an order that is credited before it came": (
        "update remittances set status = 'REMITTED'",
        {"CREDIT_NOT_ONCE"},
    ),
    "an order that left before it was sent": (
        "update remittances set status = 'ORDERED'",
        {"DEBIT_NOT_ONCE", "CREDIT_NOT_ONCE"},
    ),
    "an order of another amount than the bank's": (
        "update remittances set amount_fen = amount_fen + 1",
        {"DEBIT_NOT_ONCE", "BANK_PAYS_ANOTHER_AMOUNT"},
    ),
    "an order that we lost": (
        "delete from remittances",
        {"BANK_PAYS_UNORDERED"},
    ),
    "shown as completed before its end": (
        """update transfer_events set type = 'completed.1', event = jsonb_set(event, '{fact,type}', '"completed.1"')
            where type = 'funds_remitted.1'""",
        {"COMPLETED_TOO_EARLY", "CHAIN_BROKEN", "DEBIT_NOT_ONCE"},
    ),
    "a read model that is ahead of its events": (
        """update transfer_events set type = 'noted.1' where type like 'completed.%'""",
        {"COMPLETED_TOO_EARLY"},
    ),
    "an event that was rewritten": (
        "update transfer_events set event = jsonb_set(event, '{actor,subject}', '\"somebody\"') where seq = 3",
        {"CHAIN_BROKEN"},
    ),
    "the last event is gone": (
        "delete from transfer_events where seq = (select max(seq) from transfer_events)",
        {"EVENT_MISSING", "COMPLETED_TOO_EARLY"},
    ),
    "a step that was carried out and is not answered": (
        "update commands set outcome = null where kind = 'REMIT_PERSONAL_ACCOUNT'",
        {"COMMAND_NOT_ONCE"},
    ),
    "a step that nobody asked for": (
        "delete from commands where kind = 'REMIT_PERSONAL_ACCOUNT'",
        {"COMMAND_NOT_ONCE"},
    ),
    "a step that was answered and not carried out": (
        """update transfer_events set command_id = null
            where command_id = (select command_id from commands where kind = 'REMIT_PERSONAL_ACCOUNT')""",
        {"COMMAND_NOT_ONCE"},
    ),
}
AT_THE_BANK: Harms = {
    "the bank never paid": ("delete from orders", {"BANK_NEVER_PAID"}),
    "the bank pays a fen more": (
        "update orders set document = json_set(document, '$.amount_fen', 420001)",
        {"BANK_PAYS_ANOTHER_AMOUNT"},
    ),
    "the bank pays twice": (
        "insert into orders select reference || '-again', document, handed_in_at from orders",
        {"BANK_PAYS_TWICE"},
    ),
    "the bank pays what nobody ordered": (
        """insert into orders select 'ZY-0-01', json_set(document, '$.reference', 'ZY-0-01'), handed_in_at
             from orders""",
        {"BANK_PAYS_UNORDERED"},
    ),
    "the bank pays a part too little": (
        "update orders set document = json_set(document, '$.payments[0].amount_fen', 1)",
        {"BANK_PAYS_ANOTHER_AMOUNT"},
    ),
}
SWEPT = "sweep_late_contributions: it came after the case"
CONTRIBUTED: Harms = {
    "a contribution that its case does not know": (
        "update late_contributions set state = 'AWAITS_SWEEP', seq = null",
        {"CONTRIBUTION_NOT_ONCE", "MONEY_NOT_CONSERVED"},
    ),
    "a contribution of another amount than came in": (
        "update late_contributions set amount_fen = amount_fen + 1",
        {"CONTRIBUTION_NOT_ONCE", "MONEY_NOT_CONSERVED"},
    ),
    "a contribution that never arrived": (
        "delete from late_contributions",
        {"CONTRIBUTION_NOT_ONCE", "MONEY_NOT_CONSERVED"},
    ),
    "a contribution that another event is said to have brought": (
        "update late_contributions set seq = seq - 1",
        {"CONTRIBUTION_NOT_ONCE"},
    ),
    "a contribution that came in twice": (
        """with again as (insert into ledger_postings (transfer_id, seq, posted_at)
                          select transfer_id, seq, posted_at from ledger_postings p
                           where exists (select from ledger_entries e where e.posting_id = p.posting_id and account = 'CLEARING')
                          returning posting_id),
                register as (update enrolments set personal_account_fen = personal_account_fen + 1250 where region = '110000')
           insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
           select (select posting_id from again), e.line, e.account, e.region, e.scheme, e.transfer_id, e.amount_fen
             from ledger_entries e join ledger_entries c using (posting_id) where c.account = 'CLEARING'""",
        {"CONTRIBUTION_NOT_ONCE", "MONEY_NOT_CONSERVED"},
    ),
}
NOBODYS = "read_outbox: a credit without a reference"
ON_THE_LIST: Harms = {
    "money that is nobody's and on no list": (
        "update bank_entries set state = 'FOREIGN' where state = 'UNMATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE"},
    ),
    "a fen that is not on the list": (
        "update bank_entries set amount_fen = amount_fen - 1 where state = 'UNMATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE"},
    ),
    "money on the list of another agency": (
        "update bank_entries set region = '110000' where state = 'UNMATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE"},
    ),
    "money apart that the bank never said came": (
        "delete from bank_entries where state = 'UNMATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE"},
    ),
    "money that is shown as gone home": (
        "update bank_entries set state = 'SENT_HOME' where state = 'UNMATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE", "SENT_HOME_NOT_ONCE"},
    ),
}
TWICE = "read_outbox: a credit twice"
PAID_TWICE: Harms = {
    "two credits that pay one order": (
        "update bank_entries set state = 'MATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE", "CREDIT_COUNTED_TWICE"},
    ),
    "a word that was told in part": (
        "update bank_words set told_at = now(), told_fen = 1",
        {"WORD_NOT_TOLD_ONCE"},
    ),
    "a word of which more was told than was said": (
        "update bank_words set told_fen = amount_fen + 1",
        {"WORD_NOT_TOLD_ONCE"},
    ),
}
TOLD = "tell_due: it came back"
HEARD: Harms = {
    "a return that was heard and that no case knows": (
        "update bank_words set reference = reference || '0'",
        {"WORD_NOT_TOLD_ONCE"},
    ),
}
CONFIRMED = "leave_confirmed: it named no order"
ENTERED: Harms = {
    "a credit that was confirmed for no order": (
        "update remittances set bank_reference = 'B-9'",
        {"CONFIRMED_FOR_NOBODY"},
    ),
}
HOME = "send_due_home: it named no order"
GONE_HOME: Harms = {
    "money that went home and is on the list": (
        "update bank_entries set state = 'UNMATCHED'",
        {"UNMATCHED_NOT_SET_ASIDE", "SENT_HOME_NOT_ONCE"},
    ),
}
GONE_HOME_AT_THE_BANK: Harms = {
    "the bank never paid it home": ("delete from orders", {"SENT_HOME_NOT_ONCE"}),
    "the bank paid it home twice": (
        """insert into orders select reference || '-again', json_set(document, '$.reference', substr(reference, 1, 29) || '02'),
                  handed_in_at from orders""",
        {"SENT_HOME_NOT_ONCE"},
    ),
    "the bank paid a fen more home": (
        "update orders set document = json_set(document, '$.amount_fen', 420001)",
        {"SENT_HOME_NOT_ONCE"},
    ),
    "the bank refused to pay it home": (
        """update carried_out set lines = json_array(json_array(reference, 'RJCT', 'AC04'))""",
        {"SENT_HOME_NOT_ONCE"},
    ),
    "the bank paid something home that never came": (
        "update orders set document = json_set(document, '$.reference', 'TH-0123456789abcdef0123456789ab01')",
        {"SENT_HOME_NOT_ONCE", "BANK_PAYS_UNORDERED"},
    ),
}

DAMAGES = {
    (act, harm): what
    for act, harms in (
        (LAST, IN_THE_DATABASE),
        (SWEPT, CONTRIBUTED),
        (NOBODYS, ON_THE_LIST),
        (TWICE, PAID_TWICE),
        (TOLD, HEARD),
        (CONFIRMED, ENTERED),
        (HOME, GONE_HOME),
    )
    for harm, what in harms.items()
}
DAMAGES_AT_THE_BANK = {
    (act, harm): what
    for act, harms in ((LAST, AT_THE_BANK), (HOME, GONE_HOME_AT_THE_BANK))
    for harm, what in harms.items()
}
