"""Bodies the caller reads as bytes: what is seen on the way, and that nothing else changes."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.capture.decoding import parse_body
from payi_otel.capture.readers import LineReader, WholeReader, reader_for
from payi_otel.providers.model import Exchange


class FakeCall:
    """What readers use of a call."""

    def __init__(self, content_type="text/event-stream", encoding=None, gate=None, surface="chat"):
        self.headers = {b"content-type": content_type.encode()}
        if encoding:
            self.headers[b"content-encoding"] = encoding.encode()
        self.gate = gate
        self.exchange = Exchange(sdk="openai", surface=surface, request={}, is_stream=True)
        self.events = []
        self.lines = []
        self.body = None
        self.response_text = None
        self.recorder = self

    def header(self, name):
        return self.headers.get(name, b"").decode()

    def observe(self, event):
        self.events.append(event)

    def batch_line(self, call, line):
        self.lines.append(line)


PLAIN = [
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\n',
    b": keep-alive\n\n",
    b"data: [DONE]\n\n",
]
ASKED = [
    b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\"usage\\":null"}}],"usage":null}\n\n',
    b": keep-alive\n\n",
    b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
    b"data: [DONE]\n\n",
]


def pieces_of(data, sizes):
    position = 0
    while position < len(data):
        size = sizes[position % len(sizes)]
        yield data[position : position + size]
        position += size


def read_all(reader, data, sizes):
    out = b"".join(reader.feed(piece) for piece in pieces_of(data, sizes))
    return out + reader.end()


@given(st.lists(st.integers(1, 200), min_size=1, max_size=7))
def test_whatever_the_pieces_the_usage_we_asked_for_is_gone(sizes):
    call = FakeCall(gate=object())
    assert read_all(reader_for(call, bytes), b"".join(ASKED), sizes) == b"".join(PLAIN)
    assert {"choices": [], "usage": {"prompt_tokens": 1}} in call.events


@given(st.lists(st.integers(1, 200), min_size=1, max_size=7))
def test_without_a_gate_every_piece_passes_as_it_came(sizes):
    call = FakeCall()
    reader = reader_for(call, bytes)
    for piece in pieces_of(b"".join(ASKED), sizes):
        assert reader.feed(piece) == piece
    assert reader.end() == b""
    assert len(call.events) == 3


@pytest.mark.parametrize(
    ("encoding", "compress", "decompress"),
    [("gzip", gzip.compress, gzip.decompress), ("deflate", zlib.compress, zlib.decompress)],
)
def test_compressed_streams_are_filtered_and_compressed_again(encoding, compress, decompress):
    call = FakeCall(encoding=encoding, gate=object())
    out = read_all(reader_for(call, bytes), compress(b"".join(ASKED)), [7, 30])
    assert decompress(out) == b"".join(PLAIN)


def test_other_encodings_are_read_when_complete_and_passed_unchanged():
    call = FakeCall(encoding="br")
    reader = reader_for(call, lambda _: b"".join(ASKED))
    assert isinstance(reader, WholeReader)
    assert reader.feed(b"compressed") == b"compressed"
    reader.end()
    assert len(call.events) == 3


def test_a_body_that_is_not_what_it_says_passes_unchanged():
    reader = reader_for(FakeCall(encoding="gzip", gate=object()), bytes)
    assert reader.feed(b"not gzip at all") == b"not gzip at all"
    assert reader.end() == b""


def test_batch_results_are_read_line_by_line():
    call = FakeCall("application/x-jsonl", surface="batch.results")
    reader = reader_for(call, bytes)
    assert isinstance(reader, LineReader)
    reader.feed(b'{"custom_id":"a"}\n{"custom')
    reader.feed(b'_id":"b"}')
    reader.end()
    assert [line["custom_id"] for line in call.lines] == ["a", "b"]


def test_large_embeddings_are_not_parsed_for_their_usage():
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.123456] * 40_000}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    slim = parse_body(json.dumps(body).encode(), "application/json")
    assert slim["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert slim["model"] == "text-embedding-3-small"
    assert "data" not in slim


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        (b'{"a":1}', "application/json", {"a": 1}),
        (b"{broken", "application/json", None),
        (b"hello", "text/plain; charset=utf-8", "hello"),
        (b"\xff\xfb", "audio/mpeg", None),
        (b"", "", None),
    ],
)
def test_parse_body(content, content_type, expected):
    assert parse_body(content, content_type) == expected


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_pass(data, hide):
    reader = reader_for(FakeCall(gate=object() if hide else None), bytes)
    out = reader.feed(data) + reader.end()
    if not hide:
        assert out == data
