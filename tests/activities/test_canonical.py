"""What is hashed is spelled as it always was: by the rules of the standard library's `json`, whatever writes it."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.canonical import spelled

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@settings(max_examples=40)
@given(st.dictionaries(TEXTS, VALUES))
def test_every_document_is_spelled_as_the_standard_library_spells_it(document: dict[str, Any]) -> None:
    assert (
        spelled(document)
        == json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    )
