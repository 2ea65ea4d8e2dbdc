"""What each provider's request and response mean: dicts in, units out. No I/O, no OpenTelemetry."""
