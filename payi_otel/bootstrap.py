"""Installing payi_otel in a process: `payi_instrument()`, the hooks of `opentelemetry-instrument`, the undoing."""

from __future__ import annotations

import atexit
import importlib.util
import inspect
import logging
import os
import sys
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from payi_otel.faults import faults
from payi_otel.registry import registry
from payi_otel.settings import Settings, SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from payi_otel.delivery.ledger import Ledger, Status
    from payi_otel.delivery.outbox import Outbox
    from payi_otel.delivery.worker import DeliveryWorker
    from payi_otel.providers.model import Sdk

logger = logging.getLogger("payi_otel")

_SDKS: tuple[Sdk, ...] = ("openai", "anthropic")
# The official package's names for what to instrument.
_INSTRUMENT_NAMES: Mapping[str, tuple[Sdk, ...]] = {
    "*": _SDKS,
    "openai": ("openai",),
    "system.openai": ("openai",),
    "azure_openai": ("openai",),
    "system.azureopenai": ("openai",),
    "anthropic": ("anthropic",),
    "system.anthropic": ("anthropic",),
    "azure": ("openai", "anthropic"),
    "system.azure": ("openai", "anthropic"),
}
_CONFIG_NAMES = {"log_prompt_and_response": "capture_content"}
# What the official package's config may hold beside; it has no counterpart here or is told another way.
_CONFIG_IGNORED = frozenset(
    {"aws_config", "connection_error_logging_window", "offline_instrumentation", "ingest_retry"}
)


def payi_instrument(
    *,
    payi: Any = None,
    instruments: Iterable[str] | None = None,
    log_prompt_and_response: bool | None = None,
    config: Mapping[str, Any] | None = None,
    logger: logging.Logger | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    tracer_provider: TracerProvider | None = None,
) -> None:
    """Instrument the OpenAI and Anthropic SDKs of this process; every billed call becomes one Pay-i event.

    Idempotent: a second call changes nothing and says so once. Clients made before are covered too.

    Args:
        payi: a `Payi` or `AsyncPayi` client (or a list) whose key and address are used; the environment
            (`PAYI_API_KEY`, `PAYI_BASE_URL`) where left out.
        instruments: names such as `{"openai"}`; all installed SDKs where left out.
        log_prompt_and_response: send prompts and answers to Pay-i. Off by default.
        config: process defaults (`use_case_name`, `user_id`, `limit_ids`, ...) and settings, as in Pay-i's
            documentation.
        logger: accepted for compatibility; payi_otel logs to the logger `payi_otel`.
        api_key: Pay-i key, before `payi` and the environment.
        base_url: address of Pay-i, such as "http://127.0.0.1:8080" of `payi-otel serve`.
        tracer_provider: where spans go; the global provider where left out.

    Raises:
        SettingsError: a setting is wrong; the message names it, its value and the fix.

    Example:
        >>> from payi_otel import payi_instrument
        >>> payi_instrument(config={"use_case_name": "support_chat"})  # doctest: +SKIP
    """
    arguments = _arguments(payi, instruments, log_prompt_and_response, config, api_key, base_url)
    settings = Settings.from_arguments(arguments)
    has_name = settings.use_case_name is not None or "use_case_name" in (config or {})
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None and not has_name else None
    caller_file = caller.f_code.co_filename if caller is not None else None
    install(settings, caller_file=caller_file, tracer_provider=tracer_provider)


