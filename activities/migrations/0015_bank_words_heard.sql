-- What the cases have heard of the bank, and what the bank has said in two ways.

-- `told_fen` was sent on its way to the case; `heard_fen` is what the case has decided on, noted by the same transaction.
alter table bank_words add column heard_fen bigint not null default 0;
update bank_words set heard_fen = told_fen where told_at is not null;
create index bank_words_unheard on bank_words (told_at) where heard_fen < told_fen;

-- Another content under the bank's reference of an entry that is known. The first holds; this one is for people to clear.
create table bank_entry_conflicts (
    entry_id uuid not null,
    digest bytea not null,
    entry_reference text not null,
    region text,
    amount_fen bigint not null,
    -- What the first one said.
    kept_fen bigint not null,
    booked_on date not null,
    entry_key text not null,
    entry_sealed bytea not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (entry_id, digest)
);
grant select on bank_entry_conflicts to yibao_worker, yibao_gateway;
grant insert on bank_entry_conflicts to yibao_worker;
