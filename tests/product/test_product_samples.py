"""Every code sample of the product documents, run with only its import changed, against the self-hosted server."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import openai
import pytest

import payi_otel
from payi_otel import Payi
from tests.product import documents
from tests.product.documents import LOOKS_LIKE_CODE, SAMPLES, Sample
from tests.support.vendor import Reply, running_vendor


def run(sample: Sample, **names: Any) -> dict[str, Any]:
    """Run a sample where `names` are already defined; gives what is defined afterwards."""
    namespace: dict[str, Any] = {"__name__": "sample", **names}
    exec(compile(sample.python(), sample.document, "exec"), namespace)
    return namespace


def scores(client: Payi, use_case_name: str, use_case_id: str) -> dict[str | None, Any]:
    listed = client.use_cases.kpis.list(use_case_id, use_case_name=use_case_name)
    return {item.kpi_name: item.score for item in listed}


def goals(client: Payi, use_case_name: str) -> dict[str, tuple[str | None, float | None]]:
    return {
        kpi.name: (kpi.kpi_type, kpi.goal) for kpi in client.use_cases.definitions.kpis.list(use_case_name)
    }


def use_instance(client: Payi, use_case_name: str, use_case_id: str) -> None:
    """What happened before the sample: a request of this instance."""
    client.ingest.units(
        category="system.openai",
        resource="gpt-4o",
        units={"text": {"input": 1, "output": 1}},
        use_case_name=use_case_name,
        use_case_id=use_case_id,
    )


def test_every_line_of_code_is_in_a_sample() -> None:
    covered = {(sample.document, number) for sample in SAMPLES for number in sample.lines()}
    missed = [
        (path.name, number + 1, line)
        for path in sorted(documents.FOLDER.glob("*.txt"))
        for number, line in enumerate(documents.read(path.name))
        if LOOKS_LIKE_CODE.match(line) and (path.name, number) not in covered
    ]
    assert missed == []


def test_000_define_and_score(client: Payi) -> None:
    use_instance(client, "Chat-Bot", "uc_123456789")
    run(documents.DEFINE_AND_SCORE)
    assert goals(client, "Chat-Bot") == {"Deflection Rate": ("boolean", 0.25)}
    assert scores(client, "Chat-Bot", "uc_123456789") == {"Deflection Rate": True}


def test_000_defining_again_changes_nothing(client: Payi) -> None:
    use_instance(client, "Chat-Bot", "uc_123456789")
    run(documents.DEFINE_AND_SCORE)
    run(documents.DEFINE_AND_SCORE)
    assert goals(client, "Chat-Bot") == {"Deflection Rate": ("boolean", 0.25)}


def test_000_score(client: Payi) -> None:
    client.use_cases.definitions.kpis.create(
        "support", name="Customer Satisfaction", description="1 to 5", kpi_type="likert5", goal=4
    )
    use_case_id = client.use_cases.create("support").use_case_id
    run(documents.SCORE, client=client, use_case_id=use_case_id)
    assert scores(client, "support", use_case_id) == {"Customer Satisfaction": 4}


def test_000_get_context(client: Payi, capsys: pytest.CaptureFixture[str]) -> None:
    print_use_case_info = run(documents.GET_CONTEXT)["print_use_case_info"]
    print_use_case_info()
    with payi_otel.track_context(use_case_name="chat", use_case_id="c1", use_case_step="greet"):
        print_use_case_info()
    assert capsys.readouterr().out.splitlines() == [
        "No use case active in current context",
        "Current use case: chat (ID: c1, Version: )",
        "Current step: greet",
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_000_curl(client: Payi) -> None:
    client.use_cases.definitions.kpis.create(
        "support", name="your_kpi_name", description="any number", kpi_type="number", goal=100
    )
    use_instance(client, "support", "your_use_case_id")
    command = documents.CURL.text().replace("https://api.pay-i.com", client.base_url)
    command = command.replace("your_payi_api_key", client.api_key) + " --fail --silent --noproxy '*'"
    subprocess.run(["sh", "-c", command], check=True)
    assert scores(client, "support", "your_use_case_id") == {"your_kpi_name": 123}


def test_001_define_and_record(client: Payi) -> None:
    use_instance(client, "Chat-Bot", "uc_123456789")
    run(documents.DEFINE_AND_RECORD)
    assert goals(client, "Chat-Bot") == {"Deflection Rate": ("boolean", 0.25)}
    assert scores(client, "Chat-Bot", "uc_123456789") == {"Deflection Rate": True}


def test_001_chat_bot(client: Payi) -> None:
    chat_session_id = run(documents.CHAT_BOT, client=client)["chat_session_id"]
    assert goals(client, "Chat-Bot") == {
        "Deflection Rate": ("boolean", 0.25),
        "User Satisfaction": ("boolean", 0.75),
    }
    assert scores(client, "Chat-Bot", chat_session_id) == {"Deflection Rate": True, "User Satisfaction": True}


def test_001_image_ad(client: Payi) -> None:
    ad_campaign_id = run(documents.IMAGE_AD, client=client)["ad_campaign_id"]
    assert goals(client, "Image-Ad") == {
        "Clickthrough Rate": ("boolean", 0.05),
        "Close Rate": ("boolean", 0.01),
        "Conversion $ Value": ("number", 10.0),
        "Customer Satisfaction": ("likert5", 3.5),
    }
    assert scores(client, "Image-Ad", ad_campaign_id) == {
        "Clickthrough Rate": True,
        "Close Rate": True,
        "Conversion $ Value": 10.14,
        "Customer Satisfaction": 3.89,
    }


def test_001_properties(client: Payi) -> None:
    use_case_id = run(documents.PROPERTIES, client=client)["use_case_id"]
    assert goals(client, "Content-Generator") == {"Response Quality": ("likert5", 4.0)}
    assert scores(client, "Content-Generator", use_case_id) == {"Response Quality": 4.8}


def test_002_track(client: Payi) -> None:
    names = run(documents.TRACK)
    names["make_inference_call"]()
    names["decorated_make_inference_call"]()


def test_002_own_id(client: Payi) -> None:
    run(documents.OWN_ID)["make_inference_call"]("ticket 42 / ü")


def test_002_create_instance(client: Payi) -> None:
    use_case_id = run(documents.CREATE_INSTANCE, uc_name="quickstart_usecase")["uc_id"]
    instance = client.use_cases.retrieve(use_case_id, use_case_name="quickstart_usecase")
    assert instance.use_case_name == "quickstart_usecase"


def test_002_create_definition(client: Payi) -> None:
    run(documents.CREATE_DEFINITION)
    definition = client.use_cases.definitions.retrieve("quickstart_usecase")
    assert (definition.description, definition.type_version) == ("An example use case.", 1)


def test_003_experience(client: Payi) -> None:
    names = run(documents.EXPERIENCE_TYPE, payi_client=client)
    assert names["exp_type_response"].description == "An example experience type."
    names = run(documents.EXPERIENCE, payi_client=client, exp_name=names["exp_name"])
    assert client.experiences.retrieve(names["experience_id"]).experience_name == "quickstart_experience"


COMPLETION = {
    "id": "chatcmpl-product-sample-003",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-3.5-turbo-0125",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "this is a test"}}
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
}


def test_003_experience_headers(client: Payi) -> None:
    # Without the default name, which is the calling file's, the experience alone says whose call it is.
    payi_otel.payi_instrument(payi=client, config={"use_case_name": None})
    with running_vendor(lambda received: Reply.json(COMPLETION)) as vendor:
        names = run(
            documents.EXPERIENCE_HEADERS,
            payi_client=client,
            exp_name="quickstart_experience",
            oai_client=openai.OpenAI(api_key="sk-vendor", base_url=f"{vendor.url}/v1"),
            create_headers=payi_otel.create_headers,
        )
        (received,) = vendor.received
    assert names["response"].choices[0].message.content == "this is a test"
    assert not [name for name in received.headers if name.startswith("xproxy")]
    assert payi_otel.force_flush()
    result = client.requests.response_id.result.retrieve(
        COMPLETION["id"], category="system.openai"
    ).xproxy_result
    assert result.use_case_id == names["exp_response"].experience_id
    assert result.use_case_name == "quickstart_experience"
    assert result.cost is not None
    assert result.cost.total.base > 0
