"""The account that a person's balance is paid out to: sealed under their data key, opened for the bank alone."""

from activities.bank import Payee
from activities.keyring import DataKey

_WHAT = b"payout account"
SHOWN_DIGITS = 4


def sealed(data_key: DataKey, *, bank_name: str, account_name: str, account_number: str) -> bytes:
    """The account, sealed."""
    payee = Payee(payee_name=account_name, payee_bank=bank_name, payee_bank_code=None, payee_account=account_number)
    return data_key.seal(payee.model_dump_json().encode(), _WHAT)


def opened(data_key: DataKey, account_sealed: bytes) -> Payee:
    """The payee whose account was sealed. Raises `KeyringError` under another key."""
    return Payee.model_validate_json(data_key.open(account_sealed, _WHAT))


def masked(account_number: str) -> str:
    """The digits that people may see: `****1234`."""
    return f"****{account_number[-SHOWN_DIGITS:]}"
