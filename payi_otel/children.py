"""Children of multiprocessing: they leave by `os._exit`, with their own finalizers and without `atexit`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import wrapt

from payi_otel.faults import faults

T = TypeVar("T")


def call_at_end_of_children(owner: T, finish: Callable[[T], object], priority: int) -> None:
    """Call `finish(owner)` when a child of multiprocessing ends: this process, or one that it forks.

    Nothing is imported for it: it begins once the application has imported multiprocessing. `owner` is not kept
    alive by it, but in such children.

    Args:
        owner: what to finish.
        finish: called in the child, at its end.
        priority: higher ones are called earlier, as in `multiprocessing.util.Finalize`.

    >>> call_at_end_of_children(worker, DeliveryWorker.flush, 10)  # doctest: +SKIP
    """
    reference = weakref.ref(owner)

    def watch(util: Any) -> None:
        with faults.guard("children"):
            from multiprocessing.process import parent_process

            def begin(owner: T) -> None:
                util.Finalize(None, finish, args=(owner,), exitpriority=priority)

            owner = reference()
            if owner is None:
                return
            util.register_after_fork(owner, begin)
            if parent_process() is not None:
                begin(owner)

    wrapt.register_post_import_hook(watch, "multiprocessing.util")
