"""What the sandbox's bank and notice board keep names payees and accounts: their files are their owner's alone."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.bank_books import BankBooks
from stack.notice_board import NoticeBoard


@pytest.fixture
def everybody_may_read() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("everybody_may_read")
@pytest.mark.parametrize("keep", [BankBooks, NoticeBoard])
@pytest.mark.parametrize("there_already", [False, True])
def test_no_other_user_reads_the_file_nor_what_sqlite_puts_beside_it(
    tmp_path: Path, keep: Callable[[Path], object], there_already: bool
) -> None:
    file = tmp_path / "kept.sqlite3"
    if there_already:
        file.touch(mode=0o644)
    kept = keep(file)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert kept is not None
    assert modes == dict.fromkeys(("kept.sqlite3", "kept.sqlite3-shm", "kept.sqlite3-wal"), 0o600)
