"""The worker: every workflow and every activity of the system, on one task queue."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import uvloop
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities.bank import Bank, sending_home
from activities.bank.http import HttpBank
from activities.bank.polling import Poller
from activities.bank.telling import SignalTeller, Words
from activities.bank_words import note_bank_word
from activities.database import open_pool
from activities.funds import send_to_bank
from activities.keyring import InvalidKeyringError, Keyring
from activities.mandate_notices import deliver_notices
from activities.reconciliation.daily import keep_reconciling
from activities.reopening import reopen
from activities.residuals import ResidualSweep
from activities.settings import SettingsError, WorkerSettings, read_settings
from activities.steps import Steps
from activities.sweeper import Sweeper
from activities.temporal import connect
from activities.transport_security import require_encryption
from activities.workflow_runner import ContextFreeRunner
from workflows import steps
from workflows.certificate import CertificateWorkflow
from workflows.mandate import MandateWorkflow
from workflows.messages import (
    TASK_QUEUE,
    BankNote,
    BankOrder,
    BankSaid,
    CommandOutcome,
    StepResult,
    UnmatchedFundsOrder,
)
from workflows.transfer import TransferWorkflow
from workflows.unmatched_funds import UnmatchedFundsWorkflow

log = logging.getLogger(__name__)

WORKFLOWS = [TransferWorkflow, CertificateWorkflow, MandateWorkflow, UnmatchedFundsWorkflow]
AWAY_SECONDS = 1.0
DEAD_WORKER_AFTER = timedelta(seconds=3)
# A step in hand has time to end, and its answer to arrive; who stops a worker waits longer than this.
GRACE = timedelta(seconds=8)
# Then it leaves, whatever Temporal's core does: that has been seen to wait for ever, with nothing left in hand.
LEAVES_AFTER = GRACE + timedelta(seconds=4)
# A case rests for days between two steps: only those in a burst of steps are worth their 150 kB each. The others are read
# again from their history, which is short.
CASES_KEPT_IN_MEMORY = 300
# The collector's thresholds, youngest generation first: cases in memory are many small objects that live for a while.
YOUNG_OBJECTS_KEPT = (20_000, 20, 50)
# Of Temporal's core, beneath Python: what it takes in, one thread can carry, and several spend their time waking each other.
CORE_THREADS = "1"


def activities(pool: asyncpg.Pool, keyring: Keyring, bank: Bank) -> list[Callable[..., Any]]:
    """Every activity of `workflows.steps`, bound to its database, keyring and bank."""
    taken = Steps(pool, keyring)

    async def through_the_bank(order: BankOrder) -> BankSaid:
        return await send_to_bank(pool, keyring, bank, order)

    async def note_word(note: BankNote) -> StepResult:
        return await note_bank_word(pool, keyring, note)

    async def send_funds_home(order: UnmatchedFundsOrder) -> CommandOutcome:
        return await sending_home.carry_out(pool, order)

    bound: dict[steps.ActivityStep[Any, Any], Callable[[Any], Awaitable[Any]]] = {
        steps.OPEN_TRANSFER: taken.open_transfer,
        steps.ISSUE_CERTIFICATE: taken.issue_certificate,
        steps.NOTE_DEADLINES: taken.note_deadlines,
        steps.RECHECK_REGISTERS: taken.recheck_registers,
        steps.NOTE_BANK_TOOK_ORDER: taken.note_bank_took_order,
        steps.NOTE_BANK_WORD: note_word,
        steps.ISSUE_CERTIFICATE_ALONE: taken.issue_certificate_alone,
        steps.CARRY_OUT_MANDATE: taken.carry_out_mandate,
        steps.SEND_TO_BANK: through_the_bank,
        steps.SEND_FUNDS_HOME: send_funds_home,
    }
    bound |= dict.fromkeys(steps.ACTIONS.values(), taken.carry_out)
    return [_named(step, carry_out) for step, carry_out in bound.items()]


def _named(step: steps.ActivityStep[Any, Any], carry_out: Callable[[Any], Awaitable[Any]]) -> Callable[..., Any]:
    async def run(given: Any) -> Any:
        return await carry_out(given)

    # The converter reads the types of messages from here.
    run.__annotations__ = {"given": step.given, "return": step.answer}
    return activity.defn(name=step.name)(run)


def make_worker(
    client: Client, pool: asyncpg.Pool, keyring: Keyring, bank: Bank, *, task_queue: str = TASK_QUEUE, **options: Any
) -> Worker:
    """A worker of this system on `client`; `options` are those of `temporalio.worker.Worker`."""
    autoscaling = PollerBehaviorAutoscaling()
    tuning: dict[str, Any] = {
        "max_cached_workflows": CASES_KEPT_IN_MEMORY,
        # How long a step waits for a worker that died before another takes the case up.
        "sticky_queue_schedule_to_start_timeout": DEAD_WORKER_AFTER,
        "workflow_task_poller_behavior": autoscaling,
        "activity_task_poller_behavior": autoscaling,
        # No payload is stored outside the history: at more than one at a time, each of them would still have a task to itself.
        "max_workflow_task_external_storage_concurrency": 1,
    }
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        workflow_runner=ContextFreeRunner(),
        activities=activities(pool, keyring, bank),
        **(tuning | options),
    )


@contextlib.asynccontextmanager
async def at_work(
    client: Client, pool: asyncpg.Pool, keyring: Keyring, bank: Bank, **options: Any
) -> AsyncIterator[Worker]:
    """A worker of this system while the block lasts, and `LEAVES_AFTER` longer at most; `options` as `make_worker` has them."""
    async with contextlib.AsyncExitStack() as stack:
        yield await stack.enter_async_context(make_worker(client, pool, keyring, bank, **options))
        leaving = stack.pop_all()
    try:
        async with asyncio.timeout(LEAVES_AFTER.total_seconds()):
            await leaving.aclose()
    except TimeoutError:
        log.warning("Temporal's core has not ended, and nothing waits for it any more")


async def run(settings: WorkerSettings, keyring: Keyring) -> None:
    """Work until SIGTERM or SIGINT, then finish what is in hand. Waits for PostgreSQL and Temporal to be there."""
    pool = await _patiently(lambda: open_pool(settings.database_url), "PostgreSQL")
    client = await _patiently(lambda: connect(keyring), "Temporal")
    bank = HttpBank(settings.bank_url)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with at_work(client, pool, keyring, bank, graceful_shutdown_timeout=GRACE):
        log.info("working on task queue %s", TASK_QUEUE)
        async with (
            _in_the_background(Sweeper(pool, client, Steps(pool, keyring)).run()),
            _in_the_background(ResidualSweep(pool, client, keyring).run()),
            _in_the_background(deliver_notices(pool, settings.notice_url)),
            _in_the_background(
                Poller(
                    pool, keyring, bank, Words(pool, SignalTeller(client), partial(reopen, pool, keyring, client))
                ).run()
            ),
            _in_the_background(keep_reconciling(pool)),
        ):
            await stopping.wait()
    await bank.close()
    await pool.close()


@contextlib.asynccontextmanager
async def _in_the_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs while the block does, and has let go of everything when it is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _patiently(attempt: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Try until it is there: parts of the system start in any order, and one that is away comes back."""
    while True:
        try:
            return await attempt()
        except (OSError, RuntimeError, asyncpg.PostgresError) as error:
            log.warning("%s is not there yet: %s", what, error)
            await asyncio.sleep(AWAY_SECONDS)


def main() -> None:
    """`yibao worker`: configured by the environment. Exits by `os._exit`, which a Temporal client makes necessary."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    code = 1
    try:
        settings, keyring = configuration(os.environ)
        # What is loaded by now stays for good; the collector looks at what cases leave behind, less often than for a script.
        gc.freeze()
        gc.set_threshold(*YOUNG_OBJECTS_KEPT)
        os.environ.setdefault("TOKIO_WORKER_THREADS", CORE_THREADS)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings, keyring))
        code = 0
    except SettingsError as error:
        sys.stderr.writelines(f"{line}\n" for line in error.lines)
    except Exception:
        log.exception("the worker failed")
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


def configuration(environment: Mapping[str, str]) -> tuple[WorkerSettings, Keyring]:
    """The worker's settings and its keyring. Raises `SettingsError` before anything is connected."""
    settings = read_settings(WorkerSettings, environment)
    if settings.environment == "production":
        require_encryption(environment, web=("YIBAO_BANK_URL", "YIBAO_NOTICE_URL"))
    try:
        return settings, Keyring.from_environment(environment)
    except InvalidKeyringError as error:
        raise SettingsError([f"YIBAO_KEYRING is wrong: {error}"]) from None
