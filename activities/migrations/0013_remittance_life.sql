-- A completed case whose money comes back is open again, and visibly so.

alter table transfers add column reopened_at timestamptz;
-- It keeps nobody from the next transfer: its record was continued, only its money is under way once more.
drop index transfers_one_open_per_person;
create unique index transfers_one_open_per_person on transfers (person_id) where closed_at is null and reopened_at is null;
