"""`bodycam witness`: cosign the cameras' checkpoints, or bring a log before a witness."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from ..certificates import TrustPolicy
from ..clock import SystemClock
from ..custody.logproofs import LogFolder
from ..dock.submit import submit
from ..dock.witness import Witness
from ..dock.witnessserver import WitnessServer
from ..errors import ConfigError, ExitCode
from ..formats.checkpoint import is_key_name
from ..revocation import load_crls
from ..signing import load_root
from .log import read_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=["serve", "submit"], default="serve", metavar="ACTION",
        help="serve (default), or submit a log to a witness",
    )  # fmt: skip
    parser.add_argument("--trust", type=Path, required=True, metavar="ROOT.pem")
    parser.add_argument(
        "--crl", type=Path, action="append", default=[], metavar="FILE", help="revocation list"
    )
    serve = parser.add_argument_group("serve")
    serve.add_argument(
        "--store", type=Path, metavar="DIR", help="where the witness keeps its state"
    )
    serve.add_argument("--listen", default="127.0.0.1:8340", metavar="HOST:PORT")
    serve.add_argument(
        "--name", default="bodycam-witness", metavar="NAME", help="name in its cosignatures"
    )
    client = parser.add_argument_group("submit")
    client.add_argument("--log", type=Path, metavar="PATH", help="a store, its log folder, or file")
    client.add_argument("--url", metavar="URL", help="where the witness listens")
    client.add_argument(
        "--witness", metavar="VKEY", help="its key; without it the key that it names is taken"
    )


def main(arguments: argparse.Namespace) -> ExitCode:
    crls = [crl for path in arguments.crl for crl in load_crls(path)]
    policy = TrustPolicy(load_root(arguments.trust), crls)
    return (_submit if arguments.action == "submit" else _serve)(arguments, policy)


def _submit(arguments: argparse.Namespace, policy: TrustPolicy) -> ExitCode:
    if arguments.log is None or arguments.url is None:
        raise ConfigError("witness submit: --log and --url are needed")
    key = read_key(arguments.witness) if arguments.witness else None
    vouched = submit(LogFolder(arguments.log), arguments.url, policy, key)
    print(f"{vouched.by} cosigned {vouched.lines} lines at {vouched.at}")
    return ExitCode.OK


def _serve(arguments: argparse.Namespace, policy: TrustPolicy) -> ExitCode:
    if arguments.store is None:
        raise ConfigError("witness: --store is needed")
    if not is_key_name(arguments.name):
        raise ConfigError(f"witness: --name {arguments.name!r}; accepted: no spaces and no '+'")
    host, _, port = arguments.listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"witness: --listen {arguments.listen!r}; accepted: HOST:PORT")
    witness = Witness(arguments.store, arguments.name, policy, SystemClock())
    try:
        server = WitnessServer((host, int(port)), witness)
    except OSError as fault:
        witness.close()
        raise ConfigError(f"witness: {arguments.listen}: {fault.strerror}") from fault
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server's own thread cannot wait for itself to end.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on http://{host}:{server.server_address[1]}", flush=True)
    print(f"key {witness.key.text()}", flush=True)
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()
        witness.close()
    return ExitCode.OK
