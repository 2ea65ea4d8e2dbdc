"""The self-hosted Pay-i: Ingest, use cases, KPIs and costs over HTTP. Needs the extra `server`."""
