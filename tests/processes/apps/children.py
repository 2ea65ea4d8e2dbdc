"""Makes calls in children of multiprocessing, started by the method that its argument names, and ended in all ways."""

import multiprocessing
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from calls import ask, instrument, leave_stream_open

instrument()


def work(_: object = None) -> None:
    ask()
    leave_stream_open()


def work_and_fail() -> None:
    work()
    sys.exit(3)


def work_and_wait(done) -> None:
    work()
    done.set()
    time.sleep(60)


def main() -> None:
    context = multiprocessing.get_context(sys.argv[1])
    done = context.Event()
    failed = context.Process(target=work_and_fail)
    terminated = context.Process(target=work_and_wait, args=(done,))
    failed.start()
    terminated.start()
    failed.join()
    done.wait()
    terminated.terminate()
    terminated.join()
    assert (failed.exitcode, terminated.exitcode) == (3, -signal.SIGTERM)

    with context.Pool(1) as pool:
        pool.map(work, range(2))
        # Leaving the block terminates the workers.
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        list(executor.map(work, range(2)))


if __name__ == "__main__":
    main()
