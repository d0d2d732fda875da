"""Secrets of a local stack: made once at random, kept in the data directory, readable by its owner alone."""

import secrets
from collections.abc import Callable
from pathlib import Path

from stack.processes import write_atomically


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
    """Return what `path` holds; the first time, fill it with `make()` (mode 0600)."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        text = make()
        write_atomically(path, text, 0o600)
        return text
