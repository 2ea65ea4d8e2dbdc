"""Use case instances: their properties, KPI scores and value."""

from __future__ import annotations

from typing import Any

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, Reply, path
from payi_otel.client.decode import one
from payi_otel.client.endpoint import Resource, S, endpoint, pages
from payi_otel.client.errors import InvalidArgumentError
from payi_otel.client.pages import Listing, listing
from payi_otel.client.resources.definitions import Definitions
from payi_otel.client.results import KpiScore, UseCase, UseCaseValue


def instance_path(use_case_id: str, use_case_name: str | None, rest: str = "", **values: str) -> str:
    """An instance's path. Without a name it is that of the older API, which finds the id application-wide."""
    if use_case_name is None:
        return path("use_cases/instances/{use_case_id}" + rest, use_case_id=use_case_id, **values)
    return path(
        "use_cases/instances/{use_case_name}/{use_case_id}" + rest,
        use_case_name=use_case_name,
        use_case_id=use_case_id,
        **values,
    )


class UseCaseProperties(Resource[S]):
    """Properties of an instance, to pivot its cost and value by."""

    @endpoint
    def update(
        self,
        use_case_id: str,
        *,
        properties: params.Properties,
        use_case_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[UseCase]:
        """Set `properties` of an instance; None clears one, others stay.

        >>> client.use_cases.properties.update("ticket-42", use_case_name="chat",
        ...     properties={"tier": "gold"})  # doctest: +SKIP
        """
        body = {"properties": params.property_values("properties", properties)}
        target = instance_path(use_case_id, use_case_name, "/properties")
        return Call("PUT", target, one(UseCase), repeatable=True, body=body, options=options)

    @endpoint
    def create(
        self,
        use_case_id: str,
        *,
        property_name: str | None = None,
        value: Any = None,
        properties: params.Properties | None = None,
        use_case_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[UseCase]:
        """Set one property by `property_name` and `value`, or several by `properties`: the older name of `update`."""
        if (property_name is None) == (properties is None):
            raise InvalidArgumentError(
                f"property_name={property_name!r}, properties={properties!r}: give one of them"
            )
        if properties is None:
            properties = {params.text("property_name", property_name): value}
        return UseCaseProperties[Any].update.describe(
            self, use_case_id, properties=properties, use_case_name=use_case_name, **options
        )


class UseCaseKpis(Resource[S]):
    """KPI scores of an instance."""

    @endpoint
    def update(
        self,
        kpi_name: str,
        *,
        use_case_id: str,
        score: bool | float | None,
        use_case_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[None]:
        """Set the score of a KPI for an instance, replacing an earlier one; None clears it.

        A boolean KPI takes True/False or 1/0, a likertN one 1 to N, the others any finite number.

        >>> client.use_cases.kpis.update("Deflection Rate", use_case_name="chat",
        ...     use_case_id="ticket-42", score=True)  # doctest: +SKIP
        """
        return _set_score(kpi_name, use_case_id, use_case_name, score, options)

    @endpoint
    def create(
        self,
        kpi_name: str,
        *,
        use_case_id: str,
        score: bool | float | None,
        use_case_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[None]:
        """Set the score of a KPI for an instance: the older name of `update`."""
        return _set_score(kpi_name, use_case_id, use_case_name, score, options)

    @endpoint
    def delete(
        self,
        kpi_name: str,
        *,
        use_case_id: str,
        use_case_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[None]:
        """Clear the score of a KPI for an instance."""
        return _set_score(kpi_name, use_case_id, use_case_name, None, options)

    @pages
    def list(
        self,
        use_case_id: str,
        *,
        use_case_name: str | None = None,
        kpi_name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[KpiScore]:
        """The scores of an instance, optionally of `kpi_name` alone; `limit` is the page size."""
        return listing(
            instance_path(use_case_id, use_case_name, "/kpis"),
            KpiScore,
            kpi_name=kpi_name,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )


class UseCases(Resource[S]):
    """Use case instances. A use case is a feature whose cost and worth you want to know; each run is an instance."""

    @property
    def definitions(self) -> Definitions[S]:
        """The use cases themselves: settings, KPI definitions, versions."""
        return Definitions(self.sender)

    @property
    def properties(self) -> UseCaseProperties[S]:
        """Properties of instances."""
        return UseCaseProperties(self.sender)

    @property
    def kpis(self) -> UseCaseKpis[S]:
        """KPI scores of instances."""
        return UseCaseKpis(self.sender)

    @endpoint
    def create(
        self, use_case_name: str, *, use_case_id: str | None = None, **options: Unpack[Options]
    ) -> Call[UseCase]:
        """Create an instance; the service chooses its id unless `use_case_id` is given.

        Instances need not be created: any id used in a request becomes one.

        >>> client.use_cases.create("document_summary").use_case_id  # doctest: +SKIP
        """
        return Call(
            "POST",
            path("use_cases/instances/{use_case_name}", use_case_name=use_case_name),
            one(UseCase),
            repeatable=use_case_id is not None,
            query={"use_case_id": use_case_id},
            options=options,
        )

    @endpoint
    def retrieve(
        self, use_case_id: str, *, use_case_name: str | None = None, **options: Unpack[Options]
    ) -> Call[UseCase]:
        """Read an instance."""
        target = instance_path(use_case_id, use_case_name)
        return Call("GET", target, one(UseCase), repeatable=True, options=options)

    @endpoint
    def delete(
        self, use_case_id: str, *, use_case_name: str | None = None, **options: Unpack[Options]
    ) -> Call[UseCase]:
        """Delete an instance."""
        target = instance_path(use_case_id, use_case_name)
        return Call("DELETE", target, one(UseCase), repeatable=True, options=options)

    @endpoint
    def value(
        self, use_case_id: str, *, use_case_name: str, **options: Unpack[Options]
    ) -> Call[UseCaseValue]:
        """What an instance was worth in money and time, by the value policies set in the portal."""
        target = instance_path(use_case_id, use_case_name, "/value")
        return Call("GET", target, one(UseCaseValue), repeatable=True, options=options)


def _set_score(
    kpi_name: str, use_case_id: str, use_case_name: str | None, score: bool | float | None, options: Options
) -> Call[None]:
    return Call(
        "PUT",
        instance_path(use_case_id, use_case_name, "/kpis/{kpi_name}", kpi_name=kpi_name),
        _nothing,
        repeatable=True,
        headers={"Accept": "*/*"},
        body={"score": params.score("score", score)},
        options=options,
    )


def _nothing(reply: Reply) -> None:
    return None
