"""Makes three calls, of which one still streams, and ends in the way that its argument names."""

import asyncio
import os
import signal
import sys
import threading
import time

from calls import ask, instrument, leave_stream_open


def _terminate_soon() -> None:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()


def returns() -> None:
    pass


def unhandled_exception() -> None:
    raise RuntimeError("the application's own")


def sigint() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


def sigterm() -> None:
    _terminate_soon()
    threading.Event().wait(60)


def sigterm_in_an_event_loop() -> None:
    async def main() -> None:
        _terminate_soon()
        await asyncio.sleep(60)

    asyncio.run(main())


def sigterm_handled_by_the_application() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(4))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def sigterm_passed_on_by_the_application() -> None:
    def handler(number: int, frame: object) -> None:
        print("cleaning up", file=sys.stderr, flush=True)
        signal.signal(number, previous)
        os.kill(os.getpid(), number)

    previous = signal.signal(signal.SIGTERM, handler)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def sigterm_handled_by_the_event_loop() -> None:
    async def main() -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        _terminate_soon()
        await stopped.wait()

    asyncio.run(main())


def sigterm_twice() -> None:
    """As by a supervisor that signals the process and its group, until the process is gone."""
    if os.fork() == 0:
        parent = os.getppid()
        os.closerange(0, 3)
        while os.getppid() == parent:
            os.kill(parent, signal.SIGTERM)
            time.sleep(0.01)
        os._exit(0)
    time.sleep(60)


def sigterm_then_ctrl_c() -> None:
    if os.fork() == 0:
        parent = os.getppid()
        os.closerange(0, 3)
        os.kill(parent, signal.SIGTERM)
        while os.getppid() == parent:
            time.sleep(0.2)
            os.kill(parent, signal.SIGINT)
        os._exit(0)
    time.sleep(60)


def sigterm_that_is_ignored() -> None:
    """What the first process of a container does with it."""
    os.kill(os.getpid(), signal.SIGTERM)
    ask()


def os_exit() -> None:
    os._exit(5)


def sigkill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exec_() -> None:
    os.execv(sys.executable, [sys.executable, __file__, "returns"])


def waits_to_be_killed() -> None:
    time.sleep(60)


if __name__ == "__main__":
    instrument()
    ask(2)
    leave_stream_open()
    globals()[sys.argv[1]]()
