"""Every text field of commands and events is free text, which is sealed, or known to be something else."""

import pytest
from pydantic import BaseModel

from workflows import commands as c
from workflows import events as e
from workflows.free_text import (
    FREE_TEXT,
    NOT_KEPT,
    all_references,
    clear_texts,
    digest_of,
    free_texts,
    references_in,
    replace_texts,
    text_reference,
)
from workflows.vocabulary import CorrectionReason, MailItem

# References, numbers, months, digests, subjects of tokens, and what is sealed or masked already.
NO_FREE_TEXT = {
    "amount_fen", "bank_reference", "contribution_id", "corrects", "digest", "first_month", "from_region", "last_month",
    "made_by", "masked_account", "month", "no", "number", "prepared_by", "reference", "region", "remittance_reference",
    "sealed", "to_region", "type",
}  # fmt: skip
REFERENCE = text_reference(bytes(range(32)))
ASKS = c.Ask.__subclasses__()
FACTS = [fact for fact in (*e.Fact.__subclasses__(), *e.Documented.__subclasses__()) if fact is not e.Documented]


@pytest.mark.parametrize("model", [*ASKS, *FACTS], ids=lambda model: model.__name__)
def test_a_text_field_is_sealed_or_is_no_free_text(model: type[BaseModel]) -> None:
    texts = {name for name, field in model.model_fields.items() if field.annotation in (str, str | None)}
    assert texts <= {*FREE_TEXT, *NO_FREE_TEXT}


def test_a_reason_of_a_closed_list_and_a_blank_note_are_no_free_text() -> None:
    ask = c.RequestCorrection(reason=CorrectionReason.YEARS_DISPUTED, note="两年没有证明")
    assert free_texts(ask) == {"note": "两年没有证明"}
    assert free_texts(c.DeliverInformationForm(note=" ")) == {}
    assert free_texts(c.DeliverInformationForm()) == {}


def test_a_reference_takes_the_place_of_a_text_and_gives_it_back() -> None:
    mail = c.RecordMail(item=MailItem.CONTACT_LETTER, carrier="中国邮政", tracking_no="E1")
    sealed = replace_texts(mail, {"中国邮政": REFERENCE})
    assert (sealed.carrier, sealed.tracking_no) == (REFERENCE, "E1")
    assert (references_in(sealed), clear_texts(sealed)) == ((REFERENCE,), ("E1",))
    assert replace_texts(sealed, {REFERENCE: "中国邮政"}) == mail
    assert digest_of(REFERENCE) == bytes(range(32))
    assert digest_of(NOT_KEPT) == bytes(32)
    assert all_references([mail, sealed, sealed]) == [REFERENCE]


@pytest.mark.parametrize(
    "text", ["text:", "text:abc", f"{REFERENCE}0", REFERENCE.upper(), f" {REFERENCE}", f"{REFERENCE}\n"]
)
def test_what_is_like_a_reference_is_none(text: str) -> None:
    assert references_in(e.Withdrawn(reason=text)) == ()
