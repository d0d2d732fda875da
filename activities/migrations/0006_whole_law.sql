-- Every kind, both routes, every exit: what they need beside the first route's tables.

-- When the registers were last asked for a case that waits for them; and when a row of a register last changed.
alter table transfers add column checked_at timestamptz;
alter table enrolments add column changed_at timestamptz not null default clock_timestamp();
-- A policy can open a register again: what waits for it is asked again.
alter table region_policies add column entered_at timestamptz not null default clock_timestamp();
create index transfers_waiting on transfers (transfer_id) where closed_at is null and (state ->> 'waiting') = 'true';

-- Until when a certificate is good, where its region says so.
alter table documents add column valid_until date;

-- One order of money at a time, whichever way it goes; and the order that an order corrects.
alter table remittances add column corrects text references remittances;
drop index remittances_one_open;
create unique index remittances_one_open on remittances (transfer_id) where status not in ('RETURNED', 'CREDITED');

alter table ledger_entries drop constraint ledger_entries_account_check;
alter table ledger_entries add constraint ledger_entries_account_check
    check (account in ('PERSONAL_ACCOUNTS', 'FROZEN', 'IN_TRANSIT', 'RECEIVED', 'PAID_OUT'));

-- Where a balance is paid out to, sealed under the person's data key.
create table payout_accounts (
    transfer_id uuid primary key references transfers,
    person_id uuid not null references persons,
    account_sealed bytea not null,
    provided_at timestamptz not null
);
grant select, insert, update on payout_accounts to yibao_worker;

-- What an unconnected agency does by post is on the other side's worklist too: it is they who enter it.
alter table work_items add column entering_region text;
create index work_items_by_entering_region on work_items (entering_region, due_on, transfer_id, step)
    where entering_region is not null;

-- As with certificates: a letter's number never repeats.
create sequence contact_letter_serial;
grant usage on sequence contact_letter_serial to yibao_worker;
