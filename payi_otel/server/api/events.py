"""Events as the Ingest API takes them, and how their fields and headers become an `Event` of the store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, StrictInt, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, core_schema

from payi_otel.server.api.models import Body, Identity, PropertyMap, Text, storable
from payi_otel.server.errors import ApiError, validation_error
from payi_otel.server.pricing import UnitCount
from payi_otel.server.store.ingest import Event
from payi_otel.server.store.use_cases import checked_name
from payi_otel.server.withholding import without_secrets

LARGEST_COUNT = 2**31 - 1
_FUTURE = timedelta(minutes=5)
_COLUMNS = frozenset(
    (
        "category",
        "resource",
        "end_to_end_latency_ms",
        "time_to_first_token_ms",
        "time_to_first_completion_token_ms",
        "http_status_code",
        "provider_uri",
        "use_case_step",
        "user_id",
        "account_name",
        "limit_ids",
        "request_tags",
    )
)
_BODIES = ("provider_request_json", "provider_request_reasoning_json", "provider_response_json")
_HEADERS = ("provider_request_headers", "provider_response_headers")
_SAID = frozenset((*_BODIES, *_HEADERS, "provider_response_function_calls"))

Count = Annotated[StrictInt, Field(ge=0, le=LARGEST_COUNT)]
Milliseconds = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]


class Units(Body):
    """A count of one unit."""

    input: Count | None = None
    output: Count | None = None


def _as_units(value: Any) -> Any:
    # The official SDK sends Bedrock Nova's cache counts as bare numbers; they are input.
    return {"input": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Header(Body):
    """A header of the provider's request or response."""

    name: Text
    value: Text | None = None


class FunctionCall(Body):
    """A tool the model asked for."""

    name: Text
    arguments: Text | None = None


class IngestRequest(Body):
    """One event; whom it belongs to comes in headers."""

    category: Annotated[Text, Field(min_length=1)]
    units: dict[Identity, Annotated[Units, BeforeValidator(_as_units)]]
    resource: Text | None = None
    event_timestamp: datetime | None = None
    end_to_end_latency_ms: Milliseconds | None = None
    time_to_first_token_ms: Milliseconds | None = None
    time_to_first_completion_token_ms: Milliseconds | None = None
    http_status_code: Annotated[int, Field(ge=0, le=999)] | None = None
    provider_uri: Text | None = None
    provider_request_json: Text | None = None
    provider_request_reasoning_json: Text | None = None
    provider_request_headers: list[Header] | None = None
    provider_response_json: Text | list[Text] | None = None
    provider_response_headers: list[Header] | None = None
    provider_response_function_calls: list[FunctionCall] | None = None
    provider_response_id: Identity | None = None
    properties: PropertyMap | None = None
    use_case_properties: PropertyMap | None = None


class BulkIngestRequest(IngestRequest):
    """One event of many, with whom it belongs to."""

    account_name: Text | None = None
    limit_ids: list[Text] | None = None
    request_tags: list[Text] | None = None
    scope: Text | None = None
    use_case_id: Identity | None = None
    use_case_name: Text | None = None
    use_case_step: Text | None = None
    use_case_version: Annotated[int, Field(ge=1, le=LARGEST_COUNT)] | None = None
    user_id: Text | None = None


Fields = Mapping[str, Any]
"""Checked fields of a `BulkIngestRequest` by name, of which those that were not sent may be missing."""


