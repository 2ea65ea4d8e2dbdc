"""Scored days later by another process: only the use case instance's id has to be kept.

python kpi_later.py ask "Where is my parcel?"    prints the id
python kpi_later.py score <id> 5                 or kpi_later.sh <id> 5
"""

import sys

USE_CASE = "support_mail"


def ask(question: str) -> str:
    from openai import OpenAI

    from payi_otel import define_kpi, get_context, payi_instrument, track_context

    payi_instrument()
    define_kpi(USE_CASE, "stars", "likert5", goal=4.0, description="Stars the customer gave")
    with track_context(use_case_name=USE_CASE):
        OpenAI().chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
        )
        return get_context().get("use_case_id", "")


def score(use_case_id: str, stars: int) -> None:
    from payi_otel import Payi

    with Payi() as client:
        client.use_cases.kpis.update("stars", use_case_name=USE_CASE, use_case_id=use_case_id, score=stars)


if sys.argv[1] == "ask":
    print(ask(sys.argv[2]))
else:
    score(sys.argv[2], int(sys.argv[3]))
