"""Instrumented once before the workers are forked, as gunicorn does with preload_app; POSIX only."""

import multiprocessing

from openai import OpenAI

from payi_otel import payi_instrument, track

payi_instrument()


@track(use_case_name="summaries", user_id="batch")
def summarise(document: str) -> None:
    with OpenAI() as client:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": f"Summarise: {document}"}]
        )


def work(documents: list[str]) -> None:
    for document in documents:
        summarise(document)


if __name__ == "__main__":
    summarise("the parent's own")
    fork = multiprocessing.get_context("fork")
    workers = [
        fork.Process(target=work, args=([f"{number}-{page}" for page in range(3)],)) for number in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    raise SystemExit(any(worker.exitcode for worker in workers))
