"""A celery application. A task makes one call and leaves a stream open."""

import os
from pathlib import Path

from calls import ask, instrument, leave_stream_open
from celery import Celery

instrument()


def celery_app(folder: Path) -> Celery:
    """An application whose messages are files in this folder."""
    app = Celery("tasks", broker="filesystem://", set_as_current=False)
    folders = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder / "control"}
    app.conf.broker_transport_options = {name: str(path) for name, path in folders.items()}
    return app


app = celery_app(Path(os.environ["BROKER_FOLDER"]))


@app.task
def work() -> None:
    ask()
    leave_stream_open()
