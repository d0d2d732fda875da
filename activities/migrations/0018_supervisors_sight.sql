-- A way home that a supervisor has yet to approve is on the bureau's worklist: found without looking through all orders.

create index remittances_unapproved on remittances (transfer_id) where kind = 'REVERSE' and status = 'AWAITING_RELEASE';
