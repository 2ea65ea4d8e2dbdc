"""Hooks into the provider SDKs: one `Call` per billed request, from its start to its single finish."""
