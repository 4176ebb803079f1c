"""`bodycam log`: proofs about the event log, and time stamps over its checkpoints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..boundedfile import read_bounded
from ..certificates import SigningTime, TrustPolicy, judge_chain
from ..clock import SystemClock
from ..custody.logproofs import LogFolder, check_line, prove_growth, prove_line, read_note
from ..errors import BodycamError, CannotOpen, ConfigError, ExitCode
from ..formats.checkpoint import WitnessKey, read_witness_key
from ..formats.logproof import MAX_PROOF_BYTES, decode_proof, encode_hashes, encode_proof
from ..signing import load_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    prove = actions.add_parser("prove", help="make a proof of one line that stands alone")
    prove.add_argument(
        "line", type=int, metavar="LINE", help="number of the line from 1, as verify names it"
    )
    _add_log(prove)
    _add_trust(prove)
    prove.add_argument("--out", type=Path, required=True, metavar="FILE")
    check = actions.add_parser("check", help="check such a proof, with nothing but the root")
    check.add_argument("proof", type=Path, metavar="FILE")
    _add_trust(check)
    check.add_argument(
        "--witness", action="append", default=[], metavar="VKEY",
        help="this witness must have cosigned; its key as `bodycam witness` prints it",
    )  # fmt: skip
    check.add_argument("--json", action="store_true", help="one JSON object on stdout")
    growth = actions.add_parser(
        "consistency", help="prove that the log only grew since an older checkpoint"
    )
    growth.add_argument("old", type=Path, metavar="OLD_CHECKPOINT")
    _add_log(growth)
    _add_trust(growth)
    growth.add_argument("--json", action="store_true", help="one JSON object, with the proof")
    stamp = actions.add_parser(
        "timestamp", help="have the latest checkpoint stamped by a TSA (RFC 3161)"
    )
    _add_log(stamp)
    how = stamp.add_mutually_exclusive_group(required=True)
    how.add_argument("--tsa", metavar="URL", help="ask this TSA over HTTP")
    how.add_argument("--query", type=Path, metavar="FILE", help="write the request to a file")
    how.add_argument("--response", type=Path, metavar="FILE", help="keep the answer to a request")


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log", type=Path, required=True, metavar="PATH", help="a store, its log folder, or file"
    )


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust", type=Path, metavar="ROOT.pem",
        help="the force root; without it nothing is trusted (exit 5)",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> ExitCode:
    actions = {
        "prove": _prove, "check": _check, "consistency": _consistency, "timestamp": _timestamp,
    }  # fmt: skip
    return actions[arguments.action](arguments)


def _policy(arguments: argparse.Namespace) -> TrustPolicy:
    root = load_root(arguments.trust) if arguments.trust else None
    return TrustPolicy(root, now_utc_ns=SystemClock().sample().utc_ns)


def _prove(arguments: argparse.Namespace) -> ExitCode:
    proof = prove_line(LogFolder(arguments.log), arguments.line)
    _write(arguments.out, encode_proof(proof))
    note = proof.proof.checkpoint
    print(
        f"{arguments.out}: line {arguments.line} of {note.origin}, under the checkpoint of "
        f"{note.size} lines"
    )
    verdict = judge_chain(proof.certificates, _policy(arguments), SigningTime())
    print(f"signed by {verdict.device}: {verdict.trust.value}, {verdict.detail}")
    return ExitCode.OK if check_line(proof, _policy(arguments)).trusted else ExitCode.UNTRUSTED


def _check(arguments: argparse.Namespace) -> ExitCode:
    data = read_bounded(arguments.proof, MAX_PROOF_BYTES, "Check the path")
    witnesses = tuple(read_key(text) for text in arguments.witness)
    proven = check_line(decode_proof(data), _policy(arguments), witnesses)
    answer: dict[str, Any] = {
        "proof": str(arguments.proof), "origin": proven.origin, "line": proven.line,
        "text": proven.text, "checkpoint_lines": proven.lines, "signer": proven.signer.as_json(),
        "vouched_by": [vouched.as_json() for vouched in proven.vouched_by],
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(answer))
    else:
        word = "PROVEN" if proven.trusted else "UNTRUSTED"
        print(f"{word}: line {proven.line} of {proven.lines} of the log {proven.origin}")
        print(f"  {proven.text}")
        print(f"  signed by {proven.signer.device}: {proven.signer.detail}")
        for vouched in proven.vouched_by:
            print(f"  witnessed by {vouched.by} at {vouched.at}")
    return ExitCode.OK if proven.trusted else ExitCode.UNTRUSTED


def _consistency(arguments: argparse.Namespace) -> ExitCode:
    grown = prove_growth(LogFolder(arguments.log), read_note(arguments.old), _policy(arguments))
    trusted = grown.signer.trust.value
    if arguments.json:
        print(json.dumps({
            "origin": grown.new.origin, "old_lines": grown.old.size, "lines": grown.new.size,
            "old_root": grown.old.root.hex(), "root": grown.new.root.hex(),
            "proof": encode_hashes(grown.proof), "signer": grown.signer.as_json(),
        }))  # fmt: skip
    else:
        print(
            f"CONSISTENT: {grown.new.origin} grew from {grown.old.size} to {grown.new.size} lines"
        )
        print(f"  signed by {grown.signer.device}: {trusted}, {grown.signer.detail}")
    return ExitCode.OK if trusted == "trusted" else ExitCode.UNTRUSTED


def _timestamp(arguments: argparse.Namespace) -> ExitCode:
    try:
        from ..dock import timestamp
    except ModuleNotFoundError as fault:
        raise ConfigError(
            "log timestamp: rfc3161-client is not installed",
            "Run: pip install 'bodycam[timestamp]'",
        ) from fault
    log = LogFolder(arguments.log)
    if arguments.response:
        print(timestamp.finish(log, timestamp.read_response(arguments.response)))
        return ExitCode.OK
    note, query = timestamp.begin(log)
    if arguments.query:
        _write(arguments.query, query)
        print(f"{arguments.query}: a request to stamp {note}; keep the answer with --response")
    else:
        print(timestamp.finish(log, timestamp.ask(arguments.tsa, query)))
    return ExitCode.OK


def read_key(text: str) -> WitnessKey:
    """A witness's key from the command line. Raises ConfigError."""
    try:
        return read_witness_key(text)
    except BodycamError as fault:
        raise ConfigError(f"--witness: {fault.message}") from fault


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Check path and permissions") from fault
