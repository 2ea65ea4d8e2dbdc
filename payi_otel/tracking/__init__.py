"""Whose call it is: use case, user, account, limits and properties, carried in the OpenTelemetry context."""
