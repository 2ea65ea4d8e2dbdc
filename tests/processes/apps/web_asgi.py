"""The same for ASGI. It is instrumented where `INSTRUMENT_IN` says: on import, or when its lifespan starts."""

import os
from contextlib import asynccontextmanager

from calls import ask, instrument, leave_stream_open
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_: FastAPI):
    if os.environ.get("INSTRUMENT_IN") == "lifespan":
        instrument()
    yield


if "INSTRUMENT_IN" not in os.environ:
    instrument()
app = FastAPI(lifespan=lifespan)


@app.get("/")
async def health() -> int:
    return os.getpid()


@app.get("/ask")
async def answer() -> int:
    ask()
    leave_stream_open()
    return os.getpid()
