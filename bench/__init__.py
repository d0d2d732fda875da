"""`make bench`: what a transfer costs, against the same shape in bare Temporal and against answers made by hand."""
