"""npm's `jose` opens the wrapped key for each recipient, and for nobody else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ..evidence import Evidence
from .npm import node, packages
from .opening import custodian_jwk, opened_by_jose, read_licence, wrapped_key

pytestmark = pytest.mark.system

PACKAGE = "jose@6.2.18"
SCRIPT = """
import { generalDecrypt, importJWK } from "jose"
const [jwe, jwk] = process.argv.slice(2).map((text) => JSON.parse(text))
const { plaintext } = await generalDecrypt(jwe, await importJWK(jwk, "ECDH-ES+A256KW"))
process.stdout.write(new TextDecoder().decode(plaintext))
"""


def opened_by_npm(jwe: bytes, private_pem: Path) -> str:
    jwk = json.dumps(custodian_jwk(private_pem))
    return node(packages(PACKAGE), SCRIPT, jwe.decode(), jwk)


@pytest.mark.parametrize("recipient", ["custody", "oversight"])
def test_each_recipient_gets_the_same_licence(
    evidence: Evidence, tmp_path: Path, recipient: str
) -> None:
    segment = evidence.segments[0]
    answer = opened_by_npm(wrapped_key(segment), evidence.identity.recipient_key(recipient))
    assert read_licence(answer) == opened_by_jose(segment, evidence.custody_key, tmp_path)


def test_a_changed_wrapped_key_is_refused(evidence: Evidence) -> None:
    jwe = json.loads(wrapped_key(evidence.segments[0]))
    jwe["protected"] = jwe["protected"][:-4] + "AAAA"
    with pytest.raises(subprocess.CalledProcessError):
        opened_by_npm(json.dumps(jwe).encode(), evidence.custody_key)
