-- Reference data: the directory of pooling regions, their policies, and the working-day tables.
-- All of it is effective-dated and replaceable; no law is compiled in.

create table pooling_regions (
    code text not null check (code ~ '^[0-9]{6}$'),
    effective_from date not null,
    effective_to date,
    name text not null,
    province text not null,
    agency_code text not null,
    agency_name text not null,
    service_phone text,
    address text,
    receiving_account_name text,
    receiving_bank text,
    receiving_bank_code text,
    receiving_account text,
    source text not null,
    primary key (code, effective_from),
    check (effective_to is null or effective_to > effective_from)
);

-- One row is one edition of a region's policy; the newest edition in force on a day counts.
create table region_policies (
    region text not null,
    effective_from date not null,
    edition bigint generated always as identity,
    policy jsonb not null,
    primary key (region, effective_from, edition)
);

-- One row is one edition of a year's working-day table, with the State Council's notice it comes from.
create table calendar_editions (
    year int not null,
    edition text primary key,
    document jsonb not null,
    loaded_at timestamptz not null
);
