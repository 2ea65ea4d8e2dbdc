"""`payi-otel keys`: applications of the self-hosted server and their API keys, two each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, require
from payi_otel.commands.store import add_database, opened

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payi_otel.commands.shape import Subparsers
    from payi_otel.server.store.keys import Application


def add_to(subparsers: Subparsers) -> None:
    """Add the command `keys`."""
    parser = subparsers.add_parser("keys", help="list, make and replace API keys of the self-hosted server")
    add_database(parser)
    actions = parser.add_subparsers(title="actions", required=True, metavar="action")
    listing = actions.add_parser("list", help="the applications, and since when each of their keys is valid")
    listing.set_defaults(run=run, action=_list)
    create = actions.add_parser("create", help="make an application, or a key in its free slot")
    create.set_defaults(run=run, action=_create)
    rotate = actions.add_parser("rotate", help="replace the key of a slot; the old one is valid no more")
    rotate.set_defaults(run=run, action=_rotate)
    revoke = actions.add_parser("revoke", help="take the key of a slot away")
    revoke.set_defaults(run=run, action=_revoke)
    for action in (create, rotate, revoke):
        action.add_argument("application", help="the application's name")
    for action in (rotate, revoke):
        action.add_argument("--slot", type=int, choices=(1, 2), required=True, help="which of its two keys")


def run(arguments: argparse.Namespace) -> int:
    """Do what was chosen. A new key is printed once, and can be read nowhere afterwards."""
    require(SERVER_MODULES, install='pip install "payi-otel[server]"', purpose="the server")
    with opened(arguments.database) as store, store.write() as connection:
        arguments.action(connection, arguments)
    return 0


def _list(connection: Connection, _arguments: argparse.Namespace) -> None:
    from payi_otel.server.store.keys import list_applications

    for application in list_applications(connection):
        keys = [f"key {slot} since {since:%Y-%m-%d %H:%M} UTC" for slot, since in application.keys]
        print(f"{application.name}: {', '.join(keys) or 'no keys'}")


def _create(connection: Connection, arguments: argparse.Namespace) -> None:
    from payi_otel.server.api.context import now
    from payi_otel.server.store.keys import SLOTS, ensure_application, new_key, set_key

    application = ensure_application(connection, arguments.application, now())
    taken = {slot for slot, _ in application.keys}
    free = [slot for slot in SLOTS if slot not in taken]
    if not free:
        raise CommandError(f"{application.name} has two keys; replace one with: keys rotate --slot 1|2")
    key = new_key()
    set_key(connection, application.id, free[0], key, now())
    print(key)


def _rotate(connection: Connection, arguments: argparse.Namespace) -> None:
    from payi_otel.server.api.context import now
    from payi_otel.server.store.keys import new_key, set_key

    key = new_key()
    set_key(connection, _known(connection, arguments.application).id, arguments.slot, key, now())
    print(key)


def _revoke(connection: Connection, arguments: argparse.Namespace) -> None:
    from payi_otel.server.store.keys import revoke_key

    application = _known(connection, arguments.application)
    if not revoke_key(connection, application.id, arguments.slot):
        raise CommandError(f"--slot: {application.name} has no key {arguments.slot}; see: keys list")


def _known(connection: Connection, name: str) -> Application:
    from payi_otel.server.store.keys import list_applications

    found = {one.name: one for one in list_applications(connection)}
    if name not in found:
        raise CommandError(f"application: {name!r} is not known; make it with: keys create {name}")
    return found[name]
