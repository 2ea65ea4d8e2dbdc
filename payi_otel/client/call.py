"""One endpoint call as plain data: what to send and how to read the answer. No I/O here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar, cast
from urllib.parse import quote, urlencode

import httpx2

from payi_otel.client.errors import APIResponseValidationError, InvalidArgumentError

T = TypeVar("T")
U = TypeVar("U")

Timeout: TypeAlias = "float | httpx2.Timeout | None"
Scalar: TypeAlias = "str | int | float | bool | datetime | Sequence[str] | None"


class Options(TypedDict, total=False):
    """What every method also takes: additions to the request, which win over everything else.

    `timeout` is in seconds; None waits for ever.
    """

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    timeout: Timeout


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The decoded body. Raises `APIResponseValidationError` when it is not JSON."""
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise APIResponseValidationError(
                f"HTTP {self.status} without a JSON body ({self.text[:80]!r}): check base_url", body=self.text
            ) from error


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request: `path` is already percent-encoded, `parse` reads the answer.

    `repeatable`: sending it twice leaves the same state as once, so it may be sent again when nobody knows
    whether the first one arrived.
    """

    method: str
    path: str
    parse: Callable[[Reply], T]
    repeatable: bool
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        unknown = self.options.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
        if self.options.get("extra_body") and not isinstance(self.body, (Mapping, type(None))):
            raise InvalidArgumentError("extra_body: this request's body is a list; add to its items instead")

    def then(self, change: Callable[[T], U]) -> Call[U]:
        """The same call with its result changed."""

        def parse(reply: Reply) -> U:
            return change(self.parse(reply))

        return replace(cast("Call[Any]", self), parse=parse)

    def with_query(self, **query: Any) -> Call[T]:
        """The same call with other query values, for the next page."""
        return replace(self, query={**self.query, **query})

    def target(self, default_query: Mapping[str, Any]) -> str:
        """Path and query string: None left out, lists comma-joined, booleans in lower case."""
        query = {**default_query, **self.query, **(self.options.get("extra_query") or {})}
        pairs = [(name, _query_text(value)) for name, value in query.items() if value is not None]
        return f"{self.path}?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else self.path

    def content(self) -> bytes | None:
        """The JSON body, or None for a request without one."""
        extra = self.options.get("extra_body")
        body = {**(cast("Mapping[str, Any] | None", self.body) or {}), **extra} if extra else self.body
        return None if body is None else encode_json(body)


def path(template: str, **values: str) -> str:
    """Fill `{name}` in `template` under /api/v1 with percent-encoded `values`.

    >>> path("kpis/{kpi_name}", kpi_name="Conversion $ Value")
    '/api/v1/kpis/Conversion%20%24%20Value'
    """
    for name, value in values.items():
        if not isinstance(value, str) or not value:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgumentError(f"{name}={value!r}: give a non-empty string")
        if value in {".", ".."}:
            raise InvalidArgumentError(f"{name}={value!r}: give another name, a URL cannot carry this one")
    encoded = {name: quote(value, safe="", errors="replace") for name, value in values.items()}
    return "/api/v1/" + template.format(**encoded)


def given(**values: Any) -> dict[str, Any]:
    """The arguments that are not None: the API reads an absent field as "unchanged" or "default"."""
    return {name: value for name, value in values.items() if value is not None}


def encode_json(value: Any) -> bytes:
    """UTF-8 JSON; dates as ISO 8601. Raises `InvalidArgumentError` for what JSON cannot carry."""
    try:
        # A lone surrogate (half an emoji cut by a truncation) would make the whole body unsendable.
        return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "replace"
        )
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"request body: {error}; give strings, finite numbers, lists and dicts"
        ) from None


def iso(value: datetime) -> str:
    """ISO 8601 with an offset. A datetime without zone is local time, as Python's own methods take it."""
    return (value if value.tzinfo else value.astimezone()).isoformat()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    if isinstance(value, (tuple, set, frozenset)):
        return list(cast("Sequence[Any]", value))
    raise TypeError(f"{type(value).__name__} {value!r} is not JSON")


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, (list, tuple)):
        return ",".join(_query_text(item) for item in cast("Sequence[Any]", value))
    return str(value)
