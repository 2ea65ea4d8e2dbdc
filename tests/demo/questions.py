"""What the tests ask the fake provider."""

from __future__ import annotations

from pydantic import BaseModel

QUESTION = [{"role": "user", "content": "Where is my parcel?"}]
WEATHER = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CHAT_TOOLS = [{"type": "function", "function": WEATHER}]
RESPONSE_TOOLS = [{"type": "function", "strict": True, **WEATHER}]
MESSAGE_TOOLS = [{"name": "weather", "input_schema": WEATHER["parameters"]}]


class Place(BaseModel):
    city: str
    distance: int
