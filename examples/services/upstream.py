"""A service that hands part of its use case to another one. Run: python upstream.py http://127.0.0.1:8001"""

import sys

import httpx2
from openai import OpenAI

from payi_otel import inject_baggage, payi_instrument, track_context

payi_instrument()
client = OpenAI()

with track_context(use_case_name="claims", use_case_id=sys.argv[2], use_case_step="draft", user_id="jane"):
    question = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "What is to be asked about claim 7?"}]
    )
    headers: dict[str, str] = {}
    # Only to your own services: the use case's name, id, version and step, and nothing else unless named.
    inject_baggage(headers)
    answer = httpx2.post(
        sys.argv[1], json={"question": question.choices[0].message.content}, headers=headers, timeout=60
    )
    print(answer.json()["answer"])
