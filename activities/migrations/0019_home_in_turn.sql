-- Payments home are asked after in turn: those of which the bank never says what became of them keep no other from it.

alter table bank_entries add column asked_at timestamptz;
