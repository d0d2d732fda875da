"""Validated documents by their text, bounded by what they weigh, of which no caller can take more than its share.

A document belongs to the caller who sent it first until another caller sends it too: then it is common, and the documents of
one caller alone make room before it does.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

# A syntax tree takes some fifty times its text, and what is compiled from it as much again: 60 MB at the most.
MAX_WEIGHT: Final = 600_000
MAX_WEIGHT_OF_CALLER: Final = 100_000
# What a field adds to its text: an alias or an argument makes a text longer, a comment makes no tree.
WEIGHT_OF_FIELD: Final = 40

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    document: T
    weight: int
    # None once it is common.
    caller: str | None


class DocumentCache(Generic[T]):
    """Least recently used documents go first: those of a caller over its share, then those of single callers, then common ones."""

    def __init__(self, max_weight: int = MAX_WEIGHT, max_weight_of_caller: int = MAX_WEIGHT_OF_CALLER) -> None:
        self._max_weight = max_weight
        self._max_weight_of_caller = max_weight_of_caller
        self._entries: dict[str, _Entry[T]] = {}
        self._common: OrderedDict[str, None] = OrderedDict()
        self._single: OrderedDict[str, None] = OrderedDict()
        self._by_caller: dict[str, OrderedDict[str, int]] = {}
        self.weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, text: str, caller: str) -> T | None:
        """The document of that text, or None; it is common from now on if `caller` is not the one who sent it."""
        entry = self._entries.get(text)
        if entry is None:
            return None
        if entry.caller is None:
            self._common.move_to_end(text)
        elif entry.caller == caller:
            self._single.move_to_end(text)
            self._by_caller[caller].move_to_end(text)
        else:
            self._disown(text, entry.caller)
            entry.caller = None
            self._common[text] = None
        return entry.document

    def put(self, text: str, document: T, caller: str, fields: int) -> None:
        """Keep a document that is not there yet, sent by `caller` and written with so many `fields`."""
        weight = len(text) + WEIGHT_OF_FIELD * fields
        self._entries[text] = _Entry(document, weight, caller)
        self._single[text] = None
        own = self._by_caller.setdefault(caller, OrderedDict())
        own[text] = weight
        self.weight += weight
        while len(own) > 1 and sum(own.values()) > self._max_weight_of_caller:
            self._drop(next(iter(own)))
        while self.weight > self._max_weight:
            self._drop(next(iter(self._single or self._common)))

    def _drop(self, text: str) -> None:
        entry = self._entries.pop(text)
        self.weight -= entry.weight
        if entry.caller is None:
            del self._common[text]
        else:
            self._disown(text, entry.caller)

    def _disown(self, text: str, caller: str) -> None:
        del self._single[text]
        own = self._by_caller[caller]
        del own[text]
        if not own:
            del self._by_caller[caller]
