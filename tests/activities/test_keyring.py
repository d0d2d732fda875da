"""The keyring: what it seals only it opens, also after a rotation, and never in another place."""

import json
from pathlib import Path

import pytest

from activities.keyring import BrokenSealError, InvalidKeyringError, Keyring, UnknownKeyError

NUMBER = "110101199003071233"  # synthetic


@pytest.fixture
def old() -> Keyring:
    return Keyring.from_text(Keyring.generate_text("2026-1"))


@pytest.fixture
def rotated(old: Keyring) -> Keyring:
    """The keyring after a rotation: a new current key, and the old one kept."""
    new = json.loads(Keyring.generate_text("2027-1"))
    return Keyring("2027-1", {**old._keys, "2027-1": Keyring.from_text(json.dumps(new))._keys["2027-1"]})


def test_a_generated_keyring_is_read_from_text_and_from_the_environment(tmp_path: Path) -> None:
    text = Keyring.generate_text()
    file = tmp_path / "keyring.json"
    file.write_text(text, "utf-8")
    keys = [
        Keyring.from_text(text),
        Keyring.from_environment({"YIBAO_KEYRING": text}),
        Keyring.from_environment({"YIBAO_KEYRING": str(file)}),
    ]
    assert len({keyring.person_key(NUMBER) for keyring in keys}) == 1
    assert keys[0].current == "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a keyring is JSON of the form"),
        ("[]", "a keyring is JSON of the form"),
        ('{"current": "1"}', "a keyring is JSON of the form"),
        ('{"current": "1", "keys": {"1": "not base64!"}}', "a keyring is JSON of the form"),
        ('{"current": "1", "keys": {"1": 5}}', "a keyring is JSON of the form"),
        ('{"current": "1", "keys": {"1": "c2hvcnQ="}}', "key 1 has 5 bytes instead of 32"),
        ('{"current": "2", "keys": {"1": "c2hvcnQ="}}', "the current key '2' is not among the keys"),
        ('{"current": "a b", "keys": {"a b": "c2hvcnQ="}}', "'a b' is not a version"),
    ],
)
def test_a_malformed_keyring_is_refused_without_showing_it(text: str, message: str) -> None:
    with pytest.raises(InvalidKeyringError) as error:
        Keyring.from_text(text)
    assert str(error.value).startswith(message)
    assert "c2hvcnQ" not in str(error.value)


@pytest.mark.parametrize("environment", [{}, {"YIBAO_KEYRING": " "}, {"YIBAO_KEYRING": "/nowhere/keyring.json"}])
def test_a_missing_keyring_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidKeyringError, match="YIBAO_KEYRING"):
        Keyring.from_environment(environment)


def test_a_person_is_found_under_every_version_the_current_one_first(old: Keyring, rotated: Keyring) -> None:
    before, version = old.person_key(NUMBER)
    after, new_version = rotated.person_key(NUMBER)
    assert (version, new_version) == ("2026-1", "2027-1")
    assert len(after) == 32
    assert before != after
    assert rotated.person_keys(NUMBER) == [after, before]
    assert old.person_key("110101199003071241")[0] != before


def test_a_data_key_survives_the_rotation_and_compares_names_across_it(old: Keyring, rotated: Keyring) -> None:
    wrapped, made = old.new_data_key()
    sealed = made.seal("王思琪".encode(), b"name")
    unwrapped = rotated.unwrap(wrapped)
    assert unwrapped.open(sealed, b"name") == "王思琪".encode()
    assert unwrapped.name_key("王思琪") == made.name_key("王思琪")
    assert unwrapped.name_key("王思琦") != made.name_key("王思琪")


def test_two_persons_of_one_name_have_different_name_keys(old: Keyring) -> None:
    assert old.new_data_key()[1].name_key("王思琪") != old.new_data_key()[1].name_key("王思琪")


def test_sealing_twice_gives_two_texts(old: Keyring) -> None:
    _, key = old.new_data_key()
    assert key.seal(b"x") != key.seal(b"x")
    assert len(key.seal(b"x")) == 30


def test_every_changed_byte_breaks_the_seal(old: Keyring) -> None:
    wrapped, key = old.new_data_key()
    sealed = key.seal(b"secret", b"here")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(BrokenSealError):
            key.open(changed, b"here")
    for place in range(len(wrapped)):
        changed = wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]
        with pytest.raises((BrokenSealError, UnknownKeyError)):
            old.unwrap(changed)


def test_a_seal_opens_only_in_its_place_and_whole(old: Keyring) -> None:
    _, key = old.new_data_key()
    sealed = key.seal(b"secret", b"here")
    for wrong, context in [(sealed, b"there"), (sealed[:-1], b"here"), (sealed[:5], b"here"), (b"", b"here")]:
        with pytest.raises(BrokenSealError):
            key.open(wrong, context)
    with pytest.raises(BrokenSealError):
        old.new_data_key()[1].open(sealed, b"here")


def test_a_payload_opens_under_its_version_and_purpose(old: Keyring, rotated: Keyring) -> None:
    key_id, sealed = old.seal("payload", b"data")
    assert key_id == "2026-1"
    assert rotated.open("payload", key_id, sealed) == b"data"
    with pytest.raises(BrokenSealError):
        old.open("other", key_id, sealed)
    new_id, new_sealed = rotated.seal("payload", b"data")
    assert new_id == "2027-1"
    with pytest.raises(UnknownKeyError):
        old.open("payload", new_id, new_sealed)
    with pytest.raises(UnknownKeyError):
        old.unwrap(rotated.new_data_key()[0])


def test_a_signature_holds_for_its_message_and_purpose_also_after_a_rotation(old: Keyring, rotated: Keyring) -> None:
    signature = old.sign("link", b"/documents/1")
    assert signature == old.sign("link", b"/documents/1")
    assert signature.startswith("2026-1.")
    assert old.verify("link", b"/documents/1", signature)
    assert rotated.verify("link", b"/documents/1", signature)
    assert not old.verify("link", b"/documents/2", signature)
    assert not old.verify("other", b"/documents/1", signature)
    assert not old.verify("link", b"/documents/1", rotated.sign("link", b"/documents/1"))
    for wrong in ["", "2026-1", "2026-1.", signature + "A", "9." + signature, "2026-1.王", "\ud800." + signature]:
        assert not old.verify("link", b"/documents/1", wrong)


def test_a_keyring_does_not_show_its_keys(old: Keyring) -> None:
    key = old._keys["2026-1"]
    assert repr(key) not in repr(old) + str(old)
