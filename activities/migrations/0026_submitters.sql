-- Who submitted a transfer is in its state from now on: an employer withdraws only what it submitted itself.
-- Of transfers that are open already the first event says it; one of the person's own needs no note.

update transfers t
   set state = t.state || jsonb_build_object(
           'submitted_by', jsonb_build_object('subject', e.event #>> '{actor,subject}', 'kind', 'EMPLOYER'))
  from transfer_events e
 where e.transfer_id = t.transfer_id and e.seq = 1 and t.closed_at is null
   and e.event #> '{actor,roles}' = '["EMPLOYER"]'::jsonb;
