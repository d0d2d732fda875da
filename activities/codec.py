"""Payloads in Temporal are sealed: its histories hold no clear text. The second wall; ids and figures are the first."""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from activities.keyring import Keyring

ENCODING = b"binary/encrypted"
PURPOSE = "temporal payload"


class EncryptionCodec(PayloadCodec):
    """AES-256-GCM under the keyring's current key; every payload names the key that opens it."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal every payload."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open those that are sealed. Raises `KeyringError` for a key that the keyring lacks, or a broken seal."""
        return [
            self._open(payload) if payload.metadata.get("encoding") == ENCODING else payload for payload in payloads
        ]

    def _seal(self, payload: Payload) -> Payload:
        key_id, sealed = self._keyring.seal(PURPOSE, payload.SerializeToString())
        return Payload(metadata={"encoding": ENCODING, "key-id": key_id.encode()}, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        key_id = payload.metadata["key-id"].decode()
        return Payload.FromString(self._keyring.open(PURPOSE, key_id, payload.data))