def _plain(schema: Any) -> Any:
    """A model's core schema without the model: checked as strictly, it makes dictionaries of what was sent.

    What repairs a field is left out, for the few events that need it. Checked on pydantic 2.7 to 2.14.
    """
    if isinstance(schema, list):
        return [_plain(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("dict[str, Any]", schema)
    kind = given.get("type")
    if kind == "function-before" and given["function"]["function"] in (storable, _as_units):
        return _plain(given["schema"])
    if kind != "model":
        return {name: _plain(value) for name, value in given.items()}
    fields: dict[str, core_schema.TypedDictField] = {}
    for name, field in given["schema"]["fields"].items():
        has_default = field["schema"]["type"] == "default"
        inner = _plain(field["schema"]["schema"] if has_default else field["schema"])
        fields[name] = core_schema.typed_dict_field(inner, required=not has_default)
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid", ref=given.get("ref"))


_MANY = SchemaValidator(_plain(TypeAdapter(list[BulkIngestRequest]).core_schema))
_REPAIRED = b"\\u0000"


def checked_json(body: bytes) -> list[Fields] | None:
    """The fields of many events; None where one is wrong, or not as it will be stored: check each by itself then."""
    if _REPAIRED in body:
        return None
    try:
        return _MANY.validate_json(body)
    except ValidationError:
        return None


def checked_fields(item: Any) -> Fields:
    """The fields of one event; raises `ValidationError`."""
    return BulkIngestRequest.model_validate(item).model_dump(exclude_unset=True)


def accepted_fields(item: Any) -> Fields:
    """The fields of one event; raises an `ApiError` that names what is wrong."""
    try:
        return checked_fields(item)
    except ValidationError as error:
        raise validation_error(error.errors(include_url=False)) from None


def attribution(headers: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a bulk event that single ingest carries in headers. The older names mean the same."""

    def text(*names: str) -> str | None:
        return next((_decoded(headers[name]) for name in names if headers.get(name)), None)

    def listed(*names: str) -> list[str] | None:
        parts = [part.strip() for part in (text(*names) or "").split(",")]
        return [part for part in parts if part] or None

    fields = {
        "limit_ids": listed("xProxy-Limit-IDs", "xProxy-Budget-IDs"),
        "request_tags": listed("xProxy-Request-Tags"),
        "user_id": text("xProxy-User-ID"),
        "account_name": text("xProxy-Account-Name"),
        "use_case_name": text("xProxy-UseCase-Name", "xProxy-Experience-Name"),
        "use_case_id": text("xProxy-UseCase-ID", "xProxy-Experience-ID"),
        "use_case_step": text("xProxy-UseCase-Step"),
        "use_case_version": text("xProxy-UseCase-Version"),
        "scope": text("xProxy-Resource-Scope"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def price_as(headers: Mapping[str, str]) -> dict[str, str]:
    """The columns for what a request is to be priced as; "RouteAs" is the older name."""
    named = {
        "price_as_category": headers.get("xProxy-PriceAs-Category", "").strip(),
        "price_as_resource": (
            headers.get("xProxy-PriceAs-Resource") or headers.get("xProxy-RouteAs-Resource") or ""
        ).strip(),
    }
    return {name: value for name, value in named.items() if value}


def logging_disabled(headers: Mapping[str, str]) -> bool:
    """Whether the sender asks that bodies are not stored."""
    return headers.get("xProxy-Logging-Disable", "").strip().lower() == "true"


def to_event(item: Fields, now: datetime, *, event_id: str | None = None, log: bool = True) -> Event:
    """The event to store; raises `ApiError` for what its fields alone show to be wrong.

    `event_id` identifies an event without a `provider_response_id`. Headers that may hold credentials are kept
    without their values.
    """
    given = item.get
    columns = {
        name: value for name, value in item.items() if name in _COLUMNS and value is not None and value != ""
    }
    if scope := given("scope"):
        columns["resource_scope"] = scope
    if (at := given("event_timestamp")) is not None:
        columns["event_timestamp"] = _checked_timestamp(at, now)
    if (calls := given("provider_response_function_calls")) is not None:
        # Which tools were asked for is no secret; with what may be.
        columns["function_calls"] = [{"name": call["name"]} for call in calls]
    use_case_name = given("use_case_name")
    units = {
        name: UnitCount(count.get("input") or 0, count.get("output") or 0)
        for name, count in item["units"].items()
    }
    # By place, which takes half as long as by name.
    return Event(
        given("provider_response_id") or event_id or None,
        columns,
        units,
        checked_name(use_case_name) if use_case_name else None,
        given("use_case_id") or None,
        given("use_case_version"),
        given("properties") or {},
        given("use_case_properties") or {},
        _bodies(item) if log and not _SAID.isdisjoint(item) else {},
    )


def _bodies(item: Fields) -> dict[str, Any]:
    bodies = {name: value for name in _BODIES if (value := item.get(name)) is not None}
    for name in _HEADERS:
        if headers := item.get(name):
            bodies[name] = without_secrets((header["name"], header.get("value")) for header in headers)
    calls = item.get("provider_response_function_calls")
    if calls is not None:
        bodies["function_calls"] = [
            {"name": call["name"], "arguments": call.get("arguments")} for call in calls
        ]
    return bodies


def _checked_timestamp(value: datetime, now: datetime) -> datetime:
    try:
        at = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
    except OverflowError:
        raise _bad_timestamp(value, "is out of range") from None
    if at > now + _FUTURE:
        raise _bad_timestamp(value, "is more than 5 minutes in the future; check the sender's clock")
    return at


def _bad_timestamp(value: datetime, problem: str) -> ApiError:
    return ApiError(400, "invalid_ingest_event_timestamp", f"event_timestamp: {value.isoformat()} {problem}")


def _decoded(value: str) -> str:
    """Header text that was sent as UTF-8, which HTTP libraries read as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
