-- Money that finance has confirmed as an order's carries the order's reference, as every other line of it does.
update bank_entries e set reference = r.reference from remittances r
 where e.state = 'CONFIRMED' and r.bank_reference = e.entry_reference and r.status = 'CREDITED';
