"""Which headers are stored without their values."""

from __future__ import annotations

import pytest

from payi_otel.server.withholding import WITHHELD, without_secrets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer abc"),
        ("Proxy-Authorization", "Basic abc"),
        ("x-api-key", "abc"),
        ("API-Key", "abc"),
        ("xProxy-api-key", "abc"),
        ("X-Amz-Security-Token", "abc"),
        ("Set-Cookie", "session=abc"),
        ("x_client_secret", "abc"),
        ("x-gateway", "bearer abc"),
        ("x-upstream", " sk-proj-abc"),
        ("x-caller", "eyJhbGciOi.J9.abc"),
    ],
)
def test_what_may_be_a_credential_is_withheld(name, value):
    assert without_secrets([(name, value)]) == [{"name": name, "value": WITHHELD}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-request-id", "req_1"),
        ("anthropic-ratelimit-tokens-remaining", "9000"),
        ("x-ratelimit-limit-tokens", "200000"),
        ("openai-processing-ms", "17"),
        ("content-type", "application/json"),
        ("x-empty", ""),
        ("x-api-key", None),
    ],
)
def test_the_rest_is_kept(name, value):
    assert without_secrets([(name, value)]) == [{"name": name, "value": value}]
