"""The decoders take anything: bytes are read, repaired or refused, and nothing else ever happens.

What hypothesis finds is kept in `corpus/`, one file per case, and tried every time. For a long run:
`FUZZ_EXAMPLES=1000000 python -m pytest tests/gateway/test_fuzz.py`.
"""

from __future__ import annotations

import gzip
import os
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("grpc", reason="the gateway extra is not installed")

from payi_otel.faults import faults
from payi_otel.gateway.batch import Malformed
from payi_otel.gateway.bodies import ENCODINGS, BodyMalformed, BodyTooLarge, decompress
from payi_otel.gateway.known import KnownCalls
from payi_otel.gateway.receiver import Receiver
from tests.gateway.otlp_json import as_json
from tests.gateway.spans import request_of
from tests.gateway.test_evaluations import SCORE, USE_CASE, logs_request

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
SEEDS = {
    ("traces", "protobuf"): request_of("chatcmpl-1", "chatcmpl-2").SerializeToString(),
    ("traces", "json"): as_json(request_of("chatcmpl-1", "chatcmpl-2")),
    ("logs", "protobuf"): logs_request({**SCORE, **USE_CASE}).SerializeToString(),
    ("logs", "json"): as_json(logs_request({**SCORE, **USE_CASE})),
}
INTERESTING = (
    b"",
    b"\0",
    b"\xff",
    b"\x80" * 10,
    b"\x7f",
    b"-1",
    b"1e999",
    b"null",
    b"[]",
    b"{}",
    b'"',
    b"\\ud800",
)


class Everything:
    """A sink with room for all."""

    def __init__(self) -> None:
        self.known = KnownCalls()

    def store(self, items):
        assert None not in items
        return ()


def take(signal, encoding, body: bytes) -> None:
    """What the gateway does with a body; only a refusal may be raised."""
    before = faults.counts()
    try:
        accepted = Receiver().receive(signal, encoding, body, Everything())
    except Malformed:
        return
    assert accepted.refused >= 0
    assert bool(accepted.message) >= bool(accepted.refused)
    # A span whose attributes make no event is told to its sender; anything else would be ours.
    assert set(faults.counts()) - set(before) <= {"gateway.span"}


@st.composite
def mutated(draw, seed: bytes) -> bytes:
    """A valid body with some pieces overwritten, removed, repeated or inserted."""
    body = bytearray(seed)
    source = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 8))):
        start = source.randrange(len(body) + 1)
        end = min(len(body), start + source.choice((0, 1, 1, 2, 4, 16, 200)))
        kind = source.randrange(5)
        if kind == 0:
            body[start:end] = bytes(source.randrange(256) for _ in range(end - start))
        elif kind == 1:
            del body[start:end]
        elif kind == 2:
            body[start:start] = body[start:end]
        elif kind == 3:
            body[start:end] = source.choice(INTERESTING)
        elif start < len(body):
            body[start] ^= 1 << source.randrange(8)
    return bytes(body)


@pytest.mark.parametrize(("signal", "encoding"), SEEDS)
def test_mutations_of_valid_bodies(signal, encoding):
    @settings(max_examples=EXAMPLES)
    @given(mutated(SEEDS[signal, encoding]))
    def try_one(body):
        take(signal, encoding, body)

    try_one()


@pytest.mark.parametrize(("signal", "encoding"), SEEDS)
@settings(max_examples=EXAMPLES)
@given(body=st.binary(max_size=300))
def test_any_bytes(signal, encoding, body):
    take(signal, encoding, body)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["00" * 16])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "resourceSpans", "scopeSpans", "spans", "resource", "scope", "attributes", "key", "value",
                    "stringValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "values", "traceId",
                    "spanId", "status", "code", "events", "kind", "name", "startTimeUnixNano",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(JSON_VALUES)
def test_any_json_with_the_protocols_names(value):
    import json

    text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [value]}]}, value]})
    take("traces", "json", text.encode())


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=EXAMPLES)
@given(
    body=st.one_of(
        st.binary(max_size=200), mutated(gzip.compress(b"abc" * 50)), mutated(zlib.compress(b"abc" * 50))
    )
)
def test_any_compressed_bytes(encoding, body):
    try:
        assert len(decompress(body, encoding, 120)) <= 120
    except (BodyMalformed, BodyTooLarge):
        return


@pytest.mark.parametrize("case", sorted(CORPUS.iterdir()), ids=lambda case: case.name)
def test_the_corpus(case):
    signal, encoding = case.name.split("-")[:2]
    take(signal, encoding, case.read_bytes())
