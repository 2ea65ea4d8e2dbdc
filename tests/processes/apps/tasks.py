"""A celery application whose messages are files. A task makes one call and leaves a stream open."""

import os

from calls import ask, instrument, leave_stream_open
from celery import Celery

instrument()
folder = os.environ["BROKER_FOLDER"]
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": os.path.join(folder, "control"),
}


@app.task
def work() -> None:
    ask()
    leave_stream_open()
