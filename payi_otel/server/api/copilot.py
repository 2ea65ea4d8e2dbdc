"""Copilot ingest, which this server does not have: it says so instead of losing what is sent."""

from __future__ import annotations

from fastapi import APIRouter

from payi_otel.server.api.models import ApiErrorOut
from payi_otel.server.errors import ApiError

router = APIRouter(
    prefix="/api/v1/ingest/copilot",
    tags=["ingest"],
    responses={501: {"model": ApiErrorOut, "description": "Not served here"}},
)


@router.post("/transcripts", status_code=501)
def transcripts() -> None:
    """Not served here."""
    raise _not_served("Copilot transcripts")


@router.post("/licensing", status_code=501)
def licensing() -> None:
    """Not served here."""
    raise _not_served("Copilot licence records")


def _not_served(what: str) -> ApiError:
    message = (
        f"{what} are not taken by the self-hosted server; send what they cost as events to /api/v1/ingest"
    )
    return ApiError(501, "not_implemented", message)
