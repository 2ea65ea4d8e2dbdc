"""When a caller stands aside for a thread of ours."""

from __future__ import annotations

from payi_otel.delivery.turns import Turns
from tests.delivery.conftest import Clock


def test_nobody_waits_for_a_thread_that_is_in_time(clock: Clock) -> None:
    turns = Turns()
    turns.due(0.02)
    for _ in range(20):
        turns.give()
        clock.now_s += 0.001
    assert clock.sleeps == 0


def test_a_late_thread_is_let_through_by_one_caller(clock: Clock) -> None:
    turns = Turns()
    turns.due(0.02)
    clock.now_s += 0.1
    for _ in range(20):
        turns.give()
    assert clock.sleeps == 1


def test_one_that_stays_late_is_let_through_again(clock: Clock) -> None:
    turns = Turns()
    turns.due()
    for _ in range(10):
        clock.now_s += 0.1
        turns.give()
    assert clock.sleeps == 10


def test_an_idle_thread_is_late_only_after_it_was_woken(clock: Clock) -> None:
    turns = Turns()
    turns.idle()
    clock.now_s += 1_000
    turns.give()
    assert clock.sleeps == 0
    clock.now_s += 1
    turns.give()
    assert clock.sleeps == 1
