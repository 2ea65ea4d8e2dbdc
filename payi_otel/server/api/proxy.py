"""The proxy's paths: those of each vendor's own API, below `/api/v1/proxy/<vendor>`."""

from __future__ import annotations

import json
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from payi_otel.server.api.context import ApplicationId, Segment, StoreOf
from payi_otel.server.errors import ApiError
from payi_otel.server.proxy import recording
from payi_otel.server.proxy.forwarding import request_headers
from payi_otel.server.proxy.hosts import HostRules
from payi_otel.server.proxy.relay import Relay
from payi_otel.server.proxy.targets import Target, target_of

router = APIRouter(prefix="/api/v1/proxy", tags=["proxy"])

_PREFIX = "/api/v1/proxy/"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
_PATHS = (
    "/openai/v1/chat/completions",
    "/openai/v1/responses",
    "/openai/v1/embeddings",
    "/openai/v1/images/generations",
    "/azure.openai/openai/v1/responses",
    "/anthropic/v1/messages",
    "/azure.anthropic/v1/messages",
)
_OF_DEPLOYMENTS = ("chat/completions", "embeddings", "images/generations")


async def pass_on(request: Request, application_id: ApplicationId, store: StoreOf) -> Response:
    """Call the vendor with this body. The answer is the vendor's, with `xproxy_result` in it.

    The vendor's key travels in the vendor's own header; `xProxy-*` headers say whose the call is. A limit that
    blocks refuses the call before the vendor hears of it.
    """
    vendor, _, path = request.scope["path"].removeprefix(_PREFIX).partition("/")
    target = target_of(vendor, path)
    if target is None:
        raise ApiError(404, None, f"{request.scope['path']}: the proxy does not pass this on")
    headers = request_headers(target.vendor, request.headers)
    content = await request.body()
    body = _json(content)
    base_url = request.headers.get("xProxy-Provider-BaseUri") or target.vendor.base_url
    if base_url is None:
        message = "xProxy-Provider-BaseUri: missing; give one such as https://my-resource.openai.azure.com"
        raise ApiError(400, "header_is_missing", message)
    rules: HostRules = request.app.state.host_rules
    rules.named(base_url)
    call = recording.begin(
        application_id, target.exchange(body, base_url), request.headers, f"{base_url.rstrip('/')}/{path}"
    )
    endpoint = await run_in_threadpool(rules.check, base_url)
    relay: Relay = request.app.state.relay
    refusal = await relay.blocked(call)
    if refusal is not None:
        return refusal
    hide_usage = _asks_for_usage(target, body)

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue

    return await relay.send(
        call,
        endpoint,
        path,
        request.url.query,
        headers,
        json.dumps(body).encode() if hide_usage else content,
        hide_usage=hide_usage,
        gone=gone,
    )


async def pass_on_deployment(
    deployment: Segment, request: Request, application_id: ApplicationId, store: StoreOf
) -> Response:
    """Call a deployment of Azure OpenAI with this body."""
    return await pass_on(request, application_id, store)


def _asks_for_usage(target: Target, body: dict[str, Any]) -> bool:
    """Ask the vendor to tell the usage of a stream, in `body`; says whether the caller has not."""
    if target.surface != "chat" or body.get("stream") is not True:
        return False
    options: Any = body.get("stream_options")
    asked = cast("dict[str, Any]", options) if isinstance(options, dict) else {}
    if asked.get("include_usage"):
        return False
    body["stream_options"] = {**asked, "include_usage": True}
    return True


def _json(content: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiError(400, "invalid_json", "the body is no JSON object; send what the vendor's API takes")
    return cast("dict[str, Any]", found)


for _path in _PATHS:
    router.add_api_route(_path, pass_on, methods=["POST"], openapi_extra=_BODY, response_model=None)
for _api in _OF_DEPLOYMENTS:
    router.add_api_route(
        "/azure.openai/openai/deployments/{deployment}/" + _api,
        pass_on_deployment,
        methods=["POST"],
        openapi_extra=_BODY,
        response_model=None,
    )
