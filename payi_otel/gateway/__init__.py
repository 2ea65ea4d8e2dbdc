"""The OTLP gateway: spans and evaluations from a Collector, or any language, into the same outbox."""
