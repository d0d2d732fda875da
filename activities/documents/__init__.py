"""The documents of a transfer: canonical content, its digest, where it is kept, and the PDF that a person accepts."""
