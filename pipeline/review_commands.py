"""What the commands about the reviewer's desk do. Imports are inside the commands, as in `commands`."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import timedelta
from pathlib import Path

from pipeline.command_parts import operator
from pipeline.errors import ExitCode, UsageError
from pipeline.settings import Settings

_TOKEN_DAYS, _MOST_TOKEN_DAYS = 90, 366


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage desk`, `triage user` and `triage audit`."""
    from pipeline.desk_place import HOST, PORT, add_tls

    desk = command.add_parser("desk", parents=[shared], help="the reviewer's desk as a web application")
    desk.add_argument("--host", default=HOST, help="default: this machine alone")
    desk.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0 takes a free one")
    add_tls(desk)
    desk.set_defaults(function=serve_desk)

    user = command.add_parser("user", help="who may log in to the desk")
    users = user.add_subparsers(dest="user_command", required=True, metavar="COMMAND")
    add = users.add_parser("add", parents=[shared], help="a new user; asks for the password")
    add.add_argument("name")
    add.add_argument("--role", required=True, choices=_roles())
    add.set_defaults(function=add_user)
    password = users.add_parser("password", parents=[shared], help="another password; asks for it")
    password.add_argument("name")
    password.set_defaults(function=set_password)
    disable = users.add_parser("disable", parents=[shared], help="close an account, its sessions with it")
    disable.add_argument("name")
    disable.set_defaults(function=disable_user)
    enable = users.add_parser("enable", parents=[shared], help="open a closed account again")
    enable.add_argument("name")
    enable.set_defaults(function=enable_user)
    listed = users.add_parser("list", parents=[shared], help="all accounts")
    listed.set_defaults(function=list_users)
    token = users.add_parser("token", parents=[shared], help="a token for a program that works as the user")
    token.add_argument("name")
    token.add_argument("--days", type=int, default=_TOKEN_DAYS, help=f"how long it lasts; {_TOKEN_DAYS}")
    token.set_defaults(function=make_token)

    trail = command.add_parser("audit", help="the audit trail of the desk")
    trails = trail.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    verify = trails.add_parser("verify", parents=[shared], help="whether any row was changed or taken out")
    verify.add_argument("--head", metavar="HEAD", help="what an earlier check printed: nothing since is gone")
    verify.set_defaults(function=verify_audit)


def serve_desk(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage desk`: until it is stopped."""
    from pipeline.ledger import open_ledger
    from pipeline.review.desk import desk
    from pipeline.review.guard import check_secrets
    from pipeline.serving import Certificates, check_place, serve_application

    tls = bool(options.tls_cert)
    check_place(options.host, tls=tls)
    key = Path(options.tls_key) if options.tls_key else None

    def ready(address: str) -> None:
        if not options.quiet:
            sys.stdout.write(f"The desk is at {address}; Ctrl-C stops it.\n")
            sys.stdout.flush()

    with open_ledger(settings) as ledger:
        check_secrets(settings, ledger.keys)
        serve_application(
            desk(ledger, settings, secure=tls),
            options.host,
            options.port,
            ready=ready,
            certificates=Certificates(Path(options.tls_cert), key) if tls else None,
        )
    return ExitCode.DONE


def add_user(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage user add`."""
    from pipeline.ledger import open_ledger
    from pipeline.review.accounts import add
    from pipeline.review.roles import Role

    role = Role(options.role)
    with open_ledger(settings) as ledger:
        password = None if role is Role.SENDER else _password()
        add(ledger, options.name, role, password, actor=operator())
    told = "hand in submissions with a token: `triage user token`" if password is None else "log in"
    sys.stdout.write(f"User {options.name} may {told}, as {options.role}.\n")
    return ExitCode.DONE


def set_password(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage user password`."""
    from pipeline.ledger import open_ledger
    from pipeline.review import accounts

    with open_ledger(settings) as ledger:
        accounts.set_password(ledger, options.name, _password(), actor=operator())
    return ExitCode.DONE


def disable_user(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage user disable`."""
    from pipeline.ledger import open_ledger
    from pipeline.review.accounts import disable

    with open_ledger(settings) as ledger:
        disable(ledger, options.name, actor=operator())
    return ExitCode.DONE


def enable_user(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage user enable`."""
    from pipeline.ledger import open_ledger
    from pipeline.review.accounts import enable

    with open_ledger(settings) as ledger:
        enable(ledger, options.name, actor=operator())
    return ExitCode.DONE


def list_users(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage user list`."""
    from pipeline.ledger import open_ledger
    from pipeline.review.accounts import listed

    with open_ledger(settings) as ledger:
        for user in listed(ledger):
            sys.stdout.write(
                f"{user.name:24} {user.role:18} {'disabled' if user.disabled else ''}".rstrip() + "\n"
            )
    return ExitCode.DONE


def make_token(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage user token`: printed once, kept nowhere."""
    from pipeline.ledger import open_ledger
    from pipeline.review import accounts, sessions

    if not 1 <= options.days <= _MOST_TOKEN_DAYS:
        raise UsageError(f"A token lasts 1 to {_MOST_TOKEN_DAYS} days.")
    with open_ledger(settings) as ledger:
        user = accounts.user(ledger, options.name)
        if user is None or user.disabled:
            raise UsageError(f"There is no user {options.name}.", next_step="`triage user list` lists them.")
        lasts = timedelta(days=options.days)
        token = sessions.begin(ledger, user, program=True, lasts=lasts, actor=operator())
    sys.stdout.write(f"{token}\n")
    return ExitCode.DONE


def verify_audit(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage audit verify`: exit code 1 where the trail is not whole."""
    from pipeline.audit import verify
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        verdict = verify(ledger, head=options.head)
    if verdict.whole:
        sys.stdout.write(f"{verdict.rows} rows, all whole. Head: {verdict.head}\n")
        return ExitCode.DONE
    sys.stdout.write(
        f"The trail is broken at row {verdict.broken}; the {verdict.rows} before it are whole.\n"
    )
    return ExitCode.PARKED


def _roles() -> list[str]:
    from pipeline.review.roles import Role

    return [role.value for role in Role]


def _password() -> str:
    """From the terminal, asked twice; from standard input where there is none."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise UsageError("The two are not the same.")
    return first
