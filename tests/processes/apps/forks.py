"""Forks while its threads make calls and a stream is open; the child, which has a copy of it, makes calls as well."""

import os
import sys
import threading

from calls import ask, instrument, leave_stream_open

instrument()
leave_stream_open()
threads = [threading.Thread(target=ask, args=(5,)) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        ask(2)
        leave_stream_open()
        sys.exit(7)
    children.append(child)
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
for thread in threads:
    thread.join()
