"""Arguments and environment into one checked object."""

import pytest

from payi_otel.providers.model import ModelMapping
from payi_otel.settings import Settings, SettingsError


def settings(arguments=None, **environ):
    return Settings.from_arguments(arguments, environ)


def test_defaults_need_nothing():
    assert settings().base_url == "https://api.pay-i.com"
    assert settings().api_key is None
    assert settings().capture_content is False


def test_the_environment_sets_every_kind_of_value():
    read = settings(
        PAYI_API_KEY="k",
        PAYI_BASE_URL="http://127.0.0.1:8742/",
        PAYI_TIMEOUT="2.5",
        PAYI_LIMIT_IDS="a, b,",
        PAYI_USE_CASE_VERSION="3",
        PAYI_PROXY="on",
        PAYI_INSTRUMENTS="openai",
    )
    assert (read.api_key, read.base_url, read.timeout_s) == ("k", "http://127.0.0.1:8742", 2.5)
    assert (read.limit_ids, read.use_case_version, read.proxy) == (("a", "b"), 3, True)
    assert read.instruments == frozenset({"openai"})


def test_arguments_win_over_the_environment_and_none_does_not():
    assert settings({"api_key": "argument"}, PAYI_API_KEY="environment").api_key == "argument"
    assert settings({"api_key": None}, PAYI_API_KEY="environment").api_key == "environment"


@pytest.mark.parametrize(
    ("mode", "captured"), [("NO_CONTENT", False), ("SPAN_ONLY", True), ("span_and_event", True), ("", False)]
)
def test_opentelemetrys_content_switch_is_followed(mode, captured):
    assert settings(OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=mode).capture_content is captured


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"base_url": "pay-i.com"}, "base_url='pay-i.com'"),
        ({"timeout_s": 0}, "timeout_s=0"),
        ({"timeout_s": True}, "timeout_s=True"),
        ({"proxy": "yes"}, "proxy='yes'"),
        ({"limit_ids": "one"}, "limit_ids='one'"),
        ({"limit_ids": [1]}, "limit_ids=1"),
        ({"use_case_version": 0}, "use_case_version=0"),
        ({"use_case_name": 5}, "use_case_name=5"),
        ({"usecase_name": "x"}, "usecase_name: unknown setting"),
        ({"host_mappings": {"h": "openai"}}, "host_mappings['h']='openai'"),
        ({"model_mappings": {"openai": [{"model": "m"}]}}, "price_as_category"),
        ({"model_mappings": {"openai": [{"price_as_resource": "m"}]}}, "'model'"),
    ],
)
def test_bad_arguments_name_the_setting_and_the_value(arguments, named):
    with pytest.raises(SettingsError) as error:
        settings(arguments)
    assert named in str(error.value)


@pytest.mark.parametrize(("variable", "value"), [("PAYI_TIMEOUT", "soon"), ("PAYI_PROXY", "maybe")])
def test_bad_variables_name_the_variable(variable, value):
    with pytest.raises(SettingsError, match=f"{variable}='{value}'"):
        settings(**{variable: value})


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("PAYI_DURABILITY", "fast", "PAYI_DURABILITY='fast'"),
        ("PAYI_BASE_URL", "example", "PAYI_BASE_URL='example'"),
        ("PAYI_TIMEOUT", "-1", "PAYI_TIMEOUT=-1.0"),
    ],
)
def test_bad_values_of_variables_name_the_variable(variable, value, named):
    with pytest.raises(SettingsError) as error:
        settings(**{variable: value})
    assert str(error.value).startswith(named)


def test_an_argument_in_place_of_a_variable_is_named_itself():
    with pytest.raises(SettingsError, match=r"^durability='fast'"):
        settings({"durability": "fast"}, PAYI_DURABILITY="sync")


def test_mappings_are_read_as_pay_i_documents_them():
    read = settings(
        {
            "host_mappings": {"https://llm.example.com/v1": {"price_as_category": "system.azureopenai"}},
            "model_mappings": {"openai": [{"model": "my-gpt", "price_as_resource": "gpt-4o"}]},
        }
    )
    assert read.host_mappings == {"llm.example.com": "system.azureopenai"}
    assert read.model_mappings["openai"] == (ModelMapping("my-gpt", price_as_resource="gpt-4o"),)


def test_the_key_is_not_in_the_repr():
    assert "secret" not in repr(settings({"api_key": "secret"}))
