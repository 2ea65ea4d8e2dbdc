"""Who is let in."""

from __future__ import annotations

import pytest

from payi_otel.gateway.keys import GatewayKeys, read_keys


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({"authorization": "Bearer one", "api_key": None}, True),
        ({"authorization": "bearer  two ", "api_key": None}, True),
        ({"authorization": None, "api_key": "two"}, True),
        # Pay-i's own header is the one that counts.
        ({"authorization": "Bearer one", "api_key": "wrong"}, False),
        ({"authorization": "one", "api_key": None}, False),
        ({"authorization": "Bearer ", "api_key": None}, False),
        ({"authorization": None, "api_key": ""}, False),
        ({"authorization": None, "api_key": None}, False),
        ({"authorization": None, "api_key": "one\udcff"}, False),
    ],
)
def test_admit(headers, admitted):
    assert GatewayKeys(["one", "two"]).admit(**headers) is admitted


def test_without_keys_everybody_may_send():
    assert GatewayKeys([]).admit(authorization=None, api_key=None)


def test_a_file_of_keys(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# of team A\none\n\n  two  \n")
    assert read_keys(file) == ["one", "two"]
    file.write_text("# none yet\n")
    with pytest.raises(ValueError, match="write one per line"):
        read_keys(file)
