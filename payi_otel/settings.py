"""Arguments of `payi_instrument()` and `PAYI_*` / `OTEL_*` variables, validated into one frozen object."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields
from typing import Any, Literal, TypeVar, cast, get_args
from urllib.parse import urlsplit

from payi_otel.providers.model import ModelMapping
from payi_otel.values import value

T = TypeVar("T")

Durability = Literal["memory", "default", "sync"]
DEFAULT_BASE_URL = "https://api.pay-i.com"


class SettingsError(ValueError):
    """A setting is wrong. The message names the setting, its value and the fix."""


def _said(help: str, env: str | None = None) -> dict[str, str]:
    """What a setting does, for docs/settings.md, and its environment variable, if it has one."""
    return {"help": help} if env is None else {"help": help, "env": env}


@value
class Settings:
    """Everything that can be set. `from_arguments` fills it; each field names its environment variable.

    A variable `PAYI_X` may also be given as `OTEL_PAYI_X`, which `opentelemetry-instrument` takes as `--payi_x`.
    """

    api_key: str | None = field(
        default=None,
        repr=False,
        metadata=_said("Key of Pay-i. Without one, events wait in the outbox.", "PAYI_API_KEY"),
    )
    base_url: str = field(
        default=DEFAULT_BASE_URL,
        metadata=_said("Address of Pay-i, or of a `payi-otel serve` of your own.", "PAYI_BASE_URL"),
    )
    timeout_s: float = field(
        default=10.0, metadata=_said("Seconds that one request to Pay-i may take.", "PAYI_TIMEOUT")
    )
    exit_timeout_s: float = field(
        default=5.0,
        metadata=_said("Seconds that the end of the process may wait for delivery.", "PAYI_EXIT_TIMEOUT"),
    )
    queue_max_bytes: int = field(
        default=64 * 1024 * 1024,
        metadata=_said("Bytes of events that may wait in memory.", "PAYI_QUEUE_MAX_BYTES"),
    )
    delivery: bool = field(
        default=True,
        metadata=_said(
            "Send events from this process; off where its spans go through a Collector to a gateway.",
            "PAYI_DELIVERY",
        ),
    )
    durability: Durability = field(
        default="default",
        metadata=_said(
            "`memory`: nothing on disk. `default`: on disk within 50 ms. `sync`: on disk before the call returns.",
            "PAYI_DURABILITY",
        ),
    )
    outbox_max_bytes: int = field(
        default=512 * 1024 * 1024,
        metadata=_said(
            "Bytes that the outbox may take on disk; at the bound the newest events are refused and counted.",
            "PAYI_OUTBOX_MAX_BYTES",
        ),
    )
    outbox_max_age_s: float = field(
        default=7 * 86_400.0,
        metadata=_said("Seconds after which an undelivered event is given up.", "PAYI_OUTBOX_MAX_AGE_S"),
    )
    handle_sigterm: bool = field(
        default=True,
        metadata=_said(
            "Deliver what is queued when SIGTERM ends the process, where the application has no handler.",
            "PAYI_HANDLE_SIGTERM",
        ),
    )
    capture_content: bool = field(
        default=False, metadata=_said("Send prompts and answers to Pay-i.", "PAYI_LOG_PROMPT_AND_RESPONSE")
    )
    instrument_inline_data: bool = field(
        default=False,
        metadata=_said(
            "With content: send images, audio and files in it as well.", "PAYI_INSTRUMENT_INLINE_DATA"
        ),
    )
    stream_usage: bool = field(
        default=True,
        metadata=_said(
            "Ask OpenAI for the usage of chat streams; your code does not see it.", "PAYI_STREAM_USAGE"
        ),
    )
    all_spans: bool = field(
        default=True,
        metadata=_said(
            "Put the use case on every span of the application that starts inside it.", "PAYI_ALL_SPANS"
        ),
    )
    propagate_threads: bool = field(
        default=False,
        metadata=_said(
            "Run new threads and tasks of thread pools in the scope they were started in.",
            "PAYI_PROPAGATE_THREADS",
        ),
    )
    proxy: bool = field(
        default=False,
        metadata=_said("Calls go through Pay-i's proxy, which bills them: no events.", "PAYI_PROXY"),
    )
    global_instrumentation: bool = field(
        default=True,
        metadata=_said(
            "Give calls outside of any scope the use case of the process.", "PAYI_GLOBAL_INSTRUMENTATION"
        ),
    )
    state_dir: str | None = field(
        default=None,
        metadata=_said(
            "Folder of the outbox; one in the user's state folder where left out.", "PAYI_OUTBOX_DIR"
        ),
    )
    instruments: frozenset[str] | None = field(
        default=None,
        metadata=_said(
            "SDKs to instrument, such as `openai`; all installed ones where left out.", "PAYI_INSTRUMENTS"
        ),
    )
    use_case_name: str | None = field(
        default=None, metadata=_said("Use case of calls outside of any scope.", "PAYI_USE_CASE_NAME")
    )
    use_case_id: str | None = field(default=None, metadata=_said("Its instance.", "PAYI_USE_CASE_ID"))
    use_case_version: int | None = field(
        default=None, metadata=_said("Its version, from 1.", "PAYI_USE_CASE_VERSION")
    )
    use_case_step: str | None = field(default=None, metadata=_said("Its step.", "PAYI_USE_CASE_STEP"))
    user_id: str | None = field(
        default=None, metadata=_said("User of calls outside of any scope.", "PAYI_USER_ID")
    )
    account_name: str | None = field(
        default=None, metadata=_said("Account of calls outside of any scope.", "PAYI_ACCOUNT_NAME")
    )
    limit_ids: tuple[str, ...] = field(
        default=(), metadata=_said("Limits that calls count towards.", "PAYI_LIMIT_IDS")
    )
    price_as_category: str | None = field(default=None, metadata=_said("Category to price all calls as."))
    price_as_resource: str | None = field(default=None, metadata=_said("Resource to price all calls as."))
    resource_scope: str | None = field(
        default=None,
        metadata=_said("Where calls run, such as `datazone.eu`, if that has a price of its own."),
    )
    request_properties: Mapping[str, Any] = field(
        default_factory=dict[str, Any], metadata=_said("Properties of every request.")
    )
    use_case_properties: Mapping[str, Any] = field(
        default_factory=dict[str, Any], metadata=_said("Properties of the use case instance.")
    )
    host_mappings: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata=_said("`{host: {'price_as_category': category}}`: how an endpoint of your own is priced."),
    )
    model_mappings: Mapping[str, tuple[ModelMapping, ...]] = field(
        default_factory=dict[str, "tuple[ModelMapping, ...]"],
        metadata=_said(
            "`{sdk: [{'model': name, 'price_as_resource': resource}]}`: how a model's alias is priced."
        ),
    )

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The environment variable of each setting that has one.

        >>> Settings.variables()["api_key"]
        'PAYI_API_KEY'
        """
        return {setting.name: setting.metadata["env"] for setting in fields(cls) if "env" in setting.metadata}

    @classmethod
    def from_arguments(
        cls, arguments: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
    ) -> Settings:
        """Merge explicit `arguments` over the environment and check every value.

        Raises `SettingsError` naming the setting, its value and the fix.

        >>> Settings.from_arguments({"use_case_name": "chat"}, environ={}).use_case_name
        'chat'
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        # Complaints name what the user wrote: the argument or the variable.
        given_as: dict[str, str] = {}
        if "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in environ:
            mode = environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"].strip().upper()
            values["capture_content"] = mode in {"SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT", "TRUE"}
        for setting in fields(cls):
            variable = setting.metadata.get("env")
            text = environ.get(variable) or environ.get(f"OTEL_{variable}") if variable else None
            if text is not None and text.strip():
                given_as[setting.name] = cast(str, variable)
                values[setting.name] = _parse(setting.name, cast(str, variable), text.strip())
        for name, given in (arguments or {}).items():
            if given is not None:
                values[name] = given
                given_as[name] = name
        known = {setting.name for setting in fields(cls)}
        for name in values.keys() - known:
            raise SettingsError(f"{name}: unknown setting; known are {', '.join(sorted(known))}")
        return cls(
            **{
                name: _CHECKS.get(name, _same)(given_as.get(name, name), value)
                for name, value in values.items()
            }
        )


def _same(name: str, value: T) -> T:
    return value


def _url(name: str, value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        raise SettingsError(f"{name}={value!r}: give an http(s) URL such as {DEFAULT_BASE_URL}")
    return cast(str, value).rstrip("/")


def _positive(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise SettingsError(f"{name}={value!r}: give a number above 0")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{name}={value!r}: give True or False")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{name}={value!r}: give a string")
    return value


def _durability(name: str, value: Any) -> Durability:
    if value not in get_args(Durability):
        raise SettingsError(f"{name}={value!r}: give one of {', '.join(get_args(Durability))}")
    return value


def _version(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError(f"{name}={value!r}: give a whole number from 1")
    return value


def _names(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SettingsError(f"{name}={value!r}: give a list of strings")
    items = tuple(cast("Iterable[Any]", value))
    for item in items:
        _text(name, item)
    return items


def _host_mappings(name: str, value: Any) -> dict[str, str]:
    """`{host or URL: {"price_as_category": category}}` → `{host: category}`."""
    result: dict[str, str] = {}
    for host, rule in _mapping(name, value).items():
        category = _mapping(f"{name}[{host!r}]", rule).get("price_as_category")
        if not isinstance(category, str) or not category:
            raise SettingsError(f"{name}[{host!r}]={rule!r}: give {{'price_as_category': '<category>'}}")
        result[(urlsplit(host).hostname or host) if "//" in host else host] = category
    return result


def _model_mappings(name: str, value: Any) -> dict[str, tuple[ModelMapping, ...]]:
    result: dict[str, tuple[ModelMapping, ...]] = {}
    for sdk, rules in _mapping(name, value).items():
        checked: list[ModelMapping] = []
        for rule in cast("Iterable[Any]", rules):
            entry = _mapping(f"{name}[{sdk!r}]", rule)
            if not isinstance(entry.get("model"), str):
                raise SettingsError(f"{name}[{sdk!r}]={entry!r}: give 'model', the model's name")
            names = ("model", "host", "price_as_category", "price_as_resource", "resource_scope")
            mapping = ModelMapping(**{key: entry[key] for key in names if entry.get(key)})
            if not (mapping.price_as_category or mapping.price_as_resource):
                raise SettingsError(
                    f"{name}[{sdk!r}]={entry!r}: give 'price_as_category' or 'price_as_resource' as well"
                )
            checked.append(mapping)
        result[sdk] = tuple(checked)
    return result


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{name}={value!r}: give a dict")
    return cast("Mapping[str, Any]", value)


_TEXTS = (
    "api_key",
    "state_dir",
    "use_case_name",
    "use_case_id",
    "use_case_step",
    "user_id",
    "account_name",
    "price_as_category",
    "price_as_resource",
    "resource_scope",
)
_FLAGS = (
    "capture_content",
    "instrument_inline_data",
    "stream_usage",
    "all_spans",
    "propagate_threads",
    "proxy",
    "global_instrumentation",
    "handle_sigterm",
    "delivery",
)
_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_FLAGS, _flag),
    "base_url": _url,
    "timeout_s": _positive,
    "exit_timeout_s": _positive,
    "queue_max_bytes": _positive,
    "durability": _durability,
    "outbox_max_bytes": _positive,
    "outbox_max_age_s": _positive,
    "use_case_version": _version,
    "limit_ids": _names,
    "instruments": lambda name, value: frozenset(_names(name, value)),
    "request_properties": _mapping,
    "use_case_properties": _mapping,
    "host_mappings": _host_mappings,
    "model_mappings": _model_mappings,
}


def _parse(name: str, variable: str, text: str) -> Any:
    """A variable's text as the type its setting wants."""
    if name in _FLAGS:
        lowered = text.lower()
        if lowered in {"1", "true", "yes", "on"}:
            return True
        if lowered in {"0", "false", "no", "off"}:
            return False
        raise SettingsError(f"{variable}={text!r}: give true or false")
    if name in {"timeout_s", "exit_timeout_s", "outbox_max_age_s"}:
        return _number(variable, text, float)
    if name in {"queue_max_bytes", "outbox_max_bytes", "use_case_version"}:
        return _number(variable, text, int)
    if name in {"limit_ids", "instruments"}:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _number(variable: str, text: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{variable}={text!r}: give a number") from None
