"""A WSGI application. A request makes one call, leaves a stream open, and is answered with the process id."""

import os

from calls import ask, instrument, leave_stream_open

instrument()


def app(environ, start_response):
    if environ["PATH_INFO"] == "/ask":
        ask()
        leave_stream_open()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
