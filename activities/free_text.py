"""Free text, sealed: under the person's data key where it belongs to a case, else under the keyring."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from activities.database import Connection
from activities.keyring import DataKey, Keyring, KeyringError
from workflows.free_text import NOT_KEPT, Model, digest_of, replace_texts, text_reference

# Text about money of which nobody knows yet whose it is: no person's key can seal it.
_WITHOUT_PERSON: Final = "free text"
_SEALED_FORM: Final = re.compile("sealed:([A-Za-z0-9_-]+):([0-9a-f]+)(?= |$)")

# Of the texts ($1, $2) that are kept: their position, the ciphertext and the key of its person.
STORED_SQL = """
select wanted.position, s.sealed, p.wrapped_key
  from unnest($1::uuid[], $2::bytea[]) with ordinality as wanted (transfer_id, digest, position)
  join sealed_texts s using (transfer_id, digest) join transfers t using (transfer_id) join persons p using (person_id)
"""


class SealedText(NamedTuple):
    """A text of a case, sealed: a row of `sealed_texts`."""

    digest: bytes
    sealed: bytes

    @property
    def reference(self) -> str:
        return text_reference(self.digest)


class TextKey(NamedTuple):
    """Which text of which case."""

    transfer_id: UUID
    reference: str


class StoredText(NamedTuple):
    sealed: bytes
    wrapped_key: bytes


def seal_text(data_key: DataKey, transfer_id: UUID, text: str) -> SealedText:
    """Seal a text of a case under the data key of its person."""
    sealed = data_key.seal(text.encode(), _context(transfer_id))
    return SealedText(hashlib.sha256(sealed).digest(), sealed)


def seal_texts_of(
    data_key: DataKey | None, transfer_id: UUID, model: Model, texts: Iterable[str]
) -> tuple[Model, tuple[SealedText, ...]]:
    """The command with references in place of these texts of it, and the texts, sealed.

    Without a key they are not kept: the person's has been shredded, and nothing could shred them again.
    """
    if data_key is None:
        return replace_texts(model, dict.fromkeys(texts, NOT_KEPT)), ()
    sealed = {text: seal_text(data_key, transfer_id, text) for text in texts}
    references = {text: each.reference for text, each in sealed.items()}
    return replace_texts(model, references), tuple(sealed.values())


async def keep_texts(connection: Connection, transfer_id: UUID, texts: Sequence[SealedText]) -> None:
    """Keep what a command of the log held in clear. The gateway keeps with each command what that refers to."""
    await connection.executemany(
        "insert into sealed_texts (transfer_id, digest, sealed) values ($1, $2, $3)",
        [(transfer_id, text.digest, text.sealed) for text in texts],
    )


def open_text(keyring: Keyring, key: TextKey, stored: StoredText | None) -> str | None:
    """The text in clear; None when it was not kept or its person's key has been shredded."""
    if stored is None:
        return None
    try:
        return keyring.unwrap(stored.wrapped_key).open(stored.sealed, _context(key.transfer_id)).decode()
    except KeyringError:
        return None


async def stored_texts(connection: Connection | asyncpg.Pool, keys: Sequence[TextKey]) -> list[StoredText | None]:
    """What is kept of each of `keys`, in their order; None for what is not."""
    rows = await connection.fetch(
        STORED_SQL, [key.transfer_id for key in keys], [digest_of(key.reference) for key in keys]
    )
    found = {row["position"]: StoredText(row["sealed"], row["wrapped_key"]) for row in rows}
    return [found.get(position) for position in range(1, len(keys) + 1)]


async def read_texts(
    connection: Connection | asyncpg.Pool, keyring: Keyring, transfer_id: UUID, references: Sequence[str]
) -> dict[str, str | None]:
    """The texts of one case in clear, by reference; None for what was not kept or has been shredded."""
    keys = [TextKey(transfer_id, reference) for reference in references]
    stored = await stored_texts(connection, keys) if keys else []
    return {key.reference: open_text(keyring, key, text) for key, text in zip(keys, stored, strict=True)}


def seal_without_person(keyring: Keyring, text: str) -> str:
    """`sealed:VERSION:HEX` of a text that belongs to no known person, under the keyring."""
    version, sealed = keyring.seal(_WITHOUT_PERSON, text.encode())
    return f"sealed:{version}:{sealed.hex()}"


def open_without_person(keyring: Keyring, sealed: str) -> str:
    """The inverse of `seal_without_person`, with what was added behind it, as a bank's code; raises `KeyringError`.

    A text from before texts were sealed comes back as it is.
    """
    found = _SEALED_FORM.match(sealed)
    if found is None:
        return sealed
    return keyring.open(_WITHOUT_PERSON, found[1], bytes.fromhex(found[2])).decode() + sealed[found.end() :]


def _context(transfer_id: UUID) -> bytes:
    return b"text of transfer " + transfer_id.bytes
