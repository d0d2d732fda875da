"""The keys under which personal data is stored, looked up, carried through Temporal and signed.

A keyring holds master keys by version; one is current, the others still open what they sealed. Every use has a sub-key
of its own (HKDF-SHA256 by purpose). Each person has a data key, random and wrapped by the keyring: what is known of the
person is sealed under it, and deleting the wrapped key shreds all of it.
"""

import base64
import binascii
import hmac
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ENVIRONMENT_VARIABLE = "YIBAO_KEYRING"

_KEY_BYTES = 32
_NONCE_BYTES = 12
# First byte of everything sealed: the form of what follows.
_FORM = b"\x01"
_VERSION = re.compile("[A-Za-z0-9_-]{1,32}")


class KeyringError(Exception):
    """A keyring, or something made with one, cannot be used; the message never holds a key or a clear text."""


class InvalidKeyringError(KeyringError):
    """The keyring itself is missing or malformed."""


class UnknownKeyError(KeyringError):
    """Sealed under a version that this keyring does not hold."""


class BrokenSealError(KeyringError):
    """Tampered with, cut short, or sealed for another context, purpose or key."""


class DataKey:
    """The key of one person's data. `context` binds a sealed value to the place it is kept in."""

    def __init__(self, key: bytes) -> None:
        # Half seals, half hashes: no key serves two algorithms.
        self._cipher = AESGCM(key[:_KEY_BYTES])
        self._digest_key = key[_KEY_BYTES:]

    def seal(self, data: bytes, context: bytes = b"") -> bytes:
        """AES-256-GCM under a random nonce: 29 bytes longer than `data`."""
        return _seal(self._cipher, data, context)

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """The inverse of `seal` with the same context. Raises `BrokenSealError`."""
        return _open(self._cipher, sealed, context)

    def name_key(self, comparable_name: str) -> bytes:
        """Keyed hash of a comparable name, 32 bytes: equal for one person's registers whatever the keyring's version.

        It hangs on the person's own key, so common names do not stand out among many persons, and it is shredded too.
        """
        return hmac.digest(self._digest_key, comparable_name.encode(), "sha256")

    def text_key(self, text: str) -> bytes:
        """Keyed hash of a free text about the person, 32 bytes: equal for equal texts, and shredded with the key."""
        # A name has no NUL, so that no text shares its hash with a name.
        return hmac.digest(self._digest_key, b"\0text\0" + text.encode(), "sha256")


