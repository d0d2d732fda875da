"""The connection to Temporal: its own environment configuration, pydantic messages, sealed payloads."""

from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression

from activities.codec import EncryptionCodec
from activities.keyring import Keyring

_CONVERTER = PydanticPayloadConverter()


class _OneConverter(PydanticPayloadConverter):
    """The SDK makes a converter for every turn of a workflow, twice, and each forgets the types that it has prepared.

    They keep nothing else: one serves all.
    """

    def __new__(cls) -> PydanticPayloadConverter:  # type: ignore[misc]
        return _CONVERTER


def data_converter(keyring: Keyring) -> DataConverter:
    """Pydantic models as JSON, sealed; the messages and stack traces of failures too, for a database quotes what it refuses."""
    return DataConverter(
        payload_converter_class=_OneConverter,
        payload_codec=EncryptionCodec(keyring),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(keyring: Keyring, *, lazy: bool = False, **overrides: Any) -> Client:
    """A client configured by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the rest of Temporal's own environment variables.

    `lazy` connects at the first call. Raises `RuntimeError` when Temporal cannot be reached and `lazy` is false.
    """
    # What travels is sealed, and sealed bytes do not get smaller.
    options: dict[str, Any] = {"target_host": "127.0.0.1:7233", "grpc_compression": GrpcCompression.NONE}
    options |= dict(ClientConfig.load_client_connect_config())
    return await Client.connect(**(options | overrides), data_converter=data_converter(keyring), lazy=lazy)
