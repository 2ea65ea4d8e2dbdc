"""Delivers what processes that are gone have left, with the delivery of the package itself."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from payi_otel.commands.progress_bar import Bar, log_beside, open_bar
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.folder import OutboxFolder
from payi_otel.delivery.glance import glance, left_behind
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryWorker
from payi_otel.settings import Settings

ALL_DELIVERED = 0
SOME_REJECTED = 1
SOME_WAIT = 3
INTERRUPTED = 130

_SHOWN_EVERY_S = 0.1
# Whoever asks for delivery wants the old ones too.
_NO_AGE_S = 100 * 365 * 86_400.0


def flush(folder: Path, settings: Settings, timeout_s: float) -> int:
    """Adopt the orphans of a folder and deliver them within `timeout_s` seconds; the exit code.

    What is not delivered by then stays in the folder.
    """
    files = OutboxFolder(folder)
    total, alive = left_behind(files), sum(file.entries for file in glance(files) if not file.orphan)
    if alive:
        print(f"{folder}: {alive:,} wait in processes that are alive, which deliver them")
    if not total:
        print(f"{folder}: nothing is left by processes that are gone")
        return ALL_DELIVERED
    config = DeliveryConfig(
        api_key=settings.api_key,
        base_url=settings.base_url,
        timeout_s=settings.timeout_s,
        outbox_max_age_s=_NO_AGE_S,
        # The end of this process has nothing to add to what was tried by then.
        exit_timeout_s=_SHOWN_EVERY_S,
    )
    ledger = Ledger()
    outbox = DurableOutbox(
        folder, max_bytes=settings.outbox_max_bytes, spill_max_bytes=settings.queue_max_bytes
    )
    worker = DeliveryWorker(config, outbox, ledger)
    bar = open_bar(total, "outbox", unit="", scaled=False)
    interrupted = False
    try:
        with log_beside(bar):
            _deliver(worker, ledger, files, bar, time.monotonic() + timeout_s)
            worker.shutdown(_SHOWN_EVERY_S)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        bar.close()
    status = ledger.snapshot()
    delivered = status.delivered + status.scores_delivered
    rejected = status.rejected + status.scores_rejected
    left = ledger.waiting + left_behind(files)
    print(
        f"{folder}: {delivered:,} delivered to {settings.base_url}, {rejected:,} rejected, {left:,} still wait"
    )
    if rejected:
        print("`payi-otel outbox list` shows why they were rejected")
    if interrupted:
        return INTERRUPTED
    return SOME_WAIT if left else SOME_REJECTED if rejected else ALL_DELIVERED


def _deliver(
    worker: DeliveryWorker, ledger: Ledger, files: OutboxFolder, bar: Bar, deadline_s: float
) -> None:
    settled = -1
    # The worker adopts some of what is there, delivers that, adopts more.
    while (left_s := deadline_s - time.monotonic()) > 0:
        # Not in a pool: that would keep Ctrl-C waiting for the flush.
        flushing = threading.Thread(target=worker.force_flush, args=(left_s,), daemon=True)
        flushing.start()
        while flushing.is_alive():
            flushing.join(_SHOWN_EVERY_S)
            bar.show(_settled(ledger))
        before, settled = settled, _settled(ledger)
        if not ledger.waiting:
            if not left_behind(files):
                return
            time.sleep(_SHOWN_EVERY_S)
        elif settled == before:
            # The flush has ended early and moved nothing: the key is refused, as the log says.
            return


def _settled(ledger: Ledger) -> int:
    status = ledger.snapshot()
    return status.delivered + status.scores_delivered + status.rejected + status.scores_rejected
