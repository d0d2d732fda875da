"""Links to documents: signed, short-lived and made for one viewer."""

from collections import OrderedDict
from datetime import datetime
from typing import Final
from uuid import UUID

from activities.keyring import Keyring
from gateway.access_looks import LinkHolder
from workflows.vocabulary import Role

PURPOSE: Final = "document-link"
GOOD_FOR_SECONDS: Final = 300
# Links made within one minute are the same link, so that answers stay cacheable.
QUANTUM_SECONDS: Final = 60
# A browser fetches a PDF once to show it and once more to save it.
USES_WITHOUT_TOKEN: Final = 5
KEPT_LINKS: Final = 10_000


def signed_link(base_url: str, document_id: UUID, now: datetime, keyring: Keyring, holder: LinkHolder) -> str:
    """The link by which `holder` downloads a document's PDF, good for five to six minutes from `now`."""
    quantum = int(now.timestamp()) // QUANTUM_SECONDS * QUANTUM_SECONDS
    expires = quantum + QUANTUM_SECONDS + GOOD_FOR_SECONDS
    text = f"{holder.role.value}~{holder.region or ''}~{holder.looker_key}"
    signature = keyring.sign(PURPOSE, _message(document_id, expires, text))
    return f"{base_url}/documents/{document_id}.pdf?expires={expires}&holder={text}&signature={signature}"


def is_good(document_id: UUID, expires: str, holder: str, signature: str, now: datetime, keyring: Keyring) -> bool:
    """Whether `signed_link` made a link of these parts, and its time has not come."""
    if not expires.isascii() or not expires.isdigit() or len(expires) > len("99999999999"):
        return False
    message = _message(document_id, int(expires), holder)
    return int(expires) > now.timestamp() and keyring.verify(PURPOSE, message, signature)


def read_holder(text: str) -> LinkHolder:
    """For whom a link was made, of one that `is_good`; nothing of it is a secret or names a person."""
    role, region, key = text.split("~", 2)
    return LinkHolder(Role(role), region or None, key)


def _message(document_id: UUID, expires: int, holder: str) -> bytes:
    return f"{document_id}.{expires}.{holder}".encode("utf-8", "replace")


class LinkUses:
    """How often each link was used without a token, in this process: whoever finds a link cannot use it for ever.

    Bounded: the oldest of `KEPT_LINKS` are forgotten, and a link lives for minutes anyway.
    """

    def __init__(self) -> None:
        self._uses: OrderedDict[str, int] = OrderedDict()

    def take(self, signature: str) -> bool:
        """Count one use; False when the link has been used `USES_WITHOUT_TOKEN` times already."""
        used = self._uses.get(signature, 0)
        if used >= USES_WITHOUT_TOKEN:
            return False
        self._uses[signature] = used + 1
        if len(self._uses) > KEPT_LINKS:
            self._uses.popitem(last=False)
        return True
