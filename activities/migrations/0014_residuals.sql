-- Contributions that arrived at an agency after the person's money had left it: each is known by its id, for ever.

create table late_contributions (
    contribution_id text primary key,
    -- Keyed hash of the resident identity number, as in `persons`; nothing of the person is here in clear.
    person_key bytea not null,
    person_key_version text not null,
    -- Null while no register knows the person.
    person_id uuid references persons,
    region text not null,
    scheme text not null check (scheme in ('EMPLOYEE', 'RESIDENT')),
    month text not null,
    amount_fen bigint not null check (amount_fen > 0),
    received_at timestamptz not null,
    state text not null check (state in ('AWAITS_SWEEP', 'WAITS_FOR_COMPLETION', 'SWEPT_ALONG', 'RETAINED', 'NO_TRANSFER', 'TOO_LATE')),
    -- The transfer that it follows, and the event that took it in.
    transfer_id uuid references transfers,
    seq int,
    foreign key (transfer_id, seq) references transfer_events,
    check ((seq is not null) = (state in ('SWEPT_ALONG', 'RETAINED'))),
    check ((transfer_id is null) = (state = 'NO_TRANSFER'))
);
-- What the sweep beside the worker looks for.
create index late_contributions_to_sweep on late_contributions (transfer_id)
    where state in ('AWAITS_SWEEP', 'WAITS_FOR_COMPLETION');
create index late_contributions_by_arrival on late_contributions (received_at, contribution_id);

-- The feed may be loaded as the worker's role; the gateway has no business with it.
grant select, insert, update (state, transfer_id, seq) on late_contributions to yibao_worker;
