-- The border with the bank: every message as it came, every line of it once, and what the cases are to be told.

-- How far the bank's outbox has been read. Who moves it holds the row: one reader at a time.
create table bank_cursors (
    bank text primary key,
    place text not null
);
insert into bank_cursors values ('bank', '');

-- A message is its id and what it says. Another content under a known id is kept, reported and never processed.
create table bank_messages (
    message_id text not null,
    digest bytea not null,
    kind text,
    state text not null check (state in ('PROCESSED', 'REFUSED', 'CONFLICT')),
    -- What is wrong with it, and what to do.
    fault text,
    document_key text not null,
    document_sealed bytea not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (message_id, digest)
);
create unique index bank_messages_one_content on bank_messages (message_id) where state <> 'CONFLICT';

-- The parts of an order that was over the bank's limit, as they were handed in.
create table bank_payments (
    end_to_end_id text primary key,
    reference text not null references remittances,
    amount_fen bigint not null check (amount_fen > 0)
);
create index bank_payments_by_reference on bank_payments (reference);

create table bank_entries (
    -- Derived from the account, the direction and the bank's own reference of the entry, so it is unique by these.
    entry_id uuid primary key,
    entry_reference text not null,
    account text not null,
    direction text not null check (direction in ('DBIT', 'CRDT', 'NONE')),
    kind text not null check (kind in ('ACCEPTED', 'REFUSED', 'DEBIT', 'CREDIT', 'RETURN')),
    -- The agency whose account it is; null for a word of a payment, and for an account that the directory lacks.
    region text,
    amount_fen bigint not null check (amount_fen >= 0),
    end_to_end_id text,
    reference text references remittances,
    booked_on date not null,
    value_on date not null,
    code text,
    -- Names, accounts and words of people and agencies.
    words_key text not null,
    words_sealed bytea not null,
    -- FOREIGN: not of this system's orders, and no money that came.
    state text not null check (state in ('MATCHED', 'FOREIGN', 'UNMATCHED', 'CONFIRMED', 'GOING_HOME', 'SENT_HOME')),
    why text,
    received_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    resolved_by text,
    resolution text,
    unique (account, direction, entry_reference)
);
create index bank_entries_by_reference on bank_entries (reference) where reference is not null;
create index bank_entries_unmatched on bank_entries (region, booked_on, entry_id) where state in ('UNMATCHED', 'GOING_HOME');

-- What the bank has said of an order, all of its payments together. `told_fen` is what the case knows of it.
create table bank_words (
    reference text not null references remittances,
    said text not null check (said in ('TAKEN', 'CREDITED', 'RETURNED')),
    amount_fen bigint not null check (amount_fen > 0),
    reason text,
    bank_reference text,
    said_on date not null,
    told_fen bigint not null default 0,
    told_at timestamptz,
    attempts int not null default 0,
    next_attempt_at timestamptz not null default clock_timestamp(),
    last_error text,
    primary key (reference, said)
);
create index bank_words_untold on bank_words (next_attempt_at) where told_at is null;

grant select on bank_cursors, bank_messages, bank_payments, bank_entries, bank_words to yibao_worker, yibao_gateway;
grant insert on bank_messages, bank_payments to yibao_worker;
grant insert, update on bank_entries, bank_words to yibao_worker;
grant update on bank_cursors to yibao_worker;