class Keyring:
    """Master keys by version. Threads and tasks may share one."""

    def __init__(self, current: str, keys: Mapping[str, bytes]) -> None:
        if current not in keys:
            raise InvalidKeyringError(f"the current key {current!r} is not among the keys")
        for version, key in keys.items():
            if not _VERSION.fullmatch(version):
                raise InvalidKeyringError(f"{version[:40]!r} is not a version: up to 32 letters, digits, '-' and '_'")
            if len(key) != _KEY_BYTES:
                raise InvalidKeyringError(f"key {version} has {len(key)} bytes instead of {_KEY_BYTES}")
        self.current = current
        self._keys = dict(keys)
        self._sub_keys: dict[tuple[str, str], bytes] = {}
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    @classmethod
    def from_text(cls, text: str) -> "Keyring":
        """Read `{"current": "2026-1", "keys": {"2026-1": "<base64 of 32 bytes>"}}`. Raises `InvalidKeyringError`."""
        try:
            document = json.loads(text)
            current, encoded = str(document["current"]), dict(document["keys"])
            keys = {str(version): base64.b64decode(key, validate=True) for version, key in encoded.items()}
        except (ValueError, TypeError, KeyError, binascii.Error):
            # The cause is not chained: it would quote the text, and the text holds keys.
            raise InvalidKeyringError(
                'a keyring is JSON of the form {"current": VERSION, "keys": {VERSION: BASE64 OF 32 BYTES}}'
            ) from None
        return cls(current, keys)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Keyring":
        """Read the keyring that `YIBAO_KEYRING` holds or whose file it names. Raises `InvalidKeyringError`."""
        value = environment.get(ENVIRONMENT_VARIABLE, "").strip()
        if not value:
            raise InvalidKeyringError(
                f"{ENVIRONMENT_VARIABLE} is not set: it names the keyring's file, or holds its JSON"
            )
        if value.startswith("{"):
            return cls.from_text(value)
        try:
            text = Path(value).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidKeyringError(f"{ENVIRONMENT_VARIABLE}: cannot read {value}: {error}") from error
        return cls.from_text(text)

    @staticmethod
    def generate_text(version: str = "1") -> str:
        """A new keyring of one random key, in the form that `from_text` reads."""
        return json.dumps({"current": version, "keys": {version: base64.b64encode(os.urandom(_KEY_BYTES)).decode()}})

    def person_key(self, resident_id: str) -> tuple[bytes, str]:
        """Keyed hash of a resident identity number under the current key, 32 bytes, and that key's version."""
        return self._person_key(self.current, resident_id), self.current

    def person_keys(self, resident_id: str) -> list[bytes]:
        """The number's keyed hash under every version, the current one first: to look a person up by."""
        return [self._person_key(version, resident_id) for version in self._versions()]

    def text_keys(self, text: str) -> list[bytes]:
        """Keyed hash of a free text under every version, the current one first, 32 bytes each."""
        return [hmac.digest(self._sub_key(each, "text"), text.encode(), "sha256") for each in self._versions()]

    def new_data_key(self) -> tuple[bytes, DataKey]:
        """A random data key, and the same wrapped for storage."""
        key = os.urandom(2 * _KEY_BYTES)
        label = self.current.encode()
        wrapped = _seal(self._cipher(self.current, "data key"), key, label)
        return bytes([len(label)]) + label + wrapped, DataKey(key)

    def unwrap(self, wrapped: bytes) -> DataKey:
        """The data key that `new_data_key` wrapped. Raises `UnknownKeyError`, `BrokenSealError`."""
        length = wrapped[0] if wrapped else 0
        label, sealed = wrapped[1 : 1 + length], wrapped[1 + length :]
        return DataKey(_open(self._cipher(label.decode("ascii", "replace"), "data key"), sealed, label))

    def seal(self, purpose: str, data: bytes) -> tuple[str, bytes]:
        """Seal under the purpose's sub-key of the current version; returns that version and the sealed bytes.

        Nonces are random: change the current key before a purpose has sealed 2^32 times (NIST SP 800-38D, 8.3).
        """
        return self.current, _seal(self._cipher(self.current, purpose), data, b"")

    def open(self, purpose: str, key_id: str, sealed: bytes) -> bytes:
        """The inverse of `seal`. Raises `UnknownKeyError`, `BrokenSealError`."""
        return _open(self._cipher(key_id, purpose), sealed, b"")

    def sign(self, purpose: str, message: bytes) -> str:
        """An HMAC-SHA256 of the message, safe in a URL: `VERSION.BASE64URL`. The same message signs the same."""
        return self._signature(self.current, purpose, message)

    def verify(self, purpose: str, message: bytes, signature: str) -> bool:
        """Whether `sign` made this signature for this purpose and message, under any version held. Never raises."""
        version, _, _ = signature.partition(".")
        if version not in self._keys:
            return False
        expected = self._signature(version, purpose, message)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))

    def _versions(self) -> tuple[str, ...]:
        return self.current, *(version for version in self._keys if version != self.current)

    def _person_key(self, version: str, resident_id: str) -> bytes:
        return hmac.digest(self._sub_key(version, "person"), resident_id.encode(), "sha256")

    def _signature(self, version: str, purpose: str, message: bytes) -> str:
        digest = hmac.digest(self._sub_key(version, f"sign {purpose}"), message, "sha256")
        return f"{version}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def _cipher(self, version: str, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((version, purpose))
        if cipher is None:
            cipher = self._ciphers[version, purpose] = AESGCM(self._sub_key(version, f"seal {purpose}"))
        return cipher

    def _sub_key(self, version: str, purpose: str) -> bytes:
        sub_key = self._sub_keys.get((version, purpose))
        if sub_key is None:
            if version not in self._keys:
                raise UnknownKeyError(f"the keyring holds no key {version[:40]!r}")
            derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"yibao {purpose}".encode())
            sub_key = self._sub_keys[version, purpose] = derived.derive(self._keys[version])
        return sub_key


def _seal(cipher: AESGCM, data: bytes, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORM + nonce + cipher.encrypt(nonce, data, context)


def _open(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _FORM or len(nonce) != _NONCE_BYTES:
        raise BrokenSealError("not sealed by this keyring's form")
    try:
        return cipher.decrypt(nonce, ciphertext, context)
    except InvalidTag:
        raise BrokenSealError("the seal is broken") from None
