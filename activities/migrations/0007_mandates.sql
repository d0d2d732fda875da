-- Mandates: a person's word that another acts for them, until a day that it names. 民法典 arts. 161-175.

create table mandates (
    mandate_id uuid primary key,
    -- For whom: the insured person who gave it.
    person_id uuid not null references persons,
    -- Who acts: the keyed hash of their number, as in persons. An agent need not be in any register.
    agent_key bytea not null,
    agent_key_version text not null,
    -- What the giver is shown of the agent: the number, masked, sealed under the giver's data key. It is kept nowhere in full.
    agent_sealed bytea not null,
    relation text not null check (relation in ('SPOUSE', 'PARENT', 'CHILD', 'GUARDIAN', 'OTHER')),
    granted_at timestamptz not null,
    -- Good to the end of this day, in Asia/Shanghai.
    valid_until date not null,
    revoked_at timestamptz,
    -- The region whose window entered it from paper; null when the person gave it on the platform.
    entered_in text,
    granted_by text not null references commands,
    revoked_by text references commands,
    check (valid_until >= (granted_at at time zone interval '8 hours')::date
           and valid_until <= (granted_at at time zone interval '8 hours')::date + interval '2 years'),
    check ((revoked_at is null) = (revoked_by is null))
);
create index mandates_by_person on mandates (person_id, granted_at desc);
create index mandates_by_agent on mandates (agent_key, valid_until);

grant select on mandates to yibao_worker, yibao_gateway;
grant insert on mandates to yibao_worker;
grant update (revoked_at, revoked_by) on mandates to yibao_worker;
