-- A person's consent at a window is a command that is done as it is recorded; so is its revocation. Both are looked up by these.

create index commands_consents on commands (person_key, received_at desc) where kind = 'RECORD_CONSENT';
create index commands_consents_revoked on commands ((input ->> 'consent_id')) where kind = 'REVOKE_CONSENT';
