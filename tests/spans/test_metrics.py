"""Client metrics and the ledger, through the application's MeterProvider."""

from tests.spans.test_provider import run


def test_a_call_is_in_the_metrics_and_in_the_ledger(tmp_path):
    printed, events, _ = run(
        """
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider([reader]))
        payi_otel.payi_instrument(); call(); payi_otel.force_flush(20)
        for resource in reader.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        told = dict(point.attributes)
                        kind = told.get("gen_ai.token.type") or told.get("state") or told["gen_ai.operation.name"]
                        value = getattr(point, "value", None)
                        print(f"{metric.name}:{kind}={point.sum if value is None else value}")
        """,
        tmp_path,
    )
    assert len(events) == 1
    assert "gen_ai.client.token.usage:input=11" in printed
    assert "gen_ai.client.token.usage:output=7" in printed
    assert "payi.ledger.events:seen=1" in printed
    assert "payi.ledger.events:delivered=1" in printed
    assert any(line.startswith("gen_ai.client.operation.duration:chat=") for line in printed)
