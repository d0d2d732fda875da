-- A mandate entered at a window waits for a second person of the agency, and then for a day; its giver is told at once.

alter table mandates
    -- The reference of the paper that the giver has signed; null for a mandate given on the platform.
    add column paper_reference text,
    -- From when the agent may act. Null while a mandate from a window waits for the second person or the giver.
    add column starts_at timestamptz,
    add column approved_by text references commands,
    add column confirmed_by text references commands,
    -- When the giver, the agent or a window ended it. revoked_at is this, or the start of a later mandate to the same agent.
    add column taken_back_at timestamptz,
    add column taken_back_by text references commands,
    -- The agent's number under every version of the keyring of that day: tells that two mandates are to the same agent.
    add column agent_keys bytea[];
-- Mandates of before keep what they were.
update mandates set starts_at = granted_at, taken_back_at = revoked_at, taken_back_by = revoked_by, agent_keys = array[agent_key];
alter table mandates
    alter column agent_keys set not null,
    add check (paper_reference is null or entered_in is not null),
    add check (starts_at is not null or entered_in is not null),
    add check (paper_reference is null or starts_at is null or approved_by is not null or confirmed_by is not null),
    add check (paper_reference is null or confirmed_by is not null or starts_at >= granted_at + interval '24 hours'),
    add check (valid_until >= (starts_at at time zone interval '8 hours')::date),
    add check ((taken_back_at is null) = (taken_back_by is null));

grant update (starts_at, approved_by, confirmed_by, taken_back_at, taken_back_by) on mandates to yibao_worker;

-- What the giver of a mandate from a window is told, each once: written with the act, delivered beside the worker.
create table mandate_notices (
    mandate_id uuid not null references mandates,
    kind text not null check (kind in ('mandate_entered', 'mandate_approved', 'mandate_confirmed', 'mandate_revoked')),
    recipient text not null check (recipient = 'person'),
    -- The agency whose window entered the mandate.
    region text not null,
    -- From when the agent may act, as far as it is known.
    starts_at timestamptz,
    -- These are the clock's on the wall: when it was written, when it may be tried (again), when the receiver had it.
    created_at timestamptz not null default clock_timestamp(),
    next_attempt_at timestamptz not null default clock_timestamp(),
    delivered_at timestamptz,
    attempts int not null default 0,
    last_error text,
    primary key (mandate_id, kind, recipient)
);
create index mandate_notices_undelivered on mandate_notices (next_attempt_at) where delivered_at is null;

grant select on mandate_notices to yibao_worker, yibao_gateway;
grant insert, update (next_attempt_at, delivered_at, attempts, last_error) on mandate_notices to yibao_worker;
