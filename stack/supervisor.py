"""Keeps the parts of the stack running: starts them in order, starts again what dies, stops them in reverse."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from stack.errors import StackError

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0
# A part that ran this long and then died starts again at once, whatever happened before.
STEADY_AFTER_SECONDS = 30.0


class Running(Protocol):
    """A part that runs: a child process, or a server inside this one."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        ...

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Part:
    """`start` returns when the part is ready, or raises `StackError` and leaves nothing behind."""

    name: str
    start: Callable[[], Awaitable[Running]]


class Supervisor:
    """`say` prints one line; `on_restart` is called when a part runs again under a new pid."""

    def __init__(self, say: Callable[[str], None], on_restart: Callable[[], None] = lambda: None) -> None:
        self._say = say
        self._on_restart = on_restart
        self._order: list[str] = []
        self._running: dict[str, Running] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}

    async def start(self, *parts: Part) -> list[Running]:
        """Start `parts` at once with each other and watch them from then on; they are stopped in reverse.

        Raises the first part's `StackError`; what did start is stopped by `stop`.
        """
        self._order += [part.name for part in parts]
        outcomes = await asyncio.gather(*(self._start(part) for part in parts), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [self._running[part.name] for part in parts]

    async def stop(self) -> None:
        """Stop every part, the last started first; each has bounded time."""
        for name in reversed(self._order):
            if name in self._watches:
                watch = self._watches.pop(name)
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
            if name in self._running:
                await self._running.pop(name).stop()
        self._order.clear()

    async def _start(self, part: Part) -> None:
        self._running[part.name] = running = await part.start()
        self._watches[part.name] = asyncio.create_task(self._watch(part, running))

    async def _watch(self, part: Part, running: Running) -> None:
        pause = FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            started_at = clock()
            code = await running.wait()
            if clock() - started_at > STEADY_AFTER_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._say(f"{part.name} {_ended(code)}; it is started again")
            del self._running[part.name]
            running, pause = await self._start_again(part, pause)

    async def _start_again(self, part: Part, pause: float) -> tuple[Running, float]:
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            try:
                running = self._running[part.name] = await part.start()
            except StackError as error:
                self._say(f"{part.name} does not start: {error}; next attempt in {pause:g} s")
            else:
                self._say(f"{part.name} runs again (pid {running.pid})")
                self._on_restart()
                return running, pause


def _ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
