"""An agent that calls a tool until it has its answer; each turn is one event. Needs ANTHROPIC_API_KEY."""

from anthropic import Anthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from payi_otel import define_kpi, payi_instrument, score_kpi, track, track_context

payi_instrument()
define_kpi("travel_agent", "turns", kpi_type="number", goal=3)
client = Anthropic()

WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@track(use_case_name="travel_agent")
def plan(request: str) -> str:
    messages: list[MessageParam] = [{"role": "user", "content": request}]
    for turn in range(1, 6):
        with track_context(use_case_step=f"turn_{turn}"):
            message = client.messages.create(
                model="claude-haiku-4-5", max_tokens=500, tools=[WEATHER], messages=messages
            )
        uses = [block for block in message.content if block.type == "tool_use"]
        if not uses:
            score_kpi("turns", turn)
            return "".join(block.text for block in message.content if block.type == "text")
        messages.append({"role": "assistant", "content": message.content})
        results: list[ToolResultBlockParam] = [
            {"type": "tool_result", "tool_use_id": use.id, "content": "18 degrees"} for use in uses
        ]
        messages.append({"role": "user", "content": results})
    raise RuntimeError("no answer after five turns")


print(plan("Shall I pack an umbrella for Lisbon?"))
