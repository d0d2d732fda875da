-- Money that goes home is tried again under another reference, and a receipt finds what its reference has paid for.

-- A bank refuses a reference for ever: each attempt at sending an entry home has its own.
alter table bank_entries add column tries smallint not null default 1;
create index bank_entries_listed on bank_entries (entry_reference)
    where kind = 'CREDIT' and state in ('UNMATCHED', 'GOING_HOME', 'SENT_HOME');
create index remittances_returned on remittances (bank_reference) where status = 'RETURNED' and received_fen is not null;
