"""An application with both SDKs: five features, each a use case with KPIs, as a team would write them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import anthropic
import openai

from payi_otel import define_kpi, increment_kpi, score_kpi, track, track_context
from payi_otel.kpi import KpiType

CHAT_MODEL = "gpt-4o-mini"
WRITING_MODEL = "gpt-4.1"
EMBEDDING_MODEL = "text-embedding-3-small"
CLAUDE_MODEL = "claude-haiku-4-5"
# The fake provider answers this model with HTTP 429, and a vendor, which does not know it, with 404.
FAILING_MODEL = "error-429"


@dataclass(frozen=True, slots=True)
class Kpi:
    """A KPI of one of the features, and the average it is to reach."""

    use_case_name: str
    name: str
    kpi_type: KpiType
    goal: float
    description: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One feature of the application, and the SDKs it needs a key for."""

    use_case_name: str
    run: Callable[[], None]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A customer's question, and how the customer found the answer."""

    question: str
    solved: bool
    stars: int


KPIS = (
    Kpi("support_chat", "solved", "boolean", 0.6, "Solved without a human"),
    Kpi("support_chat", "satisfaction", "likert5", 4.0, "Stars the customer gave"),
    Kpi("research_brief", "quality", "likert10", 8.0, "The editor's rating"),
    Kpi("claims_agent", "minutes_saved", "number", 20.0, "Work a clerk did not have to do"),
    Kpi("document_index", "coverage", "percentage", 95.0, "Documents that can be found"),
    Kpi("autocomplete", "accepted", "boolean", 0.3, "Completions the author kept"),
)
_TICKETS = (
    Ticket("Where is my parcel? It was to be here on Monday.", True, 5),
    Ticket("The invoice has the wrong address on it. Can you change it?", True, 4),
    Ticket("My account is locked and the code never comes.", False, 2),
)
_TOPICS = ("heat pumps in old houses", "night trains across Europe")
_DOCUMENTS = tuple(f"Manual, chapter {number}: how to look after part {number * 7}." for number in range(24))
_CLAIM_TOOL = {
    "name": "claim",
    "description": "Look up a claim by its number.",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "integer"}},
        "required": ["number"],
        "additionalProperties": False,
    },
}


def scenarios(application: Application) -> Sequence[Scenario]:
    """The features of the application, in the order in which the demo runs them."""
    both = frozenset({"openai", "anthropic"})
    only_openai = frozenset({"openai"})
    return (
        Scenario("support_chat", application.support_chat, only_openai),
        Scenario("research_brief", application.research_briefs, both),
        Scenario("claims_agent", application.claims_agent, both),
        Scenario("document_index", application.document_index, only_openai),
        Scenario("autocomplete", application.autocomplete, only_openai),
    )


def define_kpis(use_case_names: Sequence[str]) -> None:
    """Define the KPIs of these use cases. Pay-i keeps the ones it already has."""
    for kpi in KPIS:
        if kpi.use_case_name in use_case_names:
            define_kpi(kpi.use_case_name, kpi.name, kpi.kpi_type, kpi.goal, kpi.description)


