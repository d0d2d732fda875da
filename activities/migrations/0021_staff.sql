-- The agencies' directories of staff: under which names one person acts, so that two names of one person are not two people.
-- The canonical form of a name is `workflows.staff_identity`; an agency loads its whole directory at once.

create table staff (
    region text not null,
    staff_key text not null,
    -- As the agency writes it.
    staff_id text not null,
    valid_from date not null,
    -- The last day of service.
    ends_on date,
    loaded_at timestamptz not null default clock_timestamp(),
    primary key (region, staff_key)
);
-- Under which subjects of tokens the person signs in: each is one person's in a region.
create table staff_subjects (
    region text not null,
    subject_key text not null,
    -- As the issuer writes it.
    subject text not null,
    staff_key text not null,
    primary key (region, subject_key),
    foreign key (region, staff_key) references staff on delete cascade
);
create index staff_subjects_of_all_regions on staff_subjects (subject_key);
create index staff_subjects_of_person on staff_subjects (region, staff_key);

grant select on staff, staff_subjects to yibao_worker, yibao_gateway;
