"""Celery tasks that belong to the use case they were sent from: two signals, and no task knows of it."""

from contextlib import AbstractContextManager
from typing import Any

from celery import Celery
from celery.signals import before_task_publish, task_postrun, task_prerun
from openai import OpenAI

from payi_otel import extract_baggage, inject_baggage, payi_instrument

app = Celery("tasks")
scopes: dict[str, AbstractContextManager[object]] = {}


@before_task_publish.connect
def send_use_case(headers: dict[str, Any], **_: Any) -> None:
    inject_baggage(headers)


@task_prerun.connect
def enter_use_case(task_id: str, task: Any, **_: Any) -> None:
    scopes[task_id] = extract_baggage({"baggage": task.request.get("baggage") or ""})
    scopes[task_id].__enter__()


@task_postrun.connect
def leave_use_case(task_id: str, **_: Any) -> None:
    scopes.pop(task_id).__exit__(None, None, None)


@app.task
def summarise(document: str) -> str | None:
    payi_instrument()
    answer = OpenAI().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": f"Summarise: {document}"}]
    )
    return answer.choices[0].message.content