class Application:
    """The features. SDK clients are made where they are used and read their keys from the environment.

    `openai_base_url` and `anthropic_base_url` are None to talk to the vendors.
    """

    def __init__(self, openai_base_url: str | None, anthropic_base_url: str | None) -> None:
        self._openai_base_url = openai_base_url
        self._anthropic_base_url = anthropic_base_url

    def support_chat(self) -> None:
        """Threads that answer tickets: a short chat to sort each, a streamed one to answer it."""
        with self._openai() as client, ThreadPoolExecutor(3) as pool:
            list(pool.map(partial(self._ticket, client), _TICKETS))

    @track(use_case_name="support_chat", use_case_version=1, account_name="Northwind")
    def _ticket(self, client: openai.OpenAI, ticket: Ticket) -> None:
        with track_context(use_case_step="sort"):
            client.chat.completions.create(
                model=CHAT_MODEL, messages=[{"role": "user", "content": f"Which team? {ticket.question}"}]
            )
        with track_context(use_case_step="answer"):
            stream = client.chat.completions.create(
                model=CHAT_MODEL, messages=[{"role": "user", "content": ticket.question}], stream=True
            )
            "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        score_kpi("solved", ticket.solved)
        score_kpi("satisfaction", ticket.stars)

    def research_briefs(self) -> None:
        """Tasks that run side by side, each with three agents of two vendors."""

        async def main() -> None:
            async with self._async_openai() as client, self._async_anthropic() as claude:
                await asyncio.gather(*(self._brief(client, claude, topic) for topic in _TOPICS))

        asyncio.run(main())

    @track(use_case_name="research_brief", user_id="editor@example.com")
    async def _brief(self, client: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic, topic: str) -> None:
        async def gather_facts(source: str) -> str:
            async with track_context(use_case_step="search", request_properties={"source": source}):
                found = await client.responses.create(model=WRITING_MODEL, input=f"{source} on {topic}")
                return found.output_text

        facts = await asyncio.gather(*(gather_facts(source) for source in ("Studies", "Prices", "Law")))
        async with (
            track_context(use_case_step="write"),
            claude.messages.stream(
                model=CLAUDE_MODEL,
                max_tokens=400,
                messages=[{"role": "user", "content": f"A brief on {topic} from: {' '.join(facts)}"}],
            ) as writing,
        ):
            brief = await writing.get_final_text()
        async with (
            track_context(use_case_step="review"),
            client.responses.stream(model=WRITING_MODEL, input=f"Review: {brief}") as review,
        ):
            await review.get_final_response()
        await score_kpi("quality", 9 if len(topic) > 24 else 8)

    def claims_agent(self) -> None:
        """Two agents that look claims up with a tool: by the Anthropic tool runner, and by hand."""
        with self._anthropic() as claude:
            self._claim_by_runner(claude)
        with self._openai() as client:
            self._claim_by_hand(client)

    @track(use_case_name="claims_agent", use_case_properties={"vendor": "anthropic"})
    def _claim_by_runner(self, claude: anthropic.Anthropic) -> None:
        @anthropic.beta_tool
        def claim(number: int) -> str:
            """Look up a claim by its number."""
            increment_kpi("minutes_saved", by=12)
            return f"Claim {number}: broken window, 310 euro."

        with track_context(use_case_step="decide"):
            claude.beta.messages.tool_runner(
                model=CLAUDE_MODEL,
                max_tokens=400,
                messages=[{"role": "user", "content": "May claim 3 be paid?"}],
                tools=[claim],
            ).until_done()
        increment_kpi("minutes_saved", by=15)

    @track(use_case_name="claims_agent", use_case_properties={"vendor": "openai"})
    def _claim_by_hand(self, client: openai.OpenAI) -> None:
        messages: list[Any] = [{"role": "user", "content": "May claim 4 be paid?"}]
        tools = cast(Any, [{"type": "function", "function": _CLAIM_TOOL}])
        while True:
            with track_context(use_case_step="decide"):
                completion = client.chat.completions.create(
                    model=WRITING_MODEL, messages=messages, tools=tools
                )
            message = completion.choices[0].message
            if not message.tool_calls:
                break
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls:
                arguments = json.loads(cast(Any, call).function.arguments)
                content = f"Claim {arguments['number']}: lost bicycle, 540 euro."
                messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
        score_kpi("minutes_saved", 19)

    @track(use_case_name="document_index")
    def document_index(self) -> None:
        """Embeddings in two requests, and a request that the vendor refuses."""
        with self._openai() as client:
            half = len(_DOCUMENTS) // 2
            for part in (_DOCUMENTS[:half], _DOCUMENTS[half:]):
                client.embeddings.create(model=EMBEDDING_MODEL, input=list(part))
            try:
                client.with_options(max_retries=0).embeddings.create(model=FAILING_MODEL, input="Appendix")
            except openai.APIStatusError:
                indexed = len(_DOCUMENTS)
                score_kpi("coverage", 100 * indexed / (indexed + 1))

    def autocomplete(self) -> None:
        """An author who types on: one completion is read to its end, the other is dropped half way."""
        with self._openai() as client:
            self._complete(client, "The history of the lighthouse begins", pieces=None)
            self._complete(client, "In the village nobody remembered why", pieces=5)

    @track(use_case_name="autocomplete")
    def _complete(self, client: openai.OpenAI, text: str, *, pieces: int | None) -> None:
        with client.chat.completions.create(
            model=CHAT_MODEL, messages=[{"role": "user", "content": f"Go on: {text}"}], stream=True
        ) as stream:
            for number, _ in enumerate(stream):
                if number == pieces:
                    break
        score_kpi("accepted", pieces is None)

    def _openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self._openai_base_url)

    def _async_openai(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self._openai_base_url)

    def _anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self._anthropic_base_url)

    def _async_anthropic(self) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(base_url=self._anthropic_base_url)
