"""The offline demo: fake providers that stream like the real ones, and an app that uses them through both SDKs."""
