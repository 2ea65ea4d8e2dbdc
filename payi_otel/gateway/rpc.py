"""OTLP/gRPC: the trace and logs services."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import grpc

from payi_otel.faults import faults
from payi_otel.gateway.answers import RESOURCE_EXHAUSTED, export_response, failure
from payi_otel.gateway.batch import Malformed, Signal
from payi_otel.gateway.receiver import RETRY_AFTER_S, Full, Receiver

if TYPE_CHECKING:
    from payi_otel.gateway.http import Door

_SERVICES: dict[str, Signal] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
_DETAILS = "grpc-status-details-bin"


class NoPort(OSError):
    """The address cannot be listened at."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its private key, in PEM."""

    certificate: bytes
    key: bytes


class OtlpGrpc:
    """The gRPC server. Listens when made, answers after `start`.

    Requests wait in their connections until one of the `threads` is free, and a message is read only then: their
    number bounds the memory.

    Args:
        receiver: takes the requests.
        door: says who may send, and where it goes.
        threads: where requests are read, decoded and stored.
        host, port: address; port 0 takes a free one, told in `port`.
        max_message_bytes: largest message, decompressed.
        tls: None serves in plain text.

    Raises `NoPort`.

    >>> server = OtlpGrpc(receiver, door, threads, "127.0.0.1", 4317, 2**25, None)  # doctest: +SKIP
    >>> server.start()  # doctest: +SKIP
    """

    def __init__(
        self,
        receiver: Receiver,
        door: Door,
        threads: ThreadPoolExecutor,
        host: str,
        port: int,
        max_message_bytes: int,
        tls: Tls | None,
    ) -> None:
        self._receiver = receiver
        self._door = door
        self._server = grpc.server(
            threads,
            options=[
                ("grpc.max_receive_message_length", max_message_bytes),
                # Another process at this port is to be an error, not a rival.
                ("grpc.so_reuseport", 0),
            ],
        )
        for service, signal in _SERVICES.items():
            # Without a deserializer the bytes arrive as they are: those that do not parse are still answered.
            method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                self._handler(signal)
            )
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": method}),)
            )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if tls is None:
                self.port = self._server.add_insecure_port(address)
            else:
                credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)])
                self.port = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            raise NoPort(f"cannot listen at {address}; is another process using the port?") from None

    def start(self) -> None:
        """Answer from now on."""
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Take no more requests, and wait for those under way for up to `grace_s` seconds."""
        self._server.stop(grace_s).wait()

    def _handler(self, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(message: bytes, context: grpc.ServicerContext) -> bytes:
            return self._export(signal, message, context)

        return export

    def _export(self, signal: Signal, message: bytes, context: grpc.ServicerContext) -> bytes:
        # `abort` raises: nothing after it runs.
        metadata = dict(cast("Any", context.invocation_metadata()))
        sink = self._door(metadata.get("authorization"), metadata.get("xproxy-api-key"))
        if sink is None:
            context.abort(
                grpc.StatusCode.UNAUTHENTICATED,
                "a key is needed: send authorization: Bearer KEY, or xProxy-api-key: KEY",
            )
        try:
            accepted = self._receiver.receive(signal, "protobuf", message, sink)
        except Malformed as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Full:
            text = f"no room in the outbox; send again in {RETRY_AFTER_S} s"
            # Without this detail senders take RESOURCE_EXHAUSTED for final.
            detail = failure(RESOURCE_EXHAUSTED, text, RETRY_AFTER_S).SerializeToString()
            context.set_trailing_metadata(((_DETAILS, detail),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        except Exception as error:
            faults.report("gateway.grpc", error)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the gateway failed")
        return export_response(signal, accepted).SerializeToString()
