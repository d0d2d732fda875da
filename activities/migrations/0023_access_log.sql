-- Who has looked at whose data (PIPL arts. 44 and 51; 网络安全法, art. 21 of its text of 2017: logs are kept for at least six months).

-- One row is the equal looks of one looker at one person's data within about a second. Partitioned by month of Asia/Shanghai, so
-- that a month is removed whole when its time is over; there is no default partition: the writer has the month's made first.
create table access_log (
    -- The first of the looks.
    at timestamptz not null,
    entry_id uuid not null,
    person_id uuid not null,
    transfer_id uuid,
    transfer_no text,
    document_id uuid,
    -- The looker's agency or bureau; null for persons and employers, and for the platform's operators.
    region text,
    role text not null,
    purpose text not null,
    -- The API's field or route, such as `transfer`, `viewer.worklist` or `documents`.
    operation text not null,
    -- Keyed hash of who looked: equal for one looker, whatever the person. For members of staff `access_lookers` has who it is.
    looker_key text not null,
    -- Who looked, sealed under the data key of the person that was looked at; null when that key is shredded, and for downloads.
    looker_sealed bytea,
    -- The person looked at their own data.
    own boolean not null,
    looks int not null check (looks > 0),
    primary key (at, entry_id)
) partition by range (at);
create index access_log_by_person on access_log (person_id, at desc, entry_id desc);
create index access_log_by_region on access_log (region, at) where region is not null;

-- Who is behind the keys of agencies' people and systems, for their supervisor: sealed by the keyring, as no insured person's data.
create table access_lookers (
    looker_key text primary key,
    region text not null,
    keyring_version text not null,
    looker_sealed bytea not null
);

-- Makes the partition of the month in Asia/Shanghai that `day` lies in, unless it is there. It runs as the owner: the gateway makes no tables.
create function ensure_access_log_partition(day date) returns void language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    first_day date := date_trunc('month', day::timestamp)::date;
    name text := 'access_log_' || to_char(first_day, 'YYYY_MM');
    opens timestamptz := first_day::timestamp at time zone interval '8 hours';
    closes timestamptz := (first_day + interval '1 month')::timestamp at time zone interval '8 hours';
begin
    if day not between '2020-01-01' and '2099-12-31' then
        raise exception 'no partition of access_log for %', day using errcode = 'datetime_field_overflow';
    end if;
    if to_regclass('public.' || name) is null then
        -- Two gateways at the turn of a month: the second finds what the first has made.
        perform pg_advisory_xact_lock(4302);
        execute format('create table if not exists public.%I partition of public.access_log for values from (%L) to (%L)', name, opens, closes);
    end if;
end $$;
revoke execute on function ensure_access_log_partition from public;
grant execute on function ensure_access_log_partition to yibao_gateway;

create trigger append_only before update or delete or truncate on access_log for each statement execute function append_only();
create trigger append_only before update or delete or truncate on access_lookers for each statement execute function append_only();
grant select, insert on access_log, access_lookers to yibao_gateway;
