"""Packages that have wrapped the SDKs' methods before we came; each case is a fresh process."""

from __future__ import annotations

import pytest

from tests.foreign.test_in_process import run

# As OpenInference does: wrapt, on the client's own class, of the method that it inherits.
WITH_WRAPT = """
import wrapt
def passing(wrapped, instance, args, kwargs):
    seen.append(type(instance).__name__)
    return wrapped(*args, **kwargs)
wrapt.wrap_function_wrapper("openai", "OpenAI.request", passing)
wrapt.wrap_function_wrapper("anthropic", "Anthropic.request", passing)
"""
# As Logfire does: functools.wraps.
WITH_WRAPS = """
import functools
def patch(cls):
    original = cls.request
    @functools.wraps(original)
    def request(self, *args, **kwargs):
        seen.append(type(self).__name__)
        return original(self, *args, **kwargs)
    cls.request = request
patch(openai.OpenAI)
patch(anthropic.Anthropic)
"""
OURS = "payi_otel.payi_instrument()\n"
CALLS = """
chat()
message()
assert seen == ["OpenAI", "Anthropic"], seen
"""


@pytest.mark.parametrize("patch", [WITH_WRAPT, WITH_WRAPS], ids=["wrapt", "functools"])
@pytest.mark.parametrize("ours_first", [True, False])
def test_every_call_is_billed_once_whoever_patched_first(tmp_path, patch, ours_first):
    setup = OURS + patch if ours_first else patch + OURS
    events, _ = run("seen = []\n" + setup + CALLS, tmp_path)
    assert sorted(event["resource"] for event in events) == ["claude-haiku-4-5", "gpt-4o-mini"]


@pytest.mark.parametrize("patch", [WITH_WRAPT, WITH_WRAPS], ids=["wrapt", "functools"])
def test_what_was_there_before_is_there_again_after_us(tmp_path, patch):
    script = """
before = [vars(kind)["request"] for kind in (openai.OpenAI, anthropic.Anthropic)]
payi_otel.payi_instrument()
payi_otel.uninstrument()
assert [vars(kind)["request"] for kind in (openai.OpenAI, anthropic.Anthropic)] == before
"""
    events, _ = run("seen = []\n" + patch + script + CALLS, tmp_path)
    assert events == []


def test_a_client_of_the_application_s_own_is_billed_once(tmp_path):
    script = """
class Client(openai.OpenAI):
    def request(self, *args, **kwargs):
        return super().request(*args, **kwargs)
payi_otel.payi_instrument()
Client(api_key="k", base_url=os.environ["VENDOR"] + "/v1").chat.completions.create(model="gpt-4o-mini", messages=hi)
"""
    events, _ = run(script, tmp_path)
    assert len(events) == 1


def test_a_provider_that_passes_on_to_the_sdk_s_is_seen_through(tmp_path):
    # As Logfire's is, which is no SDK provider itself.
    script = """
class Passing(trace.TracerProvider):
    def __init__(self, provider):
        self.provider = provider
    def get_tracer(self, *args, **kwargs):
        return self.provider.get_tracer(*args, **kwargs)
from opentelemetry.util._once import Once
trace._TRACER_PROVIDER_SET_ONCE, trace._TRACER_PROVIDER = Once(), None
trace.set_tracer_provider(Passing(provider))
payi_otel.payi_instrument(instruments=["openai"])
with payi_otel.track_context(use_case_name="support_chat"):
    message()
"""
    events, log = run(script, tmp_path)
    assert [event["use_case_name"] for event in events] == ["support_chat"]
    assert "gives no OpenTelemetry SDK tracer" not in log