def _arguments(
    payi: Any,
    instruments: Iterable[str] | None,
    log_prompt_and_response: bool | None,
    config: Mapping[str, Any] | None,
    api_key: str | None,
    base_url: str | None,
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    clients = cast("Iterable[Any]", payi if isinstance(payi, (list, tuple)) else [payi])
    for client in clients:
        if client is None:
            continue
        arguments["api_key"] = getattr(client, "api_key", None)
        arguments["base_url"] = str(getattr(client, "base_url", "")) or None
    mappings: dict[str, list[Any]] = {}
    for name, value in (config or {}).items():
        if name in {"openai_config", "azure_openai_config", "anthropic_config"}:
            sdk = "anthropic" if name == "anthropic_config" else "openai"
            outer = cast("Mapping[str, Any]", value or {})
            for section in (outer, cast("Mapping[str, Any]", outer.get("azure") or {})):
                mappings.setdefault(sdk, []).extend(section.get("model_mappings") or [])
        elif name not in _CONFIG_IGNORED:
            arguments[_CONFIG_NAMES.get(name, name)] = value
    if mappings:
        arguments["model_mappings"] = mappings
    explicit = {
        "instruments": None if instruments is None else list(instruments),
        "capture_content": log_prompt_and_response,
        "api_key": api_key,
        "base_url": base_url,
    }
    return arguments | {name: value for name, value in explicit.items() if value is not None}


def install(
    settings: Settings, *, caller_file: str | None = None, tracer_provider: TracerProvider | None = None
) -> None:
    """Install once with these settings; later calls are no-ops until `uninstrument()`."""
    with registry.lock:
        if registry.recorder is not None:
            logger.info("payi_otel: already installed; the settings of the first call stay in force")
        else:
            _install_core(settings, caller_file, tracer_provider)
        for sdk in _wanted(settings):
            if importlib.util.find_spec(sdk) is not None:
                install_sdk(sdk)


def _wanted(settings: Settings) -> tuple[Sdk, ...]:
    if settings.instruments is None:
        return _SDKS
    names: set[Sdk] = set()
    for name in settings.instruments:
        sdks = _INSTRUMENT_NAMES.get(name)
        if sdks is None:
            raise SettingsError(f"instruments={name!r}: use one of {', '.join(sorted(_INSTRUMENT_NAMES))}")
        names.update(sdks)
    return tuple(sdk for sdk in _SDKS if sdk in names)


def _install_core(
    settings: Settings, caller_file: str | None, tracer_provider: TracerProvider | None
) -> None:
    from payi_otel import process_life
    from payi_otel.capture.owners import Owners
    from payi_otel.spans.provider import TracerSource
    from payi_otel.spans.recorder import SpanRecorder
    from payi_otel.tracking.context import EMPTY, nest, set_process_defaults
    from payi_otel.tracking.naming import default_use_case_name
    from payi_otel.tracking.propagation import propagate_threads

    registry.settings = settings
    worker = ensure_worker()
    ledger = ensure_ledger()
    if settings.global_instrumentation:
        name = settings.use_case_name
        if name is None and caller_file is not None:
            name = default_use_case_name(caller_file)
        set_process_defaults(
            nest(
                EMPTY,
                use_case_name=name,
                use_case_id=settings.use_case_id,
                use_case_version=settings.use_case_version,
                use_case_step=settings.use_case_step,
                use_case_properties=settings.use_case_properties or None,
                request_properties=settings.request_properties or None,
                limit_ids=settings.limit_ids or None,
                user_id=settings.user_id,
                account_name=settings.account_name,
                price_as_category=settings.price_as_category,
                price_as_resource=settings.price_as_resource,
                resource_scope=settings.resource_scope,
                proxy=settings.proxy or None,
            )
        )
    if settings.propagate_threads:
        propagate_threads()
    source = TracerSource(tracer_provider)
    registry.owners = Owners(state_folder(settings))
    registry.recorder = SpanRecorder(source, settings, ledger, registry.owners, worker)
    source.adopt_global()
    process_life.install(settings.handle_sigterm, _flush_at_end, settings.exit_timeout_s)


def _flush_at_end() -> None:
    worker = registry.worker
    if worker is not None:
        worker.shutdown(worker.config.exit_timeout_s)


def state_folder(settings: Settings) -> Path | None:
    """The folder for what must outlive the process, `PAYI_OUTBOX_DIR` or the user's state directory."""
    if settings.state_dir is not None:
        return Path(settings.state_dir)
    try:
        base = os.environ.get("XDG_STATE_HOME")
        return (Path(base) if base else Path.home() / ".local" / "state") / "payi-otel"
    except RuntimeError:
        # No home directory, as in some containers.
        return None


def install_sdk(sdk: Sdk) -> None:
    """Patch one SDK if that was not done, now or when it is imported; the core first where it is missing."""
    from payi_otel.capture import hooks

    with registry.lock:
        if registry.recorder is None:
            _install_core(Settings.from_arguments(), None, None)
        if sdk in registry.instrumented:
            return
        if sdk in sys.modules:
            try:
                hooks.install(sdk)
            except (ImportError, AttributeError) as error:
                faults.report(f"instrument.{sdk}", error)
                return
        else:
            hooks.install_when_loaded(sdk)
        registry.instrumented.add(sdk)


def remove_sdk(sdk: Sdk) -> None:
    """Undo `install_sdk`."""
    from payi_otel.capture import hooks

    with registry.lock:
        if sdk in registry.instrumented:
            registry.instrumented.discard(sdk)
            hooks.remove(sdk)


def uninstrument() -> None:
    """Undo `payi_instrument()`: the SDKs get their own methods back, what is queued is still delivered.

    Streams that are open stay observed to their end.
    """
    from payi_otel import process_life
    from payi_otel.tracking.context import set_process_defaults
    from payi_otel.tracking.propagation import stop_propagating_threads

    with registry.lock:
        process_life.remove()
        for sdk in tuple(registry.instrumented):
            remove_sdk(sdk)
        stop_propagating_threads()
        set_process_defaults(None)
        worker, settings = registry.worker, registry.settings
        registry.recorder = registry.settings = registry.owners = None
    # Outside of the lock: what is deferred on the worker's thread may need it. The worker stays for the streams
    # that are still open; what they submit starts it again.
    if worker is not None and settings is not None:
        worker.shutdown(settings.exit_timeout_s)


def ensure_ledger() -> Ledger:
    """The process's ledger; it outlives `uninstrument()`."""
    from payi_otel.delivery.ledger import Ledger
    from payi_otel.spans.metrics import observe_ledger

    with registry.lock:
        if registry.ledger is None:
            registry.ledger = Ledger()
            observe_ledger(registry.ledger.counts)
        return registry.ledger


def ensure_worker() -> DeliveryWorker:
    """The process's delivery worker, made from the settings or the environment on first use.

    Other settings than those it was made with get another worker; the old one delivers what it has.
    """
    from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker

    with registry.lock:
        settings = registry.settings
        if settings is None:
            if registry.worker is not None:
                return registry.worker
            settings = Settings.from_arguments()
        config = DeliveryConfig(
            api_key=settings.api_key,
            base_url=settings.base_url,
            timeout_s=settings.timeout_s,
            exit_timeout_s=settings.exit_timeout_s,
            queue_max_bytes=settings.queue_max_bytes,
            outbox_max_age_s=settings.outbox_max_age_s,
            delivery=settings.delivery,
            durability=settings.durability,
        )
        if registry.worker is None or registry.worker.config != config:
            registry.worker = DeliveryWorker(config, _outbox(settings), ensure_ledger())
            # Runs before the worker's own exit hook and the SDK provider's, which were registered earlier.
            atexit.register(_sweep, weakref.ref(registry.worker))
        return registry.worker


def _outbox(settings: Settings) -> Outbox:
    """The outbox that the settings ask for; in memory where there is no folder."""
    from payi_otel.delivery.durable import DurableOutbox
    from payi_otel.delivery.folder import destination_folder
    from payi_otel.delivery.outbox import MemoryOutbox

    state = state_folder(settings)
    if settings.durability == "memory" or state is None:
        return MemoryOutbox(settings.queue_max_bytes)
    if settings.state_dir is not None:
        folders = [state]
    else:
        program = os.path.abspath(sys.argv[0]) if sys.argv else ""
        # The second is what this program left while it had no key.
        keys = dict.fromkeys((settings.api_key, None))
        folders = [destination_folder(state, settings.base_url, key, program) for key in keys]
    return DurableOutbox(
        folders[0],
        also_from=folders[1:],
        max_bytes=settings.outbox_max_bytes,
        spill_max_bytes=settings.queue_max_bytes,
        # One of ours, named by destination; the user's own stays.
        remove_folder=settings.state_dir is None,
    )


def _sweep(worker: weakref.ref[DeliveryWorker]) -> None:
    from payi_otel.capture.call import finish_open_calls

    if registry.worker is worker():
        finish_open_calls()


def force_flush(timeout_s: float = 10.0) -> bool:
    """Deliver every event and score made so far; True only when Pay-i has accepted them all.

    >>> force_flush(timeout_s=5.0)  # doctest: +SKIP
    True
    """
    worker = registry.worker
    return worker is None or worker.force_flush(timeout_s)


def shutdown(timeout_s: float = 5.0) -> bool:
    """End open streams, deliver what is queued within `timeout_s` and stop; True when nothing was left."""
    from payi_otel.capture.call import finish_open_calls

    finish_open_calls()
    worker = registry.worker
    return worker is None or worker.shutdown(timeout_s)


def status() -> Status:
    """The ledger: events seen, delivered, queued, estimated, unpriced, rejected, dropped, and our failures.

    >>> status().seen  # doctest: +SKIP
    3
    """
    return ensure_ledger().snapshot()


def pre_instrument() -> None:
    """Hook of `opentelemetry-instrument`. Never raises: an exception would stop all instrumentors after us."""
    with faults.guard("bootstrap.pre_instrument"), registry.lock:
        if registry.recorder is None:
            _install_core(Settings.from_arguments(), None, None)
