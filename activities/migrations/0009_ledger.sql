-- The ledger as a library of its own: every purpose, money that no case owns, corrections as reversing entries; checked once a posting.

alter table ledger_postings
    -- Money that no case owns has no transfer and no event.
    alter column transfer_id drop not null,
    alter column seq drop not null,
    -- The order of money that it belongs to, or the bank's id of money without a case.
    add column reference text,
    -- How many entries it has, said beforehand: none can be added to it afterwards.
    add column lines smallint not null default 2 check (lines between 2 and 32),
    -- The posting that this one undoes.
    add column reverses bigint references ledger_postings,
    -- Who saw it and who could not yet: posting ids and posted_at are given before a commit, in any order. Null in those of before.
    add column written_in xid8,
    -- The clock's on the wall; posted_at is when it counts.
    add column recorded_at timestamptz,
    add constraint ledger_postings_of_an_event_or_of_money check
        ((transfer_id is null) = (seq is null) and (transfer_id is not null or reference is not null)),
    add unique (posting_id, lines);
alter table ledger_postings
    alter column written_in set default pg_current_xact_id(),
    alter column recorded_at set default clock_timestamp();

alter table ledger_entries
    alter column transfer_id drop not null,
    -- The posting's own is checked with it.
    drop constraint ledger_entries_transfer_id_fkey,
    drop constraint ledger_entries_posting_id_fkey,
    drop constraint ledger_entries_account_check,
    add column lines smallint not null default 2,
    -- The bank's id of money that no case owns.
    add column unmatched text,
    add constraint ledger_entries_line_check check (line between 1 and lines),
    add constraint ledger_entries_owner_check check ((transfer_id is null) <> (unmatched is null)),
    add constraint ledger_entries_account_check check (account in
        ('PERSONAL_ACCOUNTS', 'FROZEN', 'IN_TRANSIT', 'RECEIVED', 'SUSPENSE', 'RETURNED', 'PAID_OUT', 'CLEARING')),
    add foreign key (posting_id, lines) references ledger_postings (posting_id, lines);
-- A posting is undone once.
create unique index ledger_postings_reverses on ledger_postings (reverses) where reverses is not null;
create index ledger_entries_unmatched on ledger_entries (unmatched, account, region) where unmatched is not null;

drop trigger posting_sums_to_zero on ledger_postings;
drop trigger entries_keep_the_ledger_whole on ledger_entries;
drop function posting_sums_to_zero, entries_keep_the_ledger_whole;

-- One check for a posting, at commit. An entry that comes later finds no line left in it.
create function posting_is_whole() returns trigger language plpgsql as $$
declare
    kept record;
    overdrawn record;
begin
    -- Two that draw on what one transfer holds at once: the second waits here, and then sees what the first has left.
    select count(*) as lines, coalesce(sum(amount_fen), 0) as fen,
           coalesce(bool_or(transfer_id <> new.transfer_id or transfer_id is not null and new.transfer_id is null), false) as of_another,
           count(pg_advisory_xact_lock(hashtextextended(coalesce(unmatched, transfer_id::text), 0)))
               filter (where amount_fen < 0 and account not in ('PERSONAL_ACCOUNTS', 'CLEARING')) as draws
      into kept from ledger_entries where posting_id = new.posting_id;
    if kept.fen <> 0 or kept.lines = 0 then
        raise exception 'posting % does not sum to zero: % fen', new.posting_id, kept.fen using errcode = 'check_violation';
    elsif kept.lines <> new.lines then
        raise exception 'posting % has % of its % entries', new.posting_id, kept.lines, new.lines using errcode = 'check_violation';
    elsif kept.of_another then
        raise exception 'posting % has an entry of another transfer', new.posting_id using errcode = 'check_violation';
    end if;
    if kept.draws > 0 then
        select e.account, coalesce('unmatched ' || e.unmatched, 'transfer ' || e.transfer_id) as owner, held.fen
          into overdrawn from ledger_entries e cross join lateral (
            select case when e.unmatched is null then
                (select sum(amount_fen) from ledger_entries
                  where transfer_id = e.transfer_id and account = e.account and region = e.region and scheme = e.scheme)
            else
                (select sum(amount_fen) from ledger_entries
                  where unmatched = e.unmatched and account = e.account and region = e.region and scheme = e.scheme)
            end as fen) held
         where e.posting_id = new.posting_id and e.amount_fen < 0 and e.account not in ('PERSONAL_ACCOUNTS', 'CLEARING')
           and held.fen < 0 limit 1;
        if found then
            raise exception 'posting %: account % of % would be negative: % fen',
                new.posting_id, overdrawn.account, overdrawn.owner, overdrawn.fen using errcode = 'check_violation';
        end if;
    end if;
    if new.reverses is not null then
        if exists (select from ledger_postings where posting_id = new.reverses
                    and (reverses is not null or transfer_id is distinct from new.transfer_id))
           or exists (
            select account, region, scheme, transfer_id, unmatched, -amount_fen from ledger_entries where posting_id = new.reverses
            except all
            select account, region, scheme, transfer_id, unmatched, amount_fen from ledger_entries where posting_id = new.posting_id)
        then
            raise exception 'posting % does not reverse posting %', new.posting_id, new.reverses using errcode = 'check_violation';
        end if;
    end if;
    return null;
end $$;
create constraint trigger posting_is_whole after insert on ledger_postings
    deferrable initially deferred for each row execute function posting_is_whole();
