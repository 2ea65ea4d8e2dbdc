"""A service that streams an answer to the browser; the scope lives as long as the stream.

uvicorn fastapi_streaming:app, then: curl -N 'http://127.0.0.1:8000/ask?question=Why&user=jane'
"""

from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

from payi_otel import define_kpi, payi_instrument, score_kpi, track_context

payi_instrument()
define_kpi("ask_page", "read_to_end", kpi_type="boolean", goal=0.9)
app = FastAPI()
client = AsyncOpenAI()


@app.get("/ask")
async def ask(question: str, user: str) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:
        with track_context(use_case_name="ask_page", use_case_step="answer", user_id=user):
            stream = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": question}], stream=True
            )
            async for chunk in stream:
                if chunk.choices:
                    yield chunk.choices[0].delta.content or ""
            score_kpi("read_to_end", True)

    return StreamingResponse(words(), media_type="text/plain")
