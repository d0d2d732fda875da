-- The registers of the agencies, as their extracts gave them. Personal data lives in these two tables alone,
-- sealed under one data key per person, so that a person can be shredded by deleting one key.

create table persons (
    person_id uuid primary key,
    -- Keyed hash of the resident identity number; `person_key_version` names the key, so that keys can rotate.
    person_key bytea not null unique,
    person_key_version text not null,
    -- The person's data key, wrapped by the keyring.
    wrapped_key bytea not null,
    -- The resident identity number, sealed under the data key.
    resident_id_sealed bytea not null
);

create table enrolments (
    person_id uuid not null references persons,
    region text not null,
    scheme text not null check (scheme in ('EMPLOYEE', 'RESIDENT')),
    -- The name as this region's register spells it: sealed, and as a keyed hash of its normal form for comparison.
    name_sealed bytea not null,
    name_key bytea not null,
    status text not null check (status in ('ACTIVE', 'STOPPED', 'TERMINATED')),
    stopped_on date,
    enrolled_on date,
    employer_id text,
    retired boolean not null default false,
    deceased boolean not null default false,
    account_frozen boolean not null default false,
    unsettled_claims boolean not null default false,
    current_month_unpaid boolean not null default false,
    special_personnel boolean not null default false,
    flexible_employment boolean not null default false,
    next_year_enrolled boolean not null default false,
    arrears_fen bigint not null default 0 check (arrears_fen >= 0),
    arrears_from text,
    arrears_to text,
    -- What the person can use; a balance frozen for a transfer is moved to frozen_fen until it is remitted.
    personal_account_fen bigint not null default 0 check (personal_account_fen >= 0),
    frozen_fen bigint not null default 0 check (frozen_fen >= 0),
    -- [{"first_month": "2015-01", "last_month": "2020-12", "deemed": false, "region": "110000", "scheme": "EMPLOYEE"}]
    contribution_periods jsonb not null default '[]',
    -- How fresh the extract was, and the last transfer that moved this row past it.
    as_of date not null,
    moved_on date,
    moved_by text,
    primary key (person_id, region, scheme),
    check ((status = 'ACTIVE') = (stopped_on is null))
);
create index enrolments_by_employer on enrolments (employer_id) where employer_id is not null;
