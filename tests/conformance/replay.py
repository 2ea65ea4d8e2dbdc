"""Sends a recorded interaction through the real SDK to a loopback vendor that answers as recorded."""

from __future__ import annotations

import inspect
import json
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anthropic
import httpx2
import openai

from tests.support.vendor import Received, Reply

# Building a client's default TLS context costs more than a replay; nothing here speaks TLS.
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_REPLAY_HEADER = "x-replayed-interaction"

_OPENAI_METHODS = {
    "/chat/completions": "chat.completions.create",
    "/completions": "completions.create",
    "/responses": "responses.create",
    "/responses/compact": "responses.compact",
    "/embeddings": "embeddings.create",
    "/images/generations": "images.generate",
}
_ANTHROPIC_METHODS = {"/v1/messages": "messages.create"}
_ENDPOINT = re.compile(
    r"/(chat/completions|completions|responses(/.*)?|embeddings|images/generations|models|files(/.*)?"
    r"|assistants|threads(/.*)?|vector_stores(/.*)?|conversations(/.*)?)$"
)
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)(/.+)")


@dataclass(frozen=True)
class Target:
    """Where a recorded URL leads: which client, at which base path, to which endpoint."""

    sdk: str
    base_path: str
    endpoint: str
    query: Mapping[str, str]
    deployment: str | None = None

    @classmethod
    def of(cls, url: str) -> Target:
        """Read a recorded URL."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        deployment = _DEPLOYMENT.fullmatch(parts.path)
        if deployment:
            return cls("azure", "", deployment[2], query, deployment[1])
        if "anthropic" in parts.netloc or parts.path.startswith("/anthropic/"):
            base, _, endpoint = parts.path.partition("/v1/")
            return cls("anthropic", base, f"/v1/{endpoint}", query)
        found = _ENDPOINT.search(parts.path)
        assert found is not None, f"no endpoint in the recorded URL {url}"
        return cls("openai", parts.path[: found.start()], found[0], query)


def recorded_reply(interactions: list[Mapping[str, Any]]) -> Callable[[Received], Reply]:
    """The vendor's side: the answer that was recorded for the interaction the request names."""

    def respond(received: Received) -> Reply:
        interaction = interactions[int(received.headers[_REPLAY_HEADER])]
        headers = {name: value for name, value in interaction["response_headers"].items() if name != "date"}
        body = (interaction.get("response_body") or "").encode()
        if not interaction["is_stream"]:
            return Reply(interaction["status"], headers, body)
        return Reply(interaction["status"], headers, chunks=(body,)).rechunked(1021)

    return respond


