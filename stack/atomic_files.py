"""Files that are there whole or not at all, and secrets kept in such files."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Put `text` at `path` whole or not at all, readable by `mode` from its first byte on."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)


def private_file(path: Path) -> Path:
    """The file, made if need be, readable by its owner alone; SQLite gives what it puts beside it the same mode."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
    """Return what `path` holds; the first time, fill it with `make()` (mode 0600)."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        text = make()
        write_atomically(path, text, 0o600)
        return text
