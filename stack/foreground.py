"""`yibao up` in a terminal: what it prints, and how Ctrl-C and SIGTERM end it."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import click

from stack.data_directory import StackInfo
from stack.up import Ports, Programs, local_stack


async def run_until_interrupted(data_dir: Path, ports: Ports, programs: Programs | None = None) -> None:
    """Run the stack of `data_dir` until Ctrl-C, SIGTERM or SIGHUP, then stop all of it. Raises `StackError`."""
    began = time.monotonic()
    with interrupts_cancel(), contextlib.suppress(asyncio.CancelledError):
        async with local_stack(data_dir, ports, _say, programs) as info:
            _say(summary(data_dir, info, time.monotonic() - began))
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            _say("Stopping ...")
    _say("Stopped. `yibao up` goes on from here.")


@contextlib.contextmanager
def interrupts_cancel() -> Iterator[None]:
    """Cancel the present task at the first Ctrl-C, SIGTERM or SIGHUP; what follows must not disturb the stopping."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if not interrupted and task is not None:
            interrupted = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    yield


def summary(data_dir: Path, info: StackInfo, seconds: float) -> str:
    """What a person does next, once the stack is ready."""
    flag = "" if data_dir == Path(".yibao") else f" --data-dir {data_dir}"
    return "\n".join(
        [
            f"医保关系转移接续 is ready after {seconds:.1f} s. Ctrl-C stops it.",
            f"  GraphQL, GraphiQL   {info.gateway}/graphql",
            f"  Temporal UI         {info.temporal_ui}/namespaces/default/workflows",
            f"  data and logs       {data_dir}, {data_dir / 'logs'}",
            f"  a token             .venv/bin/yibao token --role CLERK --region 110000{flag}",
        ]
    )


def _say(line: str) -> None:
    click.echo(line)