class Replayer:
    """Makes the recorded calls against `vendor_url`, with clients that are made once per base path."""

    def __init__(self, vendor_url: str, *, is_async: bool) -> None:
        self._vendor_url = vendor_url
        self._is_async = is_async
        client_class = httpx2.AsyncClient if is_async else httpx2.Client
        self._http = client_class(verify=_TLS, trust_env=False, timeout=30)
        self._clients: dict[Any, Any] = {}

    def call(self, interaction: Mapping[str, Any], number: int, wrapper: str = "") -> Any:
        """Start the call; `wrapper` is "", "with_raw_response" or "with_streaming_response".

        Returns what the SDK's method returns: a result, a stream, a response wrapper, or a coroutine.
        """
        target = Target.of(interaction["url"])
        client = self._client(target)
        headers = {_REPLAY_HEADER: str(number)}
        body = interaction.get("request_body")
        if target.endpoint.endswith("/files") and "multipart_files" in (body or {}):
            return self._upload(client, target, headers)
        if interaction["method"] == "GET" and target.endpoint.startswith("/responses/"):
            options = {name: json.loads(value) for name, value in target.query.items()}
            identity = target.endpoint.rpartition("/")[2]
            return self._wrapped(client.responses, wrapper).retrieve(
                identity, extra_headers=headers, **options
            )
        method = self._method(client, target, wrapper, body)
        if method is None:
            return self._plain_request(client, target, interaction, headers)
        return self._invoke(method, body, headers)

    def _client(self, target: Target) -> Any:
        version = target.query.get("api-version")
        key = (target.sdk, target.base_path, target.deployment, version)
        if key not in self._clients:
            prefix = "Async" if self._is_async else ""
            common: dict[str, Any] = {
                "api_key": "k",
                "http_client": self._http,
                "max_retries": 0,
                "timeout": 30,
            }
            if target.sdk == "azure":
                self._clients[key] = getattr(openai, f"{prefix}AzureOpenAI")(
                    azure_endpoint=self._vendor_url,
                    azure_deployment=target.deployment,
                    api_version=version,
                    **common,
                )
            else:
                module, name = (anthropic, "Anthropic") if target.sdk == "anthropic" else (openai, "OpenAI")
                base_url = self._vendor_url + target.base_path
                self._clients[key] = getattr(module, prefix + name)(base_url=base_url, **common)
        return self._clients[key]

    def _method(self, client: Any, target: Target, wrapper: str, body: Any) -> Callable[..., Any] | None:
        """The public method for the endpoint, None where there is none that takes this body."""
        names = _ANTHROPIC_METHODS if target.sdk == "anthropic" else _OPENAI_METHODS
        name = names.get(target.endpoint)
        if name is None or not isinstance(body, dict) or "model" not in body:
            return None
        resource = client.beta if target.query.get("beta") else client
        *path, verb = name.split(".")
        for step in path:
            resource = getattr(resource, step)
        method = getattr(resource, verb)
        required = {
            parameter.name
            for parameter in inspect.signature(method).parameters.values()
            if parameter.default is parameter.empty
        }
        if not required <= body.keys():
            return None
        return getattr(self._wrapped(resource, wrapper), verb)

    @staticmethod
    def _wrapped(resource: Any, wrapper: str) -> Any:
        return getattr(resource, wrapper) if wrapper else resource

    @staticmethod
    def _invoke(method: Callable[..., Any], body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        accepted = inspect.signature(method).parameters
        known = {name: value for name, value in body.items() if name in accepted}
        extra = {name: value for name, value in body.items() if name not in accepted}
        return method(**known, extra_headers=dict(headers), extra_body=extra or None)

    def _plain_request(
        self, client: Any, target: Target, interaction: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Any:
        options: dict[str, Any] = {"cast_to": object, "options": {"headers": headers, "params": target.query}}
        verb = interaction["method"].lower()
        if verb == "get":
            return client.get(target.endpoint, **options)
        if interaction["is_stream"]:
            module = anthropic if target.sdk == "anthropic" else openai
            stream_class = module.AsyncStream if self._is_async else module.Stream
            options |= {"stream": True, "stream_cls": stream_class[object]}
        return getattr(client, verb)(target.endpoint, body=interaction.get("request_body"), **options)

    @staticmethod
    def _upload(client: Any, target: Target, headers: Mapping[str, str]) -> Any:
        if target.sdk == "anthropic":
            return client.beta.files.upload(file=("a.txt", b"text"), extra_headers=dict(headers))
        return client.files.create(file=b"text", purpose="assistants", extra_headers=dict(headers))


def consume(result: Any) -> None:
    """Read a synchronous result to its end, as a caller would."""
    parsed = result.parse() if hasattr(result, "retries_taken") else result
    if isinstance(parsed, (openai.Stream, anthropic.Stream)):
        for _ in parsed:
            pass


async def consume_async(result: Any) -> None:
    """Read an awaited result to its end, as a caller would."""
    parsed = result.parse() if hasattr(result, "retries_taken") else result
    if inspect.isawaitable(parsed):
        parsed = await parsed
    if isinstance(parsed, (openai.AsyncStream, anthropic.AsyncStream)):
        async for _ in parsed:
            pass
