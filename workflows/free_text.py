"""Free text of a step: which fields carry it, and the reference that stands in its place in commands and events.

The text is sealed under the person's data key and kept beside the case. Its reference is `text:` and the SHA-256 of the
ciphertext in hex, so that the chain of events holds no personal data and stays whole when the key is shredded.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel

FREE_TEXT: Final = ("note", "reason", "carrier", "tracking_no")

_PREFIX: Final = "text:"
_REFERENCE: Final = re.compile(f"{_PREFIX}[0-9a-f]{{64}}")

# The reference of a text that was never kept, because the person's key had been shredded before it was written.
NOT_KEPT: Final = f"{_PREFIX}{'0' * 64}"

Model = TypeVar("Model", bound=BaseModel)


def text_reference(digest: bytes) -> str:
    """The reference of the text whose ciphertext has this SHA-256."""
    return f"{_PREFIX}{digest.hex()}"


def digest_of(reference: str) -> bytes:
    """The inverse of `text_reference`. Raises ValueError."""
    return bytes.fromhex(reference.removeprefix(_PREFIX))


def free_texts(model: BaseModel) -> dict[str, str]:
    """The free text of a command or an event by field, in clear or as references. A blank one is none, nor is a reason of a closed list."""
    given = vars(model)
    return {name: given[name] for name in FREE_TEXT if type(given.get(name)) is str and given[name].strip()}


def references_in(model: BaseModel) -> tuple[str, ...]:
    """The references among the free text of a command or an event. Those recorded before texts were sealed have none."""
    return tuple(text for text in free_texts(model).values() if _REFERENCE.fullmatch(text))


def clear_texts(model: BaseModel) -> tuple[str, ...]:
    """The free text that stands in clear in a command or an event."""
    return tuple(text for text in free_texts(model).values() if not _REFERENCE.fullmatch(text))


def replace_texts(model: Model, by: Mapping[str, str]) -> Model:
    """The same with every free text that is a key of `by` replaced by its value."""
    changed = {name: by[text] for name, text in free_texts(model).items() if text in by}
    return model.model_copy(update=changed) if changed else model


def all_references(models: Iterable[BaseModel]) -> list[str]:
    """The references of several, each once, in order."""
    return list(dict.fromkeys(reference for model in models for reference in references_in(model)))
