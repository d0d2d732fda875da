"""One LISTEN connection for the whole gateway, and the subscribers it wakes."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import asyncpg

from gateway.reachability import is_out_of_reach
from gateway.shared_answers import SharedAnswers

CHANNEL: Final = "transfer_events"
RECONNECT_AFTER_SECONDS: Final = 0.5
# A peer that vanished without a word is noticed by asking.
ASK_EVERY_SECONDS: Final = 15.0
ANSWER_WITHIN_SECONDS: Final = 5.0
# Followers that are woken in one turn of the event loop: requests are served between two turns.
WOKEN_AT_ONCE: Final = 20

logger = logging.getLogger(__name__)


class Sequenced(Protocol):
    """An event of one transfer: `seq` counts from 1 without holes."""

    @property
    def seq(self) -> int: ...


T = TypeVar("T", bound=Sequenced)


class ProgressHub:
    """Tells who follows a transfer that it has new events. It carries no events: each follower reads them by `seq`.

    So nothing is queued for a slow follower, and a notice that came twice, too early or never costs nothing: every
    reconnection wakes all. What the followers of one transfer read after one notice is read once.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._followers: dict[UUID, set[_Follower]] = {}
        # What was read since the last notice of a transfer that somebody follows, by `seq`.
        self._pages: dict[UUID, SharedAnswers[list[Any]]] = {}
        self._to_wake: deque[_Follower] = deque()
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()
        self.closing = asyncio.Event()

    @property
    def follower_count(self) -> int:
        return sum(len(followers) for followers in self._followers.values())

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_listening(), name="progress hub")

    def close(self) -> None:
        """End every stream; the followers come back to another process, or to the next one, with their last `seq`."""
        self.closing.set()
        self._wake_all()

    async def stop(self) -> None:
        self.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def events_after(
        self, transfer_id: UUID, after_seq: int, fetch: Callable[[UUID, int], Awaitable[list[T]]]
    ) -> AsyncGenerator[T, None]:
        """Every event with a `seq` above `after_seq`, in order, each once: what the database has, then live.

        `fetch` reads the events of a transfer above a `seq`, in order; it may return the first of many. It is asked
        again until it returns none. An error of the first reading is raised; later ones are tried again.
        """
        follower = _Follower(after_seq)
        self._followers.setdefault(transfer_id, set()).add(follower)
        try:
            events = await fetch(transfer_id, follower.seen)
            while not self.closing.is_set():
                for event in events:
                    follower.seen = event.seq
                    yield event
                if not events:
                    await follower.news.wait()
                # Cleared before reading: what is committed during the reading sets it again.
                follower.news.clear()
                events = await self._fetch_when_possible(transfer_id, follower, fetch)
        finally:
            followers = self._followers[transfer_id]
            followers.discard(follower)
            if not followers:
                del self._followers[transfer_id]
                self._pages.pop(transfer_id, None)

    async def _fetch_when_possible(
        self, transfer_id: UUID, follower: "_Follower", fetch: Callable[[UUID, int], Awaitable[list[T]]]
    ) -> list[T]:
        while not self.closing.is_set():
            try:
                # Not before the notice that woke the follower: `_on_notice` has thrown away what was read until then.
                pages = self._pages.setdefault(transfer_id, SharedAnswers())
                seen = follower.seen
                return await pages.get(seen, lambda: fetch(transfer_id, seen))  # noqa: B023 - called before `seen` changes
            except Exception as error:
                if not is_out_of_reach(error):
                    raise
                await asyncio.sleep(RECONNECT_AFTER_SECONDS)
        return []

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("progress: the database is away, trying again: %s", type(error).__name__)
            self.listening.clear()
            await asyncio.sleep(RECONNECT_AFTER_SECONDS)

    async def _listen(self) -> None:
        """Returns or raises when the connection is lost. Never from a pool: a pool takes listeners away."""
        connection = await asyncpg.connect(
            self._database_url,
            timeout=ANSWER_WITHIN_SECONDS,
            server_settings={"application_name": "yibao gateway progress"},
        )
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._on_notice)
            self.listening.set()
            # What was committed while nobody listened.
            self._wake_all()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), ASK_EVERY_SECONDS)
                    return
                await connection.execute("select 1", timeout=ANSWER_WITHIN_SECONDS)
        finally:
            connection.terminate()

    def _on_notice(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        """The payload is `TRANSFER_ID:SEQ`."""
        identifier, _, seq = str(payload).partition(":")
        try:
            transfer_id, newest = UUID(identifier), int(seq)
        except ValueError:
            logger.warning("progress: a notice that is none of ours on %s", CHANNEL)
            return
        self._pages.pop(transfer_id, None)
        self._wake(each for each in self._followers.get(transfer_id, ()) if newest > each.seen)

    def _wake_all(self) -> None:
        self._pages.clear()
        for followers in self._followers.values():
            self._wake(followers)

    def _wake(self, followers: "Iterable[_Follower]") -> None:
        """Wake each of them, a few in each turn of the event loop."""
        resting = not self._to_wake
        for follower in followers:
            if not follower.is_to_wake:
                follower.is_to_wake = True
                self._to_wake.append(follower)
        if resting and self._to_wake:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        for _ in range(min(WOKEN_AT_ONCE, len(self._to_wake))):
            follower = self._to_wake.popleft()
            follower.is_to_wake = False
            follower.news.set()
        if self._to_wake:
            asyncio.get_running_loop().call_soon(self._wake_some)


class _Follower:
    """One stream: the last `seq` it was given, and whether there may be more."""

    def __init__(self, seen: int) -> None:
        self.seen = seen
        self.news = asyncio.Event()
        self.is_to_wake = False
