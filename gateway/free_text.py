"""Free text at the gateway: sealed before a command is recorded, and opened for those who may read the event."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from activities.free_text import SealedText, TextKey, open_text, seal_texts_of
from activities.keyring import DataKey, KeyringError
from gateway import reads
from gateway.context import RequestContext
from workflows.commands import AnyAsk
from workflows.events import TransferEvent
from workflows.free_text import all_references, free_texts, replace_texts
from workflows.state import TransferState
from workflows.words import say


class SealedAsk(NamedTuple):
    """What is asked, with references in place of its texts; the texts, sealed; and the key that sealed them, if any."""

    ask: AnyAsk
    texts: tuple[SealedText, ...] = ()
    data_key: DataKey | None = None


async def seal_texts(context: RequestContext, state: TransferState, ask: AnyAsk) -> SealedAsk:
    """Seal the free text of `ask` under the data key of the transfer's person.

    A text about a person whose key has been shredded is not kept: nothing could shred it again.
    """
    texts = free_texts(ask)
    if not texts:
        return SealedAsk(ask)
    wrapped_key = await reads.wrapped_key_of(context.pool, state.person_id)
    try:
        data_key = context.keyring.unwrap(wrapped_key)
    except KeyringError:
        data_key = None
    sealed_ask, sealed = seal_texts_of(data_key, state.transfer_id, ask, texts.values())
    return SealedAsk(sealed_ask, sealed, data_key)


async def open_texts(
    context: RequestContext, transfer_id: UUID, events: Sequence[TransferEvent]
) -> list[TransferEvent]:
    """The events of a transfer with their texts in clear; what has been shredded is shown as removed."""
    references = all_references(event.fact for event in events)
    if not references:
        return list(events)
    keys = [TextKey(transfer_id, reference) for reference in references]
    stored = await context.loaders.texts.load_many(keys)
    removed = say(context.language, "text.REMOVED")
    clear = {
        key.reference: open_text(context.keyring, key, text) or removed for key, text in zip(keys, stored, strict=True)
    }
    return [event.model_copy(update={"fact": replace_texts(event.fact, clear)}) for event in events]
