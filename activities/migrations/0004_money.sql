-- Double entry in whole fen. A posting is two or more entries that sum to zero; nothing is ever changed or deleted.

create table remittances (
    reference text primary key,
    transfer_id uuid not null references transfers,
    kind text not null check (kind in ('TRANSFER', 'RESIDUAL', 'REVERSE', 'PAYOUT')),
    amount_fen bigint not null check (amount_fen > 0),
    status text not null check (status in ('AWAITING_RELEASE', 'ORDERED', 'REMITTED', 'RETURNED', 'RECEIVED', 'MISMATCHED', 'CREDITED')),
    ordered_at timestamptz not null,
    ordered_by text not null,
    bank_reference text,
    received_fen bigint,
    received_on date,
    return_reason text
);
create index remittances_by_transfer on remittances (transfer_id, ordered_at);
-- One order of money at a time for a transfer; a returned one makes room for the next.
create unique index remittances_one_open on remittances (transfer_id) where kind = 'TRANSFER' and status <> 'RETURNED';
-- A bank's credit pays one remittance.
create unique index remittances_by_bank_reference on remittances (bank_reference) where status = 'CREDITED';

create table ledger_postings (
    posting_id bigint generated always as identity primary key,
    transfer_id uuid not null references transfers,
    -- The event that this posting books.
    seq int not null,
    posted_at timestamptz not null
);
create index ledger_postings_by_transfer on ledger_postings (transfer_id);

create table ledger_entries (
    posting_id bigint not null references ledger_postings,
    line int not null,
    -- PERSONAL_ACCOUNTS of a region and scheme is derived over all transfers; the others belong to one transfer.
    account text not null check (account in ('PERSONAL_ACCOUNTS', 'FROZEN', 'IN_TRANSIT', 'RECEIVED')),
    region text not null,
    scheme text not null,
    transfer_id uuid not null references transfers,
    amount_fen bigint not null check (amount_fen <> 0),
    primary key (posting_id, line)
);
create index ledger_entries_by_transfer on ledger_entries (transfer_id, account, region);

create function posting_sums_to_zero() returns trigger language plpgsql as $$
declare total numeric;
begin
    select coalesce(sum(amount_fen), 0) into total from ledger_entries where posting_id = new.posting_id;
    if total <> 0 or not exists (select from ledger_entries where posting_id = new.posting_id) then
        raise exception 'posting % does not sum to zero: % fen', new.posting_id, total using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger posting_sums_to_zero after insert on ledger_postings
    deferrable initially deferred for each row execute function posting_sums_to_zero();

create function entries_keep_the_ledger_whole() returns trigger language plpgsql as $$
declare total numeric;
begin
    select sum(amount_fen) into total from ledger_entries where posting_id = new.posting_id;
    if total <> 0 then
        raise exception 'posting % does not sum to zero: % fen', new.posting_id, total using errcode = 'check_violation';
    end if;
    if new.account <> 'PERSONAL_ACCOUNTS' then
        select sum(amount_fen) into total from ledger_entries
            where transfer_id = new.transfer_id and account = new.account and region = new.region and scheme = new.scheme;
        if total < 0 then
            raise exception 'account % of transfer % would be negative: % fen', new.account, new.transfer_id, total using errcode = 'check_violation';
        end if;
    end if;
    return null;
end $$;
create constraint trigger entries_keep_the_ledger_whole after insert on ledger_entries
    deferrable initially deferred for each row execute function entries_keep_the_ledger_whole();

-- Append-only for everyone, the owner included.
create function append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on ledger_postings for each statement execute function append_only();
create trigger append_only before update or delete or truncate on ledger_entries for each statement execute function append_only();
create trigger append_only before update or delete or truncate on transfer_events for each statement execute function append_only();
