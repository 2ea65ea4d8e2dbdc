"""A use case in the headers of a message, for carriers whose headers are pairs of text and bytes, as Kafka's are."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from payi_otel import extract_baggage, inject_baggage

Headers = list[tuple[str, bytes]]


def with_use_case(headers: Sequence[tuple[str, bytes]] = ()) -> Headers:
    """The headers of a message to send, and the current use case.

    producer.send("documents", value=body, headers=with_use_case())
    """
    carrier: dict[str, str] = {}
    inject_baggage(carrier)
    return [*headers, *((name, value.encode()) for name, value in carrier.items())]


def use_case_of(headers: Sequence[tuple[str, bytes]]) -> AbstractContextManager[object]:
    """The use case that a message names.

    for message in consumer:
        with use_case_of(message.headers):
            handle(message.value)
    """
    return extract_baggage({name: value.decode("utf-8", "replace") for name, value in headers})
