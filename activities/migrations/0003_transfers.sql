-- The command log: what was asked, by whom, and what came of it. The gateway appends; the worker writes the outcome.
create table commands (
    command_id text primary key,
    -- hash(subject, idempotency key). A command that was refused without effect is released, so that its key can be used again.
    key_hash text not null,
    input_hash text not null,
    kind text not null,
    transfer_id uuid,
    transfer_no text,
    -- Who an application is about; null for the steps of a case.
    person_key bytea,
    actor jsonb not null,
    input jsonb not null,
    received_at timestamptz not null,
    outcome jsonb,
    carried_out_at timestamptz,
    released boolean not null default false,
    refusal_no text unique
);
create unique index commands_bound_key on commands (key_hash) where not released;
create index commands_pending on commands (received_at) where outcome is null;
create index commands_pending_person on commands (person_key) where outcome is null and person_key is not null;

-- These numbers have six digits after the day, so the serials may wrap.
create sequence transfer_serial maxvalue 999999 cycle;
create sequence refusal_serial maxvalue 999999 cycle;
-- A certificate's number has the province and the year only, and as many digits as it needs: this one never wraps.
create sequence certificate_serial;

create table transfers (
    transfer_id uuid primary key,
    no text not null unique,
    person_id uuid not null references persons,
    route text not null check (route in ('PLATFORM', 'PAPER')),
    from_region text not null,
    to_region text not null check (to_region <> from_region),
    from_scheme text not null,
    to_scheme text not null,
    status text not null check (status in ('SUBMITTED', 'DECLINED', 'TRANSFERRING_OUT', 'TRANSFERRING_IN', 'CORRECTION_REQUESTED',
                                           'AWAITING_FUNDS', 'COMPLETED', 'WITHDRAWN', 'TERMINATED')),
    funds_status text not null check (funds_status in ('NOT_REQUIRED', 'PENDING', 'ORDERED', 'REMITTED', 'RETURNED', 'RECEIVED',
                                                       'MISMATCHED', 'CREDITED', 'PAID_OUT_TO_PERSON', 'RETAINED_IN_PROVINCE')),
    -- The fold of the events, kept so that a read needs one row.
    state jsonb not null,
    revision int not null,
    employer_ids text[] not null default '{}',
    submitted_at timestamptz not null,
    completed_at timestamptz,
    closed_at timestamptz,
    -- 已办结 never shows before the money is where it belongs.
    constraint completed_means_funds_at_an_end check (
        status <> 'COMPLETED' or funds_status in ('NOT_REQUIRED', 'CREDITED', 'PAID_OUT_TO_PERSON', 'RETAINED_IN_PROVINCE'))
);
-- One open transfer per person, chains included: the real guard against doubles.
create unique index transfers_one_open_per_person on transfers (person_id) where closed_at is null;
-- The sweeper pages through the open ones.
create index transfers_open on transfers (transfer_id) where closed_at is null;
create index transfers_by_person on transfers (person_id, submitted_at desc);
create index transfers_by_from_region on transfers (from_region, submitted_at desc, transfer_id desc);
create index transfers_by_to_region on transfers (to_region, submitted_at desc, transfer_id desc);
create index transfers_by_employer on transfers using gin (employer_ids);

-- What happened, append-only, without holes, each event chained to the one before it.
create table transfer_events (
    transfer_id uuid not null references transfers,
    seq int not null check (seq > 0),
    type text not null,
    occurred_at timestamptz not null,
    command_id text,
    event jsonb not null,
    hash bytea not null,
    primary key (transfer_id, seq)
);

-- Open steps, one row each: the agencies' worklists.
create table work_items (
    transfer_id uuid not null references transfers,
    step text not null,
    round int not null,
    region text not null,
    counterpart_region text not null,
    due_on date not null,
    opened_at timestamptz not null,
    primary key (transfer_id, step, round)
);
create index work_items_by_region on work_items (region, due_on, transfer_id, step);

create table documents (
    document_id uuid primary key,
    transfer_id uuid references transfers,
    person_id uuid not null references persons,
    kind text not null,
    number text not null,
    version int not null default 1,
    issued_at timestamptz not null,
    -- The agency's region; null for the platform's own.
    issued_by text,
    sha256 text not null,
    content_sealed bytea not null,
    verification_code text not null,
    voided_at timestamptz,
    unique (kind, number, version)
);
create index documents_by_transfer on documents (transfer_id, issued_at);

-- The rendered PDF, sealed like its content: derived, made at the first download.
create table document_files (
    document_id uuid primary key references documents,
    pdf_sealed bytea not null
);
