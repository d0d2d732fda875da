-- Reconciliation: what the registers moved by order, what did not agree, and how it was cleared. All of it append-only.

-- Beside every movement of money in a register: for which order it was.
create table register_movements (
    movement_id bigint generated always as identity primary key,
    transfer_id uuid not null references transfers,
    reference text not null,
    region text not null,
    scheme text not null,
    direction text not null check (direction in ('OUT', 'IN')),
    amount_fen bigint not null check (amount_fen > 0),
    moved_on date not null
);
-- What the registers moved before this table was there is what the ledger has of it.
insert into register_movements (transfer_id, reference, region, scheme, direction, amount_fen, moved_on)
select p.transfer_id, e.event -> 'fact' ->> 'reference', l.region, l.scheme, moved.direction, l.amount_fen,
       (p.posted_at at time zone interval '8 hours')::date
  from (values ('IN_TRANSIT', 'funds_remitted.1', 'OUT'), ('PERSONAL_ACCOUNTS', 'funds_credited.1', 'IN'))
       as moved (account, type, direction)
  join ledger_entries l on l.account = moved.account and l.amount_fen > 0
  join ledger_postings p using (posting_id)
  join transfer_events e on (e.transfer_id, e.seq, e.type) = (p.transfer_id, p.seq, moved.type)
 order by p.posting_id;

create table reconciliation_runs (
    run_id uuid primary key,
    why text not null check (why in ('DAILY', 'ON_DEMAND')),
    -- Orders that anything happened to from this day to that one.
    since date not null,
    until date not null check (until >= since),
    started_by text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    ledger_lines bigint not null,
    bank_lines bigint not null,
    register_lines bigint not null,
    found int not null,
    new int not null,
    gone int not null
);
-- However many workers there are: one run for each day.
create unique index reconciliation_one_daily_run on reconciliation_runs (until) where why = 'DAILY';

create table reconciliation_differences (
    difference_id bigint generated always as identity primary key,
    -- The kind, the reference and the figures: the same difference is one row, however often it is found.
    cause text not null,
    -- What was gone and is there again is another row.
    occurrence int not null default 1,
    -- The run that found it first; it is written last, when all is counted.
    run_id uuid not null references reconciliation_runs deferrable initially deferred,
    kind text not null,
    reference text not null,
    transfer_no text,
    party text not null check (party in ('O_FINANCE', 'R_FINANCE', 'BANK', 'PLATFORM')),
    region text,
    expected_fen bigint not null,
    found_fen bigint not null,
    -- The day of its newest line, of its order, and until which the run that found it looked.
    stands_since date not null,
    ordered_on date not null,
    found_on date not null,
    -- The lines that it rests on, in words without personal data.
    basis text[] not null,
    unique (cause, occurrence)
);

-- A difference is cleared once, by a person with a reason or by a run that finds it gone. No row: it is open.
create table reconciliation_clearings (
    difference_id bigint primary key references reconciliation_differences,
    how text not null check (how in ('BY_HAND', 'CLEARED_BY_RUN')),
    reason text not null check (btrim(reason) <> ''),
    cleared_by text not null check (btrim(cleared_by) <> ''),
    run_id uuid references reconciliation_runs deferrable initially deferred,
    cleared_at timestamptz not null default clock_timestamp(),
    check ((how = 'CLEARED_BY_RUN') = (run_id is not null))
);

create trigger append_only before update or delete or truncate on register_movements for each statement execute function append_only();
create trigger append_only before update or delete or truncate on reconciliation_runs for each statement execute function append_only();
create trigger append_only before update or delete or truncate on reconciliation_differences for each statement execute function append_only();
create trigger append_only before update or delete or truncate on reconciliation_clearings for each statement execute function append_only();

grant select on register_movements, reconciliation_runs, reconciliation_differences, reconciliation_clearings to yibao_worker, yibao_gateway;
grant insert on register_movements, reconciliation_runs, reconciliation_differences, reconciliation_clearings to yibao_worker;
