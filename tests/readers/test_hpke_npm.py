"""npm's `@hpke/core` opens the post-quantum wrapping, from the private key's seed alone."""

from __future__ import annotations

import json
import subprocess

import pytest

from bodycam.formats.hpkewrap import PqPrivateKey, hpke_wrap

from .npm import node, packages
from .opening import read_licence

pytestmark = pytest.mark.system

PACKAGES = ("@hpke/core@1.9.0", "@hpke/hybridkem-x-wing@0.7.0")
SEGMENT = "0b8c9d2e-1111-4222-8333-444455556666/0"
KEY, KID = bytes(range(16)), bytes(range(16, 32))
SCRIPT = """
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core"
import { XWing } from "@hpke/hybridkem-x-wing"
const [document, kid, seed, segment] = process.argv.slice(2)
const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64url"))
const { suite: ids, recipients } = JSON.parse(document)
const kem = new XWing()
const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() })
if (ids.kem !== kem.id || ids.kdf !== suite.kdf.id || ids.aead !== suite.aead.id) {
  throw new Error(`suite ${JSON.stringify(ids)}`)
}
const entry = recipients.find((found) => found.kid === kid)
const recipientKey = await suite.kem.deserializePrivateKey(Uint8Array.from(Buffer.from(seed, "hex")))
const info = new TextEncoder().encode(`bodycam content key v1 ${segment}`)
const opened = await suite.open({ recipientKey, enc: bytes(entry.enc), info }, bytes(entry.ct))
process.stdout.write(new TextDecoder().decode(opened))
"""


def opened_by_npm(document: bytes, private: PqPrivateKey, segment: str) -> str:
    kid = private.public_key().kid
    return node(packages(*PACKAGES), SCRIPT, document.decode(), kid, private.seed.hex(), segment)


def test_each_recipient_gets_the_licence() -> None:
    privates = [PqPrivateKey.generate(), PqPrivateKey.generate()]
    document = hpke_wrap([p.public_key() for p in privates], KEY, KID, SEGMENT)
    for private in privates:
        opened = read_licence(opened_by_npm(document, private, SEGMENT))
        assert (opened.kid, opened.key) == (KID.hex(), KEY.hex())


@pytest.mark.parametrize("spoil", ["segment", "ct"])
def test_another_segments_or_a_changed_document_is_refused(spoil: str) -> None:
    private = PqPrivateKey.generate()
    document = json.loads(hpke_wrap([private.public_key()], KEY, KID, SEGMENT))
    if spoil == "ct":
        document["recipients"][0]["ct"] = document["recipients"][0]["ct"][::-1]
    segment = SEGMENT if spoil == "ct" else SEGMENT[:-1] + "1"
    with pytest.raises(subprocess.CalledProcessError):
        opened_by_npm(json.dumps(document).encode(), private, segment)
