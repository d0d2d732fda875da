"""The three streams in SQL. Each is sorted by reference, byte by byte, and reads all lines of the orders that it looks at."""

from typing import Final

# $1 and $2 are the first and the last day. An order is looked at, with all its lines until the last day, when anything
# happened to it between them. A line of the bank belongs to the order that it was matched to, or whose reference it names.
SHANGHAI: Final = "at time zone interval '8 hours'"
# What named no order, or another, and was confirmed as one's receipt carries that one's reference.
REFERENCE: Final = "coalesce(b.reference, nullif(split_part(coalesce(b.end_to_end_id, ''), '/', 1), 'NOTPROVIDED'), '')"
BOOKED: Final = f"""
select coalesce(p.reference, e.event -> 'fact' ->> 'reference') as reference, p.posting_id, e.type, (p.posted_at {SHANGHAI})::date as posted_on
  from ledger_postings p join transfer_events e on (e.transfer_id, e.seq) = (p.transfer_id, p.seq)
 where p.posted_at < ($2::date + 1)::timestamp {SHANGHAI}
   and p.reverses is null and not exists (select from ledger_postings u where u.reverses = p.posting_id)
"""  # noqa: S608 - constants
ORDERS: Final = f"""
booked as not materialized ({BOOKED}),
orders as (
    select r.reference, r.kind, r.amount_fen, r.status, (r.ordered_at {SHANGHAI})::date as ordered_on, r.transfer_id
      from remittances r
     where r.status <> 'AWAITING_RELEASE' and r.ordered_at < ($2::date + 1)::timestamp {SHANGHAI}
       and (r.ordered_at >= $1::date::timestamp {SHANGHAI}
         or r.reference in (select reference from booked where posted_on >= $1)
         or r.reference in (select {REFERENCE} from bank_entries b where b.value_on between $1 and $2)
         or r.reference in (select m.reference from register_movements m where m.moved_on between $1 and $2)))
"""  # noqa: S608 - constants
# The bank tells us of an agency's account from its first entry on.
LEDGER_SQL: Final = f"""
with {ORDERS},
told as (
    select region, min(least(booked_on, value_on)) as since from bank_entries
     where region is not null and why is distinct from 'EXCESS' group by region),
sided as (
    select o.*, t.no, s.*, coalesce((kept.each ->> 'by_post')::boolean, false) as by_post,
           coalesce((kept.each ->> 'uncredited')::boolean, false) as uncredited, (kept.each ->> 'send_on')::date as send_on
      from orders o join transfers t using (transfer_id)
      left join lateral (select each from jsonb_array_elements(t.state -> 'remittances') each
                          where each ->> 'reference' = o.reference) kept on true
      cross join lateral (select case when o.kind = 'REVERSE' then t.to_region else t.from_region end as payer,
                                 case o.kind when 'REVERSE' then t.from_region when 'PAYOUT' then null else t.to_region end as payee) s),
posted as (
    select b.reference, b.type, b.posted_on, l.account, l.region, l.amount_fen,
           bool_or(l.account = 'FROZEN') over (partition by l.posting_id) as freezes
      from booked b join ledger_entries l using (posting_id) where b.reference in (select reference from orders)),
lines as (
    select reference, 'ORDERED' as what, amount_fen, greatest(ordered_on, send_on) as on_day from sided
     union all
    select o.reference, 'GIVEN_UP', o.amount_fen, o.ordered_on from orders o where o.status = 'RETURNED'
       and not exists (select from posted p where p.reference = o.reference and p.account = 'IN_TRANSIT' and p.amount_fen > 0)
     union all
    select s.reference, what, p.amount_fen, p.posted_on
      from posted p join sided s using (reference),
           lateral (select case
               when p.account = 'RECEIVED' then 'RECEIVED'
               when p.type = 'funds_remitted.1' and p.account = 'IN_TRANSIT' then 'REMITTED'
               when p.freezes then null
               when p.type in ('funds_credited.1', 'funds_paid_out.1') and p.amount_fen > 0 then 'CREDITED'
               when p.type = 'funds_returned.1' and p.amount_fen > 0 then 'RETURNED'
               when p.type = 'funds_returned.1' and p.account in ('PERSONAL_ACCOUNTS', 'PAID_OUT') then 'CREDITED'
               when p.type = 'funds_matched.1' and p.amount_fen > 0 and p.region = s.payer then 'MISSED'
               when p.type = 'funds_matched.1' and p.amount_fen > 0 then 'SUSPENDED'
               end as what) named where what is not null)
select l.reference, l.what, l.amount_fen, l.on_day, s.no, s.payer, s.payee, s.kind = 'REVERSE', s.uncredited,
       not s.by_post and coalesce(s.ordered_on >= payer.since, false), coalesce(s.ordered_on >= payee.since, false)
  from lines l join sided s using (reference)
  left join told payer on payer.region = s.payer left join told payee on payee.region = s.payee
 order by l.reference collate "C"
"""  # noqa: S608 - constants
# An order that was made after the last day is not looked at, and its entry with a value date before it neither. What was
# sent home was cleared by who sent it (`sending_home.reference_home` names that payment, each try of it), and what came beyond an
# order is in the order's own line of the bank until another order takes it.
BANK_SQL: Final = f"""
with {ORDERS}
select {REFERENCE} as reference, b.region, b.kind, b.amount_fen, b.value_on, b.entry_reference, coalesce(b.end_to_end_id, '')
  from bank_entries b
 where b.kind in ('DEBIT', 'CREDIT', 'RETURN') and b.region is not null and b.amount_fen > 0 and b.value_on <= $2
   and (b.kind <> 'DEBIT' or left(coalesce(b.end_to_end_id, ''), 29) not in (
        select 'TH-' || left(replace(entry_id::text, '-', ''), 26) from bank_entries where state in ('GOING_HOME', 'SENT_HOME')))
   and b.state <> 'SENT_HOME' and (b.why is distinct from 'EXCESS' or b.state = 'CONFIRMED')
   and ({REFERENCE} in (select reference from orders)
     or b.value_on >= $1 and not exists (select from remittances r where r.reference = {REFERENCE} and r.status <> 'AWAITING_RELEASE'))
 order by {REFERENCE} collate "C"
"""  # noqa: S608 - constants
REGISTERS_SQL: Final = f"""
with {ORDERS}
select m.reference, m.region, m.direction, m.amount_fen, m.moved_on
  from register_movements m
 where m.moved_on <= $2
   and (m.reference in (select reference from orders)
     or m.moved_on >= $1 and not exists (select from remittances r where r.reference = m.reference and r.status <> 'AWAITING_RELEASE'))
 order by m.reference collate "C"
"""  # noqa: S608 - constants
