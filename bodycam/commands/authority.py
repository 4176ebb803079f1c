"""`bodycam authority`: a force's certificates: make, sign, revoke, list."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from ..clock import SystemClock, utc_from_text
from ..errors import CannotOpen, ConfigError, ExitCode, StorageError
from ..pkcs11key import SCHEME, RequestKey, open_token, parse_uri
from ..provision.authority import (
    CRL,
    MAX_DAYS,
    REASONS,
    ROOT,
    init_authority,
    needs_passphrase,
    open_authority,
)
from ..provision.identity import make_request
from ..provision.keyfiles import read_passphrase, write_public
from ..provision.profile import CRL_DAYS, DEVICE_DAYS
from ..provision.recipients import list_recipients, new_pq_recipient, new_recipient
from ..provision.register import read_register

_FOR_PROGRAMS = {"issued", "not_before", "sha256", "key", "revoked_at"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_init(actions.add_parser("init", help="make a force root and its device authority"))
    _add_csr(actions.add_parser("csr", help="on the camera: make its key and a request"))
    _add_sign(actions.add_parser("sign", help="certify a camera's request"))
    _add_revoke(actions.add_parser("revoke", help="trust a camera no longer, from a time on"))
    crl = actions.add_parser("crl", help="write the revocation list again, with new dates")
    _add_folder(crl)
    crl.add_argument("--valid-days", type=_days, default=CRL_DAYS, metavar="N")
    entries = actions.add_parser("list", help="the register: who has which certificate")
    _add_folder(entries, secret=False)
    _add_recipient(actions.add_parser("recipient", help="who may open recordings"))
    for sub in (*actions.choices.values(),):
        if sub is not actions.choices["recipient"]:
            _add_json(sub)


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--force", required=True, metavar="NAME", help="as its certificates say it")
    _add_passphrase(parser)


def _add_csr(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--identity", type=Path, required=True, metavar="DIR", help="the camera's identity folder"
    )
    parser.add_argument("--device", required=True, metavar="ID", help="as in [device] id")
    parser.add_argument(
        "--key", default="file", metavar="KEY",
        help="as in [identity] key: 'file', or the pkcs11: URI of a key that is used, or made there",
    )  # fmt: skip


def _add_sign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("csr", type=Path, metavar="CSR")
    _add_folder(parser)
    parser.add_argument("--device", required=True, metavar="ID", help="the camera it must be for")
    parser.add_argument(
        "--valid-days", type=_days, default=DEVICE_DAYS, metavar="N",
        help="1 to 3650 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="device.pem")
    parser.add_argument("--renew", action="store_true", help="although it has a valid one")


def _add_revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="SERIAL|DEVICE")
    _add_folder(parser)
    parser.add_argument(
        "--from", dest="from_utc", metavar="UTC",
        help="since when nothing it signs is trusted, RFC 3339 (default: now)",
    )  # fmt: skip
    parser.add_argument("--reason", choices=sorted(REASONS), default="unspecified")


def _add_recipient(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", metavar="new|list", required=True)
    new = what.add_parser("new", help="make NAME.key, for the custodian, and NAME.pem, for cameras")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--out", type=Path, required=True, metavar="DIR")
    new.add_argument(
        "--post-quantum", action="store_true", help="an ML-KEM-768 key with X25519, not P-256"
    )
    _add_passphrase(new)
    listed = what.add_parser("list", help="the public keys in a folder, and their key ids")
    listed.add_argument("folder", type=Path, metavar="DIR", help="a camera's recipients folder")
    _add_json(new)
    _add_json(listed)


def _add_folder(parser: argparse.ArgumentParser, *, secret: bool = True) -> None:
    parser.add_argument("--authority", type=Path, required=True, metavar="DIR")
    if secret:
        _add_passphrase(parser)


def _add_passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", metavar="FILE",
        help="private keys are encrypted with its first line; '-' asks for it",
    )  # fmt: skip


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """Exit 2 for what must not be issued, 4 for a request that proves nothing, 6 for a key."""
    action = arguments.action
    if action == "recipient":
        action = f"recipient {arguments.what}"
    told = {
        "init": _init, "csr": _csr, "sign": _sign, "revoke": _revoke, "crl": _crl, "list": _list,
        "recipient new": _new_recipient, "recipient list": _list_recipients,
    }[action](arguments, SystemClock().sample().utc_ns)  # fmt: skip
    if arguments.json:
        print(json.dumps(told))
    else:
        print("\n".join(_lines(told)))
    return ExitCode.OK


def _init(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    passphrase = _passphrase(arguments.passphrase_file, new=True)
    init_authority(arguments.out, arguments.force, now_ns, passphrase)
    return {"root": str(arguments.out / ROOT), "crl": str(arguments.out / CRL),
            "next": "keep root.key offline; give root.pem to everybody who verifies"}  # fmt: skip


def _csr(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    del now_ns
    if not arguments.key.startswith(SCHEME):
        if arguments.key != "file":
            raise ConfigError(f"authority csr: --key {arguments.key!r}; accepted: file, pkcs11:…")
        return {"request": str(make_request(arguments.identity, arguments.device))}
    with open_token(parse_uri(arguments.key), generate=True) as key:
        return {"request": str(make_request(arguments.identity, arguments.device, RequestKey(key)))}


def _sign(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    if arguments.out.exists():
        raise ConfigError(f"authority sign: {arguments.out} is there already", "Name a new file")
    authority = open_authority(arguments.authority, _unlock(arguments))
    leaf, middle = authority.sign(
        arguments.csr, arguments.device, now_ns, arguments.valid_days, renew=arguments.renew
    )
    try:
        write_public(arguments.out, leaf, middle)
    except OSError as fault:
        raise StorageError(
            f"{arguments.out}: {fault.strerror}",
            f"Certificate {leaf.serial_number:x} is registered: sign again with --renew",
        ) from fault
    return {"certificate": str(arguments.out), "device": arguments.device,
            "serial": f"{leaf.serial_number:x}",
            "until": f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip


def _revoke(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    since_ns = now_ns
    if arguments.from_utc is not None:
        try:
            since_ns = utc_from_text(arguments.from_utc)
        except ValueError as fault:
            raise ConfigError(
                f"authority revoke: --from {arguments.from_utc!r}; accepted: a UTC time such as "
                "2026-11-23T14:05:09Z"
            ) from fault
    authority = open_authority(arguments.authority, _unlock(arguments))
    entries = authority.revoke(arguments.name, since_ns, now_ns, REASONS[arguments.reason])
    return {"crl": str(arguments.authority / CRL),
            "revoked": [msgspec.to_builtins(entry) for entry in entries]}  # fmt: skip


def _crl(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    authority = open_authority(arguments.authority, _unlock(arguments))
    authority.renew_list(now_ns, arguments.valid_days)
    return {"crl": str(arguments.authority / CRL)}


def _list(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    register = read_register(arguments.authority)
    return {
        "certificates": [
            {"standing": entry.standing(now_ns), **msgspec.to_builtins(entry)}
            for entry in register.certificates
        ]
    }


def _new_recipient(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    del now_ns
    if not arguments.name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(
            f"authority recipient: {arguments.name!r}; accepted: letters, digits, '-', '_'"
        )
    private = arguments.out / f"{arguments.name}.key"
    public = arguments.out / f"{arguments.name}.pem"
    if arguments.post_quantum:
        if arguments.passphrase_file:
            raise ConfigError(
                "authority recipient: a post-quantum key has no passphrase: leave it out, and keep "
                "the key on an encrypted medium"
            )
        kid, folder = new_pq_recipient(arguments.name, private, public), "recipients-pq"
    else:
        passphrase = _passphrase(arguments.passphrase_file, new=True)
        kid, folder = new_recipient(arguments.name, private, public, passphrase), "recipients"
    return {"kid": kid, "private": str(private), "public": str(public),
            "next": f"copy the .pem into identity/{folder} of every camera"}  # fmt: skip


def _list_recipients(arguments: argparse.Namespace, now_ns: int) -> dict[str, Any]:
    del now_ns
    found = list_recipients(arguments.folder)
    return {"recipients": [{"name": r.name, "kid": r.kid, "file": str(r.path)} for r in found]}


def _unlock(arguments: argparse.Namespace) -> bytes | None:
    """The passphrase of the device authority's key, if it has one."""
    if not needs_passphrase(arguments.authority):
        return None
    return _passphrase(arguments.passphrase_file or "-", new=False)


def _passphrase(source: str | None, *, new: bool) -> bytes | None:
    if source is None:
        return None
    if source != "-":
        return read_passphrase(Path(source))
    if not sys.stdin.isatty():
        raise CannotOpen("authority: nobody is here to type a passphrase", "Give --passphrase-file")
    typed = getpass.getpass("Passphrase: ")
    if not typed or (new and getpass.getpass("Again: ") != typed):
        raise CannotOpen("authority: no passphrase, or two that differ", "Type it again")
    return typed.encode()


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: 1 to {MAX_DAYS} days")
    return int(text)


def _lines(told: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in told.items():
        if isinstance(value, list):
            shown = [{k: v for k, v in item.items() if k not in _FOR_PROGRAMS} for item in value]
            lines += ["  ".join(str(part) for part in item.values()) for item in shown]
        else:
            lines.append(f"{name:12}{value}")
    return lines or ["none"]
