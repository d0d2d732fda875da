-- Who is told of which event, each once: written with the event, delivered beside the worker, kept for ever.
create table notices (
    transfer_id uuid not null,
    seq int not null,
    -- 'agency:110000', 'supervisor:110000', 'province:110000' or 'person': codes, no addresses.
    recipient text not null,
    kind text not null,
    step text,
    due_on date,
    -- These are the clock's on the wall: when it was written, when it may be tried (again), when the receiver had it.
    created_at timestamptz not null default clock_timestamp(),
    next_attempt_at timestamptz not null default clock_timestamp(),
    delivered_at timestamptz,
    attempts int not null default 0,
    last_error text,
    primary key (transfer_id, seq, recipient),
    foreign key (transfer_id, seq) references transfer_events
);
create index notices_undelivered on notices (next_attempt_at) where delivered_at is null;

grant select on notices to yibao_worker, yibao_gateway;
grant insert, update (next_attempt_at, delivered_at, attempts, last_error) on notices to yibao_worker;
