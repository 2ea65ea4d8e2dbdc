"""Use case definitions: their KPIs, automatic limit and versions."""

from __future__ import annotations

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, Reply, given, path
from payi_otel.client.decode import one
from payi_otel.client.endpoint import Resource, S, endpoint, pages
from payi_otel.client.pages import Listing, listing
from payi_otel.client.results import KpiDefinition, UseCaseDefinition


class KpiDefinitions(Resource[S]):
    """The KPIs of a use case."""

    @endpoint
    def create(
        self,
        use_case_name: str,
        *,
        description: str,
        kpi_type: params.KpiType,
        goal: float,
        name: str | None = None,
        kpi_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[KpiDefinition]:
        """Define a KPI of a use case; `name` and `kpi_name` mean the same. Defining it again changes nothing.

        `goal` is the average score to reach; for a boolean KPI the share of true (0.25 for 25 %).

        >>> client.use_cases.definitions.kpis.create("chat", name="Deflection Rate", kpi_type="boolean",
        ...     description="solved without a human", goal=0.25)  # doctest: +SKIP
        """
        body = {
            "name": params.either("name", name, "kpi_name", kpi_name),
            "description": params.text("description", description),
            "kpi_type": params.kpi_type("kpi_type", kpi_type),
            "goal": params.number("goal", goal),
        }
        return Call(
            "POST", _kpis(use_case_name), one(KpiDefinition), repeatable=True, body=body, options=options
        )

    @endpoint
    def retrieve(
        self, kpi_name: str, *, use_case_name: str, **options: Unpack[Options]
    ) -> Call[KpiDefinition]:
        """Read a KPI's definition."""
        return Call(
            "GET", _kpi(use_case_name, kpi_name), one(KpiDefinition), repeatable=True, options=options
        )

    @endpoint
    def update(
        self,
        kpi_name: str,
        *,
        use_case_name: str,
        description: str | None = None,
        goal: float | None = None,
        **options: Unpack[Options],
    ) -> Call[KpiDefinition]:
        """Change a KPI's description or goal. Name and type cannot change."""
        body = given(description=description, goal=None if goal is None else params.number("goal", goal))
        target = _kpi(use_case_name, kpi_name)
        return Call("PUT", target, one(KpiDefinition), repeatable=True, body=body, options=options)

    @endpoint
    def delete(self, kpi_name: str, *, use_case_name: str, **options: Unpack[Options]) -> Call[KpiDefinition]:
        """Remove a KPI from a use case."""
        target = _kpi(use_case_name, kpi_name)
        return Call("DELETE", target, one(KpiDefinition), repeatable=True, options=options)

    @pages
    def list(
        self,
        use_case_name: str,
        *,
        kpi_name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[KpiDefinition]:
        """The KPIs of a use case, optionally `kpi_name` alone; `limit` is the page size."""
        return listing(
            _kpis(use_case_name),
            KpiDefinition,
            kpi_name=kpi_name,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )


class LimitConfigs(Resource[S]):
    """The limit that each new instance of a use case gets."""

    @endpoint
    def create(
        self,
        use_case_name: str,
        *,
        max: float,
        limit_type: params.LimitType | None = None,
        threshold: float | None = None,
        properties: params.Properties | None = None,
        **options: Unpack[Options],
    ) -> Call[UseCaseDefinition]:
        """Give each new instance its own limit of `max` US dollars; replaces an earlier setting."""
        body = params.limit_fields(
            "", max=max, limit_type=limit_type, threshold=threshold, properties=properties
        )
        target = definition_path(use_case_name, "/limit_config")
        return Call("POST", target, one(UseCaseDefinition), repeatable=True, body=body, options=options)

    @endpoint
    def delete(self, use_case_name: str, **options: Unpack[Options]) -> Call[UseCaseDefinition]:
        """Stop giving new instances a limit."""
        target = definition_path(use_case_name, "/limit_config")
        return Call("DELETE", target, one(UseCaseDefinition), repeatable=True, options=options)


class Versions(Resource[S]):
    """The version of a use case, under the official client's name."""

    @endpoint
    def increment(self, use_case_name: str, **options: Unpack[Options]) -> Call[UseCaseDefinition]:
        """Start a new version: the same as `definitions.increment_version`."""
        return _increment(use_case_name, options)


class Definitions(Resource[S]):
    """Use case definitions."""

    @property
    def kpis(self) -> KpiDefinitions[S]:
        """KPI definitions."""
        return KpiDefinitions(self.sender)

    @property
    def limit_config(self) -> LimitConfigs[S]:
        """The limit that each new instance gets."""
        return LimitConfigs(self.sender)

    @property
    def version(self) -> Versions[S]:
        """Versions."""
        return Versions(self.sender)

    @endpoint
    def create(
        self,
        *,
        name: str,
        description: str,
        logging_enabled: bool | None = None,
        limit_config: params.LimitConfig | None = None,
        **options: Unpack[Options],
    ) -> Call[UseCaseDefinition]:
        """Define a use case. Defining it again changes nothing.

        `name`: 1 to 64 letters, digits, '.', '-' or '_'. `logging_enabled`: whether prompts and answers are kept.

        >>> client.use_cases.definitions.create(name="chat", description="Support chat")  # doctest: +SKIP
        """
        body = {
            "name": params.use_case_name("name", name),
            "description": params.text("description", description),
            **given(
                logging_enabled=logging_enabled,
                limit_config=None
                if limit_config is None
                else params.limit_config("limit_config", limit_config),
            ),
        }
        target = path("use_cases/definitions")
        return Call("POST", target, one(UseCaseDefinition), repeatable=True, body=body, options=options)

    @endpoint
    def retrieve(self, use_case_name: str, **options: Unpack[Options]) -> Call[UseCaseDefinition]:
        """Read a definition."""
        target = definition_path(use_case_name)
        return Call("GET", target, one(UseCaseDefinition), repeatable=True, options=options)

    @endpoint
    def update(
        self,
        use_case_name: str,
        *,
        description: str | None = None,
        logging_enabled: bool | None = None,
        **options: Unpack[Options],
    ) -> Call[UseCaseDefinition | None]:
        """Change a definition. Gives None when the service answers without a body (HTTP 204)."""
        body = given(description=description, logging_enabled=logging_enabled)
        target = definition_path(use_case_name)
        return Call("PUT", target, _definition_if_any, repeatable=True, body=body, options=options)

    @endpoint
    def delete(self, use_case_name: str, **options: Unpack[Options]) -> Call[UseCaseDefinition]:
        """Delete a definition."""
        target = definition_path(use_case_name)
        return Call("DELETE", target, one(UseCaseDefinition), repeatable=True, options=options)

    @endpoint
    def increment_version(self, use_case_name: str, **options: Unpack[Options]) -> Call[UseCaseDefinition]:
        """Start a new version, which new instances belong to. There is no way back."""
        return _increment(use_case_name, options)

    @pages
    def list(
        self,
        *,
        use_case_name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[UseCaseDefinition]:
        """All definitions, optionally `use_case_name` alone; `limit` is the page size."""
        return listing(
            path("use_cases/definitions"),
            UseCaseDefinition,
            use_case_name=use_case_name,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )


def definition_path(use_case_name: str, rest: str = "") -> str:
    """A definition's path."""
    return path("use_cases/definitions/{use_case_name}" + rest, use_case_name=use_case_name)


def _kpis(use_case_name: str) -> str:
    return definition_path(use_case_name, "/kpis")


def _kpi(use_case_name: str, kpi_name: str) -> str:
    return path(
        "use_cases/definitions/{use_case_name}/kpis/{kpi_name}",
        use_case_name=use_case_name,
        kpi_name=kpi_name,
    )


def _increment(use_case_name: str, options: Options) -> Call[UseCaseDefinition]:
    target = definition_path(use_case_name, "/increment_version")
    return Call("POST", target, one(UseCaseDefinition), repeatable=False, options=options)


def _definition_if_any(reply: Reply) -> UseCaseDefinition | None:
    return UseCaseDefinition.from_json(reply.json()) if reply.content else None
