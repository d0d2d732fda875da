"""Work that several callers need at the same moment, done once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAnswers(Generic[T]):
    """The results of some work, by key, for as long as somebody holds this object. What failed is done again for the next."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work` under `key`, or of the caller who came first. Raises what it raises.

        The work is a task of its own: a caller who is cancelled takes nothing from the others.
        """
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(_run(work))
            task.add_done_callback(lambda done: self._forget_failure(key, done))
        return await asyncio.shield(task)

    def _forget_failure(self, key: Hashable, task: asyncio.Task[T]) -> None:
        # Asking for the exception also says that somebody has seen it: all callers may have left.
        if (task.cancelled() or task.exception() is not None) and self._tasks.get(key) is task:
            del self._tasks[key]


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
