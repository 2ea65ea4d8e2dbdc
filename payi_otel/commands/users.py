"""`payi-otel users`: who may sign in to the portal of the self-hosted server."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, require
from payi_otel.commands.store import add_database, opened

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payi_otel.commands.shape import Subparsers

_ROLES = ("admin", "read-only")
_LONGEST_NAME = 100


def add_to(subparsers: Subparsers) -> None:
    """Add the command `users`."""
    parser = subparsers.add_parser("users", help="add, list and remove users of the server's portal")
    add_database(parser)
    actions = parser.add_subparsers(title="actions", required=True, metavar="action")
    add = actions.add_parser("add", help="add a user; asks for a password")
    add.add_argument("name", help="what they sign in with")
    add.add_argument("--role", choices=_ROLES, default="admin", help="what they may do (%(default)s)")
    add.add_argument("--application", help="the only application they see; every one without this")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    add.set_defaults(run=run, action=_add)
    listing = actions.add_parser("list", help="the users, what they may do and see")
    listing.set_defaults(run=run, action=_list)
    remove = actions.add_parser("remove", help="remove a user and end their sessions")
    remove.add_argument("name", help="their name")
    remove.set_defaults(run=run, action=_remove)
    link = actions.add_parser("link", help="print a link that signs in once, as an admin of everything")
    link.add_argument("--url", default="http://127.0.0.1:8742", help="where the server is (%(default)s)")
    link.set_defaults(run=run, action=_link)


def run(arguments: argparse.Namespace) -> int:
    """Do what was chosen."""
    require(SERVER_MODULES, install='pip install "payi-otel[server]"', purpose="the server")
    if arguments.action is _add:
        arguments.password_hash = _password_hash(arguments)
    with opened(arguments.database) as store, store.write() as connection:
        arguments.action(connection, arguments)
    return 0


def _add(connection: Connection, arguments: argparse.Namespace) -> None:
    from payi_otel.server.api.context import now
    from payi_otel.server.store.keys import list_applications
    from payi_otel.server.store.users import add_user

    name = arguments.name.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise CommandError(f"name: give 1 to {_LONGEST_NAME} characters that can be printed")
    application_id = None
    if arguments.application is not None:
        known = {one.name: one.id for one in list_applications(connection)}
        if arguments.application not in known:
            raise CommandError(f"--application: {arguments.application!r} is not known; see: keys list")
        application_id = known[arguments.application]
    if not add_user(connection, name, arguments.password_hash, arguments.role, application_id, now()):
        raise CommandError(f"name: there is a user {name!r}; remove them first with: users remove {name}")
    print(f"{name} may sign in to the portal.")


def _list(connection: Connection, _arguments: argparse.Namespace) -> None:
    from payi_otel.server.store.users import list_users

    users = list_users(connection)
    for user in users:
        print(f"{user.name}: {user.role}, {user.application or 'every application'}")
    if not users:
        print("no users; add one with: payi-otel users add NAME")


def _remove(connection: Connection, arguments: argparse.Namespace) -> None:
    from payi_otel.server.store.users import remove_user

    if not remove_user(connection, arguments.name):
        raise CommandError(f"name: {arguments.name!r} is not known; see: users list")


def _link(connection: Connection, arguments: argparse.Namespace) -> None:
    from payi_otel.server.api.context import now
    from payi_otel.server.portal.links import link_path
    from payi_otel.server.store.users import add_link, new_token

    token = new_token()
    add_link(connection, token, now())
    print(arguments.url.rstrip("/") + link_path(token))


def _password_hash(arguments: argparse.Namespace) -> str:
    """Asked for before the database is opened: a transaction must not wait for somebody who types."""
    from payi_otel.server.portal.guard import hash_password

    if arguments.password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise CommandError("password: the two are not the same; try again")
    try:
        return hash_password(password)
    except ValueError as error:
        raise CommandError(str(error)) from None
