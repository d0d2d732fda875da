"""Reconciliation, three ways: our ledger, the bank's statements and both registers, line by line of every order.

Pure first: `lines` (what is compared), `readings` (what the lines of an order say), `rules` (the table of causes) and
`compare` (one pass). Then `sources` (the lines in PostgreSQL), `keeping` (what was found, and how it was cleared) and
`daily` (the run of every night).
"""
