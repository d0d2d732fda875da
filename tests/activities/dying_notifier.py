"""A worker's notifier that is killed with its notices sent and not yet marked.

python dying_notifier.py DATABASE_URL RECEIVER_URL SECONDS_TO_NEXT_ATTEMPT
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta

from activities.database import open_pool
from activities.notices import AnyNotice, HttpNotices, Notifier


class StopsAfterSending(HttpNotices):
    async def put(self, notices: Sequence[AnyNotice]) -> Mapping[str, str]:
        refused = await super().put(notices)
        sys.stdout.writelines(f"{notice.id}\n" for notice in notices)
        sys.stdout.flush()
        await asyncio.Event().wait()
        return refused


async def main(database_url: str, receiver_url: str, seconds: str) -> None:
    pool = await open_pool(database_url)
    await Notifier(pool, StopsAfterSending(receiver_url), first_wait=timedelta(seconds=float(seconds))).deliver_due()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
