"""The documents of a transfer: canonical content, its digest, and the PDF a person accepts. Knows no database."""
