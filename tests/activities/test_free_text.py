"""Free text, sealed: bound to its case, found by the digest of its ciphertext, unreadable without the key."""

import hashlib
import os
from uuid import uuid4

import pytest

from activities.free_text import (
    StoredText,
    TextKey,
    open_text,
    open_without_person,
    read_texts,
    seal_text,
    seal_texts_of,
    seal_without_person,
)
from activities.keyring import BrokenSealError, Keyring, UnknownKeyError
from tests.activities.desk import TUESDAY, open_desk
from tests.cases import PERSON
from tests.conftest import Database
from workflows import commands as c
from workflows.free_text import NOT_KEPT, references_in, text_reference

KEYRING = Keyring("2", {"1": os.urandom(32), "2": os.urandom(32)})


def test_a_text_opens_in_its_own_case_and_with_its_own_key_alone() -> None:
    wrapped, data_key = KEYRING.new_data_key()
    other, _ = KEYRING.new_data_key()
    case = uuid4()
    text = seal_text(data_key, case, "邮路中断")
    assert text.digest == hashlib.sha256(text.sealed).digest()
    assert open_text(KEYRING, TextKey(case, text.reference), StoredText(text.sealed, wrapped)) == "邮路中断"
    for key, stored in (
        (TextKey(uuid4(), text.reference), StoredText(text.sealed, wrapped)),
        (TextKey(case, text.reference), StoredText(text.sealed, other)),
        (TextKey(case, text.reference), StoredText(text.sealed, b"")),
        (TextKey(case, text.reference), None),
    ):
        assert open_text(KEYRING, key, stored) is None
    # Equal texts have unequal references: what was written twice does not show.
    assert seal_text(data_key, case, "邮路中断").reference != text.reference


def test_without_a_key_no_text_is_kept() -> None:
    ask, texts = seal_texts_of(None, uuid4(), c.WithdrawTransfer(reason="改期"), ["改期"])
    assert (ask.reason, texts) == (NOT_KEPT, ())


def test_a_reason_without_a_person_is_sealed_under_the_keyring() -> None:
    sealed = seal_without_person(KEYRING, "付款行重复入账")
    assert sealed.startswith("sealed:2:")
    assert open_without_person(KEYRING, sealed) == "付款行重复入账"
    assert open_without_person(KEYRING, f"{sealed} (AC04)") == "付款行重复入账 (AC04)"
    assert open_without_person(KEYRING, "付款行重复入账 (AC04)") == "付款行重复入账 (AC04)"
    with pytest.raises(UnknownKeyError):
        open_without_person(Keyring("1", {"1": os.urandom(32)}), sealed)
    with pytest.raises(BrokenSealError):
        open_without_person(Keyring("2", {"2": os.urandom(32)}), sealed)


async def test_the_worker_seals_what_a_command_from_before_holds_in_clear(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await desk.take(c.WithdrawTransfer(reason="不转了"), PERSON, TUESDAY)
        (withdrawn,) = (await desk.cases.events(desk.transfer.transfer_id))[-1:]
        (reference,) = references_in(withdrawn.fact)
        transfer_id, keyring = desk.transfer.transfer_id, desk.cases.keyring
        unknown = text_reference(bytes(32))
        texts = await read_texts(desk.db, keyring, transfer_id, [reference, unknown])
        assert texts == {reference: "不转了", unknown: None}
        assert await read_texts(desk.db, keyring, uuid4(), [reference]) == {reference: None}
        await desk.verify()
