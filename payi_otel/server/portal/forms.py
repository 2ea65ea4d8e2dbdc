"""Forms: what was sent becomes a pydantic model, or errors by field, in words, that the form shows again.

    class LimitForm(FormModel):
        name: Annotated[str, Field(min_length=1, max_length=100)]
        max: Annotated[Decimal, Field(ge=0)]

    sent = read_form(LimitForm, form)
    if sent.model is None:
        return page(request, "limit_dialog.html", viewer, status=422, form=sent)

In the template `form.text("name")` is what was typed and `form.errors.get("name")` what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import FormData

from payi_otel.server.errors import ApiError
from payi_otel.server.portal.viewer import CSRF_FIELD

WHOLE_FORM = ""
"""The field of errors that belong to none."""


class FormModel(BaseModel):
    """Base of forms: text is stripped, and an empty field is one that was left out."""

    model_config = ConfigDict(str_strip_whitespace=True, extra="ignore")


M = TypeVar("M", bound=FormModel)


@dataclass(frozen=True, slots=True)
class Form(Generic[M]):
    """A form as it was sent or as it begins: `values` by field, and `errors` by field."""

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    model: M | None = None

    def text(self, name: str) -> str:
        """What stands in a field."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def all(self, name: str) -> list[str]:
        """What is chosen in a field of many."""
        value = self.values.get(name)
        return [] if value is None else [str(one) for one in value]

    @property
    def error(self) -> str | None:
        """What is wrong with the form as a whole."""
        return self.errors.get(WHOLE_FORM)

    def refused(self, error: ApiError) -> Form[M]:
        """The form with the error of the store, at the field that it names if the form has one."""
        name, _, said = error.message.partition(": ")
        name = _ALIASES.get(name, name)
        place = name if name in self.values or (self.model and name in type(self.model).model_fields) else ""
        return Form(self.values, {place: _sentence(said if place else error.message)}, self.model)


def read_form(model: type[M], form: FormData) -> Form[M]:
    """What was sent, checked. A field that takes a list gets all of its values."""
    values: dict[str, Any] = {}
    for name, known in model.model_fields.items():
        sent = [one for one in form.getlist(name) if isinstance(one, str) and one.strip()]
        if getattr(known.annotation, "__origin__", None) is list:
            values[name] = sent
        elif sent:
            values[name] = sent[-1].strip()
    try:
        return Form(values, {}, model.model_validate(values))
    except ValidationError as error:
        return Form(values, {str(one["loc"][0]) if one["loc"] else "": _words(one) for one in error.errors()})


def fields_of(form: FormData, prefix: str) -> dict[str, str]:
    """Fields whose names begin with `prefix`, by the rest of the name."""
    return {
        name[len(prefix) :]: value
        for name, value in form.multi_items()
        if name.startswith(prefix) and name != CSRF_FIELD and isinstance(value, str)
    }


# The store speaks of the API's fields.
_ALIASES = {"limit_name": "name", "limit_max": "max", "kpi_name": "name", "use_case_name": "name"}

_WORDS = {
    "missing": "Fill this in.",
    "string_too_short": "Fill this in.",
    "string_too_long": "Write at most {max_length} characters.",
    "decimal_parsing": "Write a number, 12.50 for example.",
    "decimal_type": "Write a number, 12.50 for example.",
    "finite_number": "Write a number, 12.50 for example.",
    "float_parsing": "Write a number, 12.5 for example.",
    "int_parsing": "Write a whole number.",
    "greater_than_equal": "Give at least {ge}.",
    "greater_than": "Give more than {gt}.",
    "less_than_equal": "Give at most {le}.",
    "less_than": "Give less than {lt}.",
    "literal_error": "Choose {expected}.",
    "too_short": "Choose at least {min_length}.",
    "too_long": "Choose at most {max_length}.",
    "date_from_datetime_parsing": "Write a day like 2026-01-31.",
    "date_parsing": "Write a day like 2026-01-31.",
}


def _words(error: Any) -> str:
    found = cast("dict[str, Any]", error)
    words = _WORDS.get(found["type"])
    if words is not None:
        return words.format(**found.get("ctx", {}))
    return _sentence(str(found["msg"]).removeprefix("Value error, "))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
