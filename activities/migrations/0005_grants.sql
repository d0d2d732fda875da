-- The owner migrates; the worker carries out; the gateway reads, and appends commands.

grant select on all tables in schema public to yibao_worker, yibao_gateway;
grant usage on sequence transfer_serial, refusal_serial to yibao_gateway;
grant usage on sequence certificate_serial to yibao_worker;

grant insert on commands to yibao_gateway;
grant insert on document_files to yibao_gateway;

grant update (outcome, carried_out_at, released) on commands to yibao_worker;
grant insert, update on enrolments, transfers, documents, remittances to yibao_worker;
grant insert on transfer_events, ledger_postings, ledger_entries to yibao_worker;
-- An extract may be loaded as the worker's role.
grant insert on persons to yibao_worker;
grant insert, update, delete on work_items to yibao_worker;
