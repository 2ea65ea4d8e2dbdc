"""Agents side by side: one use case instance per topic, one step per agent, in tasks and in threads."""

import asyncio

from openai import AsyncOpenAI, OpenAI

from payi_otel import payi_instrument, track, track_context, with_context

payi_instrument()


async def search(client: AsyncOpenAI, topic: str) -> str:
    with track_context(use_case_step="search"):
        found = await client.responses.create(model="gpt-4.1", input=f"Studies on {topic}")
    return found.output_text


def translate(topic: str) -> str:
    with track_context(use_case_step="translate"), OpenAI() as client:
        return client.responses.create(model="gpt-4o-mini", input=f"In French: {topic}").output_text


@track(use_case_name="research")
async def research(client: AsyncOpenAI, topic: str) -> str:
    # asyncio.to_thread would carry the scope by itself; an executor does not, so it is handed over.
    loop = asyncio.get_running_loop()
    found, translated = await asyncio.gather(
        search(client, topic), loop.run_in_executor(None, with_context(translate), topic)
    )
    with track_context(use_case_step="write", request_properties={"topic": topic}):
        written = await client.responses.create(model="gpt-4.1", input=f"{found}\n{translated}")
    return written.output_text


async def main() -> None:
    async with AsyncOpenAI() as client:
        for brief in await asyncio.gather(
            *(research(client, topic) for topic in ("tides", "dunes", "reefs"))
        ):
            print(brief)


asyncio.run(main())
