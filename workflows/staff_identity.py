"""One form of a person's name, so that two spellings of it are never two people.

Names are what an issuer calls the bearer of a token, and what an agency calls its staff. Two names that come out equal here
count as one person. Equality that goes too far only refuses a step; equality that misses a spelling lets one person act twice.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

# Letters that show nothing: Unicode's Default_Ignorable_Code_Point that are in no category of marks or formats, and the blank.
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Folding, decomposing and dropping can each make work for the other; all of Unicode settles in two rounds.
_ROUNDS: Final = 4


def canonical_identity(name: str) -> str:
    """`name` in Unicode NFKC, case-folded, without marks, formats and controls, trimmed, its white space collapsed.

    Idempotent. Empty for a name of which nothing is left. Source: Unicode UAX #15 and section 3.13 of the standard.
    """
    for _ in range(_ROUNDS):
        folded = _folded(name)
        if folded == name:
            break
        name = folded
    return name


def canonical_identities(names: Iterable[str | None]) -> frozenset[str]:
    """The canonical form of each of `names`; None is left out."""
    return frozenset(canonical_identity(name) for name in names if name is not None)


def _folded(name: str) -> str:
    # Of the capital, so that the dotless i is an i.
    capital = unicodedata.normalize("NFKD", name).upper()
    plain = unicodedata.normalize("NFKD", capital.casefold())
    kept = (" " if each.isspace() else each for each in plain if each.isspace() or _shows(each))
    return " ".join(unicodedata.normalize("NFKC", "".join(kept)).split())


def _shows(character: str) -> bool:
    """Whether a character tells one name from another: no control, format, surrogate or unassigned one, and no mark."""
    return unicodedata.category(character)[0] not in "CM" and character not in _BLANK_LETTERS
