-- What people write in a step: sealed under the person's data key before the command is appended. Commands and events
-- carry `text:` and the digest alone, so that the chain of events stays whole when the key is shredded.

create table sealed_texts (
    -- Without a foreign key: its check would wait for the step that holds the transfer.
    transfer_id uuid not null,
    -- SHA-256 of `sealed`.
    digest bytea not null,
    sealed bytea not null,
    primary key (transfer_id, digest)
);

create trigger append_only before update or delete or truncate on sealed_texts for each statement execute function append_only();

grant select on sealed_texts to yibao_worker, yibao_gateway;
-- The worker seals what commands hold in clear that were recorded before this migration.
grant insert on sealed_texts to yibao_gateway, yibao_worker;
