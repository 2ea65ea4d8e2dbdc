"""Batches of both vendors, and the files OpenAI's are made of. A batch is done when it is next asked about."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from payi_otel.demo.anthropic_api import message_of
from payi_otel.demo.wire import Answer, Json, Memory, Request, items, mapping, new_id

_MISSING = {"message": "No such object.", "type": "invalid_request_error", "param": "id", "code": None}


def upload_file(request: Request, memory: Memory) -> Answer:
    """POST /files."""
    content = str(request.body.get("file") or "")
    name = str(request.body.get("file.filename") or "upload")
    return Answer.json(_store(memory, name, str(request.body.get("purpose") or "batch"), content))


def file_content(request: Request, memory: Memory) -> Answer:
    """GET /files/{id}/content."""
    stored = memory.files.get(request.path.split("/")[-2])
    if stored is None:
        return Answer.json({"error": _MISSING}, status=404)
    return Answer(body=stored[1].encode(), content_type="application/octet-stream")


def create_openai(request: Request, memory: Memory) -> Answer:
    """POST /batches."""
    body = request.body
    if str(body.get("input_file_id")) not in memory.files:
        return Answer.json({"error": _MISSING}, status=404)
    batch: Json = {
        "id": new_id("batch_"),
        "object": "batch",
        "endpoint": body.get("endpoint"),
        "input_file_id": body.get("input_file_id"),
        "completion_window": body.get("completion_window") or "24h",
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": int(time.time()),
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": body.get("metadata"),
    }
    with memory.lock:
        memory.batches[batch["id"]] = batch
    return Answer.json(batch)


def retrieve_openai(request: Request, memory: Memory, answer: Callable[[Request, Memory], Answer]) -> Answer:
    """GET /batches/{id}: `answer` is what would have answered each line as a request of its own."""
    batch = memory.batches.get(request.path.rsplit("/", 1)[-1])
    if batch is None:
        return Answer.json({"error": _MISSING}, status=404)
    if batch["status"] == "validating":
        lines = memory.files[batch["input_file_id"]][1].splitlines()
        results = [_result(json.loads(line), request, memory, answer) for line in lines if line.strip()]
        output = _store(memory, f"{batch['id']}_output.jsonl", "batch_output", "\n".join(results))
        counts = {"total": len(results), "completed": len(results), "failed": 0}
        batch.update(status="completed", output_file_id=output["id"], request_counts=counts)
        batch["completed_at"] = int(time.time())
    return Answer.json(batch)


def _result(line: Json, request: Request, memory: Memory, answer: Callable[[Request, Memory], Answer]) -> str:
    asked = Request("POST", str(line["url"]), {}, request.headers, mapping(line["body"]))
    given = answer(asked, memory)
    response = {
        "status_code": given.status,
        "request_id": new_id("", 32),
        "body": json.loads(given.body),
    }
    result = {"id": new_id("batch_req_"), "custom_id": line["custom_id"], "response": response, "error": None}
    return json.dumps(result)


def _store(memory: Memory, name: str, purpose: str, content: str) -> Json:
    stored: Json = {
        "id": new_id("file-"),
        "object": "file",
        "bytes": len(content.encode()),
        "created_at": int(time.time()),
        "filename": name,
        "purpose": purpose,
        "status": "processed",
    }
    with memory.lock:
        memory.files[stored["id"]] = (stored, content)
    return stored


def create_anthropic(request: Request, memory: Memory) -> Answer:
    """POST /v1/messages/batches."""
    asked = [mapping(line) for line in items(request.body.get("requests"))]
    now = datetime.now(timezone.utc)
    batch: Json = {
        "id": new_id("msgbatch_01", 22),
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": _counts(processing=len(asked)),
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(days=1)).isoformat(),
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }
    lines: list[str] = []
    for line in asked:
        message = message_of(mapping(line.get("params")), memory)
        message["usage"]["service_tier"] = "batch"
        result = {"type": "succeeded", "message": message}
        lines.append(json.dumps({"custom_id": line.get("custom_id"), "result": result}))
    with memory.lock:
        memory.batches[batch["id"]] = batch
        memory.batch_results[batch["id"]] = "\n".join(lines) + "\n"
    return Answer.json(batch)


def retrieve_anthropic(request: Request, memory: Memory) -> Answer:
    """GET /v1/messages/batches/{id}."""
    batch = memory.batches.get(request.path.rsplit("/", 1)[-1])
    if batch is None:
        return _anthropic_missing()
    if batch["ended_at"] is None:
        place = f"http://{request.headers.get('host')}/v1/messages/batches/{batch['id']}/results"
        counts = _counts(succeeded=batch["request_counts"]["processing"])
        batch.update(processing_status="ended", request_counts=counts, results_url=place)
        batch["ended_at"] = datetime.now(timezone.utc).isoformat()
    return Answer.json(batch)


def results_anthropic(request: Request, memory: Memory) -> Answer:
    """GET /v1/messages/batches/{id}/results."""
    results = memory.batch_results.get(request.path.split("/")[-2])
    if results is None:
        return _anthropic_missing()
    lines = tuple(f"{line}\n".encode() for line in results.splitlines())
    return Answer(chunks=lines, content_type="application/x-jsonl")


def _counts(*, processing: int = 0, succeeded: int = 0) -> Json:
    return {"processing": processing, "succeeded": succeeded, "errored": 0, "canceled": 0, "expired": 0}


def _anthropic_missing() -> Answer:
    error: dict[str, Any] = {"type": "not_found_error", "message": "No such batch."}
    return Answer.json({"type": "error", "error": error}, status=404)
