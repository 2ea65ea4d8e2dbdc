"""OpenTelemetry side: names, a call written as a span, a span read back as an Ingest event."""
