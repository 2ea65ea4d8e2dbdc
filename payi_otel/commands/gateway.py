"""`payi-otel gateway`: OTLP in, Pay-i events out."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from payi_otel.commands.shape import CommandError, port, require

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers

_MODULES = ("uvicorn", "grpc", "opentelemetry.proto")
_KEYS, _KEYS_FILE = "PAYI_GATEWAY_KEYS", "PAYI_GATEWAY_KEYS_FILE"


def add_to(subparsers: Subparsers) -> None:
    """Add the command `gateway`."""
    parser = subparsers.add_parser(
        "gateway",
        help="take spans by OTLP and deliver their cost to Pay-i",
        description=f"Senders need a key of {_KEYS} (separated by commas) or of the keys file; PAYI_API_KEY is the "
        "key of Pay-i that the gateway delivers with.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    parser.add_argument("--http-port", type=port, default=4318, help="port for OTLP/HTTP (%(default)s)")
    parser.add_argument("--grpc-port", type=port, default=4317, help="port for OTLP/gRPC (%(default)s)")
    parser.add_argument("--no-grpc", action="store_true", help="serve OTLP/HTTP only")
    parser.add_argument("--keys-file", type=Path, help=f"file of keys, one per line ({_KEYS_FILE})")
    parser.add_argument(
        "--allow-anonymous", action="store_true", help="let everybody send who can reach the address"
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="its private key, PEM")
    parser.add_argument("--max-body-mib", type=int, default=32, help="largest request in MiB (%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    require(_MODULES, install='pip install "payi-otel[gateway]"', purpose="the gateway")
    from payi_otel.gateway.config import MIB, GatewayConfig
    from payi_otel.gateway.main import serve
    from payi_otel.gateway.protobuf import SlowProtobuf

    max_body_bytes: int = arguments.max_body_mib * MIB
    try:
        config = GatewayConfig(
            host=arguments.host,
            http_port=arguments.http_port,
            grpc_port=None if arguments.no_grpc else arguments.grpc_port,
            keys=_keys(arguments.keys_file),
            allow_anonymous=arguments.allow_anonymous,
            tls_certificate=arguments.tls_cert,
            tls_key=arguments.tls_key,
            max_body_bytes=max_body_bytes,
            max_held_bytes=8 * max_body_bytes,
        )
        serve(config)
    except (ValueError, OSError, SlowProtobuf) as error:
        # Settings, addresses, files of keys and certificates.
        raise CommandError(str(error)) from error
    return 0


def _keys(file: Path | None) -> tuple[str, ...]:
    """The keys of the variable and of the file together, so that one can replace the other without a gap."""
    from payi_otel.gateway.keys import read_keys

    keys = [key.strip() for key in os.environ.get(_KEYS, "").split(",")]
    named = file or (Path(os.environ[_KEYS_FILE]) if os.environ.get(_KEYS_FILE) else None)
    return tuple(dict.fromkeys([*filter(None, keys), *(read_keys(named) if named is not None else ())]))
