-- A step changes the case's row in place: an index that reads `state` would have it entered into every index anew.

alter table transfers add column waiting boolean not null generated always as (coalesce((state ->> 'waiting')::boolean, false)) stored;
drop index transfers_waiting;
create index transfers_waiting on transfers (transfer_id) where closed_at is null and waiting;
-- Room on each page for the next version of its rows.
alter table transfers set (fillfactor = 60);
