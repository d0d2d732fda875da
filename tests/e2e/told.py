"""What the person of a case is told of their money, at every instant and in both languages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.e2e.case import Case
from tests.e2e.system import until
from workflows.vocabulary import Role

MONEY = "query ($no: TransferNo!) { transfer(no: $no) { status fundsStatus progress { money } } }"


class Instant(NamedTuple):
    """What the person sees: the case, its money, and the one sentence."""

    status: str
    funds: str
    money: str


class Told(NamedTuple):
    """The same instant in both languages."""

    status: str
    funds: str
    zh: str
    en: str

    def said_in(self, language: str) -> Instant:
        return Instant(self.status, self.funds, self.en if language == "en" else self.zh)


async def _instant(case: Case, language: str) -> Instant:
    person = case.system.caller(Role.INSURED_PERSON, resident_id=case.person.resident_id, language=language)
    transfer = (await person.ask(MONEY, no=case.no))["transfer"]
    return Instant(transfer["status"], transfer["fundsStatus"], transfer["progress"]["money"])


async def says(case: Case, told: Told) -> None:
    """The case comes to `told`, and says it in both languages."""

    async def there() -> bool:
        return await _instant(case, "en") == told.said_in("en")

    await until(there)
    assert await _instant(case, "zh-CN") == told.said_in("zh-CN")


@asynccontextmanager
async def watched(case: Case, story: Sequence[Told]) -> AsyncIterator[None]:
    """Nobody who looks while the block lasts is told anything but `story`, in its order: 已办结 where it stands there alone."""
    seen: dict[str, list[Instant]] = {"en": [], "zh-CN": []}

    async def look() -> None:
        while True:
            for language, instants in seen.items():
                now = await _instant(case, language)
                if instants[-1:] != [now]:
                    instants.append(now)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(look())
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    for language, instants in seen.items():
        rest = iter([told.said_in(language) for told in story])
        # What passes between two looks is not seen; what is seen stands in the story, behind what was seen before.
        assert [each for each in instants if each not in rest] == []
