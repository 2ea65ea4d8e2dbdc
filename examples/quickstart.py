"""One tracked function, one KPI. Needs OPENAI_API_KEY and PAYI_API_KEY."""

from openai import OpenAI

from payi_otel import define_kpi, payi_instrument, score_kpi, track

payi_instrument()
define_kpi("support_chat", "resolved", kpi_type="boolean", goal=0.8)


@track(use_case_name="support_chat")
def answer(question: str) -> str | None:
    completion = OpenAI().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    score_kpi("resolved", True)
    return completion.choices[0].message.content


print(answer("Where is my parcel?"))
