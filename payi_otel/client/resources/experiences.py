"""Experiences: use cases under the name they had first. They are sent to the use case paths."""

from __future__ import annotations

from typing import Any

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options
from payi_otel.client.endpoint import Resource, S, endpoint, pages
from payi_otel.client.pages import Listing
from payi_otel.client.resources.definitions import Definitions, LimitConfigs
from payi_otel.client.resources.use_cases import UseCaseProperties, UseCases
from payi_otel.client.results import Experience, ExperienceType, UseCase


class ExperienceLimitConfigs(Resource[S]):
    """The limit that each new experience of a type gets."""

    @endpoint
    def create(
        self,
        experience_name: str,
        *,
        max: float,
        limit_type: params.LimitType | None = None,
        threshold: float | None = None,
        properties: params.Properties | None = None,
        **options: Unpack[Options],
    ) -> Call[ExperienceType]:
        """Give each new experience its own limit of `max` US dollars; replaces an earlier setting."""
        return LimitConfigs[Any].create.describe(
            self,
            experience_name,
            max=max,
            limit_type=limit_type,
            threshold=threshold,
            properties=properties,
            **options,
        )

    @endpoint
    def delete(self, experience_name: str, **options: Unpack[Options]) -> Call[ExperienceType]:
        """Stop giving new experiences a limit."""
        return LimitConfigs[Any].delete.describe(self, experience_name, **options)


class ExperienceTypes(Resource[S]):
    """Experience types: use case definitions."""

    @property
    def limit_config(self) -> ExperienceLimitConfigs[S]:
        """The limit that each new experience of a type gets."""
        return ExperienceLimitConfigs(self.sender)

    @endpoint
    def create(
        self,
        *,
        name: str,
        description: str,
        logging_enabled: bool | None = None,
        limit_config: params.LimitConfig | None = None,
        **options: Unpack[Options],
    ) -> Call[ExperienceType]:
        """Define an experience type: the older name of `use_cases.definitions.create`."""
        return Definitions[Any].create.describe(
            self,
            name=name,
            description=description,
            logging_enabled=logging_enabled,
            limit_config=limit_config,
            **options,
        )

    @endpoint
    def retrieve(self, experience_name: str, **options: Unpack[Options]) -> Call[ExperienceType]:
        """Read an experience type."""
        return Definitions[Any].retrieve.describe(self, experience_name, **options)

    @endpoint
    def update(
        self,
        experience_name: str,
        *,
        description: str | None = None,
        logging_enabled: bool | None = None,
        **options: Unpack[Options],
    ) -> Call[ExperienceType | None]:
        """Change an experience type. Gives None when the service answers without a body (HTTP 204)."""
        return Definitions[Any].update.describe(
            self, experience_name, description=description, logging_enabled=logging_enabled, **options
        )

    @endpoint
    def delete(self, experience_name: str, **options: Unpack[Options]) -> Call[ExperienceType]:
        """Delete an experience type."""
        return Definitions[Any].delete.describe(self, experience_name, **options)

    @pages
    def list(
        self,
        *,
        name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[ExperienceType]:
        """All experience types, optionally `name` alone; `limit` is the page size."""
        return Definitions[Any].list.describe(
            self, use_case_name=name, cursor=cursor, limit=limit, sort_ascending=sort_ascending, **options
        )


class ExperienceProperties(Resource[S]):
    """Properties of experiences."""

    @endpoint
    def create(
        self,
        experience_id: str,
        *,
        properties: params.Properties,
        experience_name: str | None = None,
        **options: Unpack[Options],
    ) -> Call[Experience]:
        """Set `properties` of an experience; None clears one, others stay."""
        call = UseCaseProperties[Any].update.describe(
            self, experience_id, properties=properties, use_case_name=experience_name, **options
        )
        return call.then(_experience)


class Experiences(Resource[S]):
    """Experiences: use case instances."""

    @property
    def types(self) -> ExperienceTypes[S]:
        """Experience types."""
        return ExperienceTypes(self.sender)

    @property
    def properties(self) -> ExperienceProperties[S]:
        """Properties of experiences."""
        return ExperienceProperties(self.sender)

    @endpoint
    def create(self, experience_name: str, **options: Unpack[Options]) -> Call[Experience]:
        """Create an experience; the service chooses its id.

        >>> client.experiences.create("document_summary").experience_id  # doctest: +SKIP
        """
        return UseCases[Any].create.describe(self, experience_name, **options).then(_experience)

    @endpoint
    def retrieve(
        self, experience_id: str, *, experience_name: str | None = None, **options: Unpack[Options]
    ) -> Call[Experience]:
        """Read an experience."""
        call = UseCases[Any].retrieve.describe(self, experience_id, use_case_name=experience_name, **options)
        return call.then(_experience)

    @endpoint
    def delete(
        self, experience_id: str, *, experience_name: str | None = None, **options: Unpack[Options]
    ) -> Call[Experience]:
        """Delete an experience."""
        call = UseCases[Any].delete.describe(self, experience_id, use_case_name=experience_name, **options)
        return call.then(_experience)


def _experience(use_case: UseCase) -> Experience:
    return Experience(
        experience_id=use_case.use_case_id,
        experience_name=use_case.use_case_name,
        limit_id=use_case.limit_id,
        extra=use_case.extra,
    )
