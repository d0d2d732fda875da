"""The ledger: double entry in whole fen, kept by the database itself. Read it in this order.

`accounts.py` names the accounts and says which may be overdrawn. `posting.py` is the one way to write: `post`, and `reverse` for
what was wrong. What the database refuses at commit is in `migrations/0009_ledger.sql`: a posting that does not sum to
zero, an account below zero that may not be, an entry added to an old posting, any change of what was written.
"""
