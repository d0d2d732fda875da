"""Messages of graphql-core about a document or its variables, without the values that they quote.

A quoted value may be somebody's number or name, and a whole input when one of its fields is unknown. An answer says which
place is wrong and what is expected there; the caller has the value.
"""

import re
from typing import Final

MAX_MESSAGE_LENGTH: Final = 500
_HIDDEN: Final = "…"

# What each removes: the value that was found, that a scalar cannot represent, that is in no enum, a literal of a syntax error,
# and the name of an unknown field, which comes from the caller: JSON allows any text there, GraphQL only a name.
_PATTERNS: Final = (
    (re.compile(r", found: .*", re.DOTALL), "."),
    (re.compile(r"( cannot represent [^:]*): .*", re.DOTALL), r"\1"),
    (re.compile(r"\bValue .* does not exist in ", re.DOTALL), "The value does not exist in "),
    (re.compile(r"\b(BlockString|String|Int|Float) (['\"]).*\2", re.DOTALL), r"\1"),
    (re.compile(r"unknown field '(?![_A-Za-z][_0-9A-Za-z]{0,60}').*'", re.DOTALL), f"unknown field '{_HIDDEN}'"),
    (re.compile(r"\d{11,}[Xx]?"), _HIDDEN),
)


def without_values(message: str) -> str:
    """The message without any value that the caller sent, 500 characters at most."""
    for pattern, replacement in _PATTERNS:
        message = pattern.sub(replacement, message)
    return message[:MAX_MESSAGE_LENGTH]
