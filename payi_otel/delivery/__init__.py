"""Span → Ingest event → outbox → bulk POST, on a thread of our own, sampled or not."""
