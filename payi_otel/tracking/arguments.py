"""The keyword arguments of a scope, checked once and brought to one form."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType
from typing import TypeAlias, cast

from typing_extensions import TypedDict

from payi_otel.tracking.naming import valid_use_case_name
from payi_otel.values import value

PropertyValue: TypeAlias = "str | int | float | bool | None"
Properties: TypeAlias = "Mapping[str, str | None]"


class ScopeArguments(TypedDict, total=False):
    """What a scope may say about the calls made in it. Everything is optional; None or absent inherits.

    * `use_case_name`: the feature the calls belong to. `""` leaves the use case of the outer scope.
    * `use_case_id`: one run of it, any string. A new UUID4 where a scope changes the name without an id;
      `""` lets Pay-i choose.
    * `use_case_version`: pins the version of the use case, 1 or more.
    * `use_case_step`: the part of the run, free text; `""` clears.
    * `use_case_properties`, `request_properties`: facts to group costs by. Numbers are kept as text, None is
      a value. Merged with those of the outer scope, the inner ones winning; `{}` clears.
    * `limit_ids`: limits to count against, added to those of the outer scope; `[]` clears.
    * `user_id`, `account_name`: who the calls are made for; `""` clears.
    * `price_as_category`, `price_as_resource`, `resource_scope`: what to price instead of the model that was
      called; `""` clears.
    * `log_prompt_and_response`: False keeps the bodies of the calls out of what is recorded.
    * `proxy`: whether the calls go through the Pay-i proxy, which then records them.
    * `experience_name`, `experience_id`, `request_tags`: deprecated names of `use_case_name`, `use_case_id`
      and of a request property.
    """

    use_case_name: str | None
    use_case_id: str | None
    use_case_version: int | None
    use_case_step: str | None
    use_case_properties: Mapping[str, PropertyValue] | None
    request_properties: Mapping[str, PropertyValue] | None
    limit_ids: list[str] | tuple[str, ...] | Set[str] | None
    user_id: str | None
    account_name: str | None
    price_as_category: str | None
    price_as_resource: str | None
    resource_scope: str | None
    log_prompt_and_response: bool | None
    proxy: bool | None
    experience_name: str | None
    experience_id: str | None
    request_tags: str | list[str] | tuple[str, ...] | Set[str] | None


@value
class ScopeChange:
    """`ScopeArguments` after the check: legacy names resolved, values of one type, None meaning "inherit"."""

    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_version: int | None = None
    use_case_step: str | None = None
    use_case_properties: Properties | None = None
    request_properties: Properties | None = None
    limit_ids: tuple[str, ...] | None = None
    user_id: str | None = None
    account_name: str | None = None
    price_as_category: str | None = None
    price_as_resource: str | None = None
    resource_scope: str | None = None
    log_prompt_and_response: bool | None = None
    proxy: bool | None = None


_MAX_VERSION = 2**31 - 1
_RENAMED = {"experience_name": "use_case_name", "experience_id": "use_case_id"}
_NAMES = frozenset(ScopeChange.__match_args__)


def read_arguments(function: str, arguments: Mapping[str, object]) -> ScopeChange:
    """Check the arguments given to `function` and bring them to one form.

    Raises TypeError for an unknown argument or a value of the wrong type, and ValueError for a version below
    1; both name the argument, the value and what to pass instead. An unusable use case name is repaired.
    """
    values = _without_legacy_names(function, arguments)
    unknown = sorted(values.keys() - _NAMES)
    if unknown:
        raise TypeError(
            f"{function}() has no argument {unknown[0]!r}; use one of {', '.join(sorted(_NAMES))}"
        )
    check = _Check(function, values)
    name = check.text("use_case_name")
    return ScopeChange(
        use_case_name=valid_use_case_name(name) if name else name,
        use_case_id=check.text("use_case_id"),
        use_case_version=check.version(),
        use_case_step=check.text("use_case_step"),
        use_case_properties=check.properties("use_case_properties"),
        request_properties=check.properties("request_properties"),
        limit_ids=check.limit_ids(),
        user_id=check.text("user_id"),
        account_name=check.text("account_name"),
        price_as_category=check.text("price_as_category"),
        price_as_resource=check.text("price_as_resource"),
        resource_scope=check.text("resource_scope"),
        log_prompt_and_response=check.flag("log_prompt_and_response"),
        proxy=check.flag("proxy"),
    )


def parse_version(text: str) -> int | None:
    """A use case version that came as text, None if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_VERSION))):
        return None
    version = int(text)
    return version if 1 <= version <= _MAX_VERSION else None


class _Check:
    """Reads one argument after the other; every error names the function, the argument and the value."""

    def __init__(self, function: str, values: Mapping[str, object]) -> None:
        self._function = function
        self._values = values

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, "a string", f"pass {name}=str(...)")

    def flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "True, False or None", f"pass {name}=bool(...)")

    def version(self) -> int | None:
        value = self._values.get("use_case_version")
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(
                "use_case_version", "an integer", "pass the number alone, as in use_case_version=2"
            )
        if 1 <= value <= _MAX_VERSION:
            return value
        raise ValueError(
            f"{self._function}(): use_case_version must be from 1 to {_MAX_VERSION}, got {value}; "
            "leave it out for the latest version"
        )

    def limit_ids(self) -> tuple[str, ...] | None:
        value = self._values.get("limit_ids")
        if value is None:
            return None
        ids = _strings(value)
        if ids is None:
            raise self._wrong("limit_ids", "a list of strings", "pass limit_ids=[...], also for a single id")
        named = tuple(dict.fromkeys(stripped for one in ids if (stripped := one.strip())))
        # A list of blanks names no limit, but only the empty list says "no limits here".
        return named if named or not ids else None

    def properties(self, name: str) -> Properties | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self._wrong(name, "a mapping of names to strings", f'pass {name}={{"name": "value"}}')
        entries = cast("Mapping[object, object]", value)
        return MappingProxyType(
            {self._key(name, key): self._property(name, key, entries[key]) for key in entries}
        )

    def _key(self, name: str, key: object) -> str:
        if isinstance(key, str) and key:
            return key
        raise TypeError(f"{self._function}(): {name} has the key {key!r}; use non-empty strings as keys")

    def _property(self, name: str, key: object, value: object) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (bool, int, float)):
            return str(value)
        raise TypeError(
            f"{self._function}(): {name}[{key!r}] must be a string, a number or None, got {_shown(value)}; "
            "pass str(...) or json.dumps(...) of it"
        )

    def _wrong(self, name: str, expected: str, fix: str) -> TypeError:
        got = _shown(self._values[name])
        return TypeError(f"{self._function}(): {name} must be {expected}, got {got}; {fix}")


def _without_legacy_names(function: str, arguments: Mapping[str, object]) -> dict[str, object]:
    values = dict(arguments)
    for old, new in _RENAMED.items():
        value = values.pop(old, None)
        if value is None:
            continue
        _warn_deprecated(f"{function}({old}=...) is now {function}({new}=...)")
        if values.get(new) is None:
            values[new] = value
    tags = values.pop("request_tags", None)
    if tags is not None:
        _warn_deprecated(
            f"{function}(request_tags=...) is now a request property: request_properties={{...}}"
        )
        names = [tags] if isinstance(tags, str) else _strings(tags)
        if names is None:
            raise TypeError(
                f"{function}(): request_tags must be a list of strings, got {_shown(tags)}; "
                'pass request_properties={"name": "value"} instead'
            )
        properties = values.get("request_properties")
        if names and (properties is None or isinstance(properties, Mapping)):
            values["request_properties"] = {"request_tags": ",".join(names), **(properties or {})}
    return values


def _warn_deprecated(message: str) -> None:
    # On the caller's line: between it and here are the public function and the two readers.
    warnings.warn(f"payi_otel: {message}", DeprecationWarning, stacklevel=5)


def _strings(value: object) -> list[str] | None:
    """The items of a list, tuple or set of strings; None for anything else, a lone string included."""
    if not isinstance(value, (list, tuple, Set)):
        return None
    items = cast("Iterable[object]", value)
    strings = [item for item in items if isinstance(item, str)]
    return strings if len(strings) == len(cast("list[object]", value)) else None


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"
