"""The device key in a PKCS#11 token: SoftHSM, with a token made for these tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bodycam.certificates import Trust
from bodycam.cli import main
from bodycam.custody.verify import verify_paths
from bodycam.errors import ConfigError, DeviceError, ExitCode
from bodycam.pkcs11key import RequestKey, TokenKey, load_token_key, open_token, parse_uri
from bodycam.provision.authority import open_authority
from bodycam.provision.identity import make_identity, make_request
from bodycam.provision.keyfiles import write_public
from bodycam.signing import check, load_root
from bodycam.simulate.unit import Unit

from .evidence import DEVICE, UTC_NS, Camera, footage
from .rig import Rig, running

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
PIN = "135790"


@dataclass(frozen=True)
class Token:
    """A token with a device key, and a camera's identity that is certified for it."""

    folder: Path
    module: str

    @property
    def identity(self) -> Path:
        return self.folder / "identity"

    @property
    def root(self) -> x509.Certificate:
        return load_root(self.folder / "authority" / "root.pem")

    def uri(self, *, token: str = "bodycam", key: str = "device", pin: str = "pin") -> str:
        return (
            f"pkcs11:token={token};object={key}"
            f"?module-path={self.module}&pin-source=file:{self.folder / pin}"
        )

    def load(self) -> TokenKey:
        return load_token_key(parse_uri(self.uri()), self.identity)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    folder = tmp_path_factory.mktemp("token")
    module = next(path for path in MODULES if Path(path).exists())
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    for name, pin in (("pin", PIN), ("wrong", "000000")):
        (folder / name).write_text(f"{pin}\n")
        (folder / name).chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", "bodycam",
             "--pin", PIN, "--so-pin", "2468"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        made = Token(folder, module)
        provision(made)
        yield made
        pkcs11.unload(module)


def provision(token: Token) -> None:
    """As a technician does it: key in the token, request, certificate."""
    make_identity(token.folder, "someone-else", UTC_NS)
    (token.identity / "device.key").unlink()
    (token.identity / "device.pem").unlink()
    words = ["csr", "--identity", str(token.identity), "--device", DEVICE, "--key", token.uri()]
    assert main(["authority", *words]) == 0
    certify(token.folder, DEVICE, UTC_NS)


def certify(folder: Path, device: str, utc_ns: int) -> None:
    """Sign the request that lies in the identity folder, and put the chain beside it."""
    csr = folder / "identity" / "device.csr"
    chain = open_authority(folder / "authority").sign(csr, device, utc_ns, 365, renew=True)
    write_public(folder / "identity" / "device.pem", *chain)


def test_the_key_is_in_the_token_and_stays_there(token: Token) -> None:
    assert not (token.identity / "device.key").exists()
    with token.load() as key:
        private = key._private
        assert private[pkcs11.Attribute.SENSITIVE]
        assert not private[pkcs11.Attribute.EXTRACTABLE]
        with pytest.raises(pkcs11.PKCS11Error):
            private[pkcs11.Attribute.VALUE]


def test_what_it_signs_is_what_a_file_key_would_sign(token: Token) -> None:
    with token.load() as key:
        assert len(key.certificates) == 2
        for size in (0, 1, 600, 100_000):
            check(key.public_key, b"r" * size, key.sign(b"r" * size))


def test_openssl_checks_its_signatures(token: Token, tmp_path: Path) -> None:
    with token.load() as key:
        (tmp_path / "record").write_bytes(b'{"v":1}')
        (tmp_path / "signature").write_bytes(key.sign(b'{"v":1}'))
        spki = key.public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    (tmp_path / "device.pub").write_bytes(spki)
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "device.pub", "-signature", "signature",
         "record"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "Verified OK\n"


def test_a_recording_signed_in_the_token_is_intact_and_trusted(
    token: Token, tmp_path: Path
) -> None:
    with token.load() as key:
        camera = Camera(tmp_path, signer=key)
        camera.record(footage(2))
        camera.stop()
    report = verify_paths([camera.store.root], token.root)
    assert report.exit_code == 0, report.findings
    assert {s.signer.trust for s in report.segments} == {Trust.TRUSTED}


def test_it_signs_in_time_for_every_fragment(token: Token) -> None:
    with token.load() as key:
        key.sign(b"warm")
        began = time.perf_counter()
        for _ in range(50):
            key.sign(b"r" * 600)
        each_ms = (time.perf_counter() - began) * 1000 / 50
    print(f"{each_ms:.2f} ms a signature")
    # A fragment is at least 50 ms long; the sealer has other work, too.
    assert each_ms < 25


def test_asking_again_uses_the_key_that_is_there(token: Token, tmp_path: Path) -> None:
    words = ["csr", "--identity", str(tmp_path), "--device", DEVICE, "--key", token.uri()]
    assert main(["authority", *words]) == 0
    csr = x509.load_pem_x509_csr((tmp_path / "device.csr").read_bytes())
    with token.load() as key:
        assert csr.public_key() == key.public_key
    assert csr.is_signature_valid


# -- what can be wrong with a token ------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"token": "nobody"}, "NoSuchToken|token"),
        ({"key": "nothing"}, "NoSuchKey|key"),
        ({"pin": "wrong"}, "[Pp]in"),
        ({"pin": "missing"}, "PIN cannot be read"),
    ],
)
def test_a_token_that_does_not_answer_is_a_device_error(
    token: Token, changed: dict[str, str], text: str
) -> None:
    with pytest.raises(DeviceError, match=text):
        load_token_key(parse_uri(token.uri(**changed)), token.identity)


def test_a_driver_that_is_missing_is_a_device_error(token: Token) -> None:
    uri = token.uri().replace(token.module, "/usr/lib/none.so")
    with pytest.raises(DeviceError, match=r"none\.so"):
        load_token_key(parse_uri(uri), token.identity)


def test_a_pin_that_others_can_read_is_refused(token: Token) -> None:
    (token.folder / "open").write_text(PIN)
    (token.folder / "open").chmod(0o644)
    with pytest.raises(DeviceError, match="lets others read"):
        open_token(parse_uri(token.uri(pin="open")))


def test_a_certificate_of_another_key_is_a_device_error(token: Token, tmp_path: Path) -> None:
    other = make_identity(tmp_path, DEVICE, UTC_NS).identity
    with pytest.raises(DeviceError, match="is not of key 'device' in token 'bodycam'"):
        load_token_key(parse_uri(token.uri()), other)


def test_closing_twice_is_closing_once(token: Token) -> None:
    key = token.load()
    key.close()
    key.close()


# -- the recorder ------------------------------------------------------------------------------


def move_key(token: Token, unit: Unit) -> None:
    """Let the unit's device key be the one in the token."""
    identity, device = unit.out / "identity", unit.config.device.id
    (identity / "device.key").unlink()
    (identity / "device.pem").unlink()
    with open_token(parse_uri(token.uri())) as key:
        make_request(identity, device, RequestKey(key))
    certify(unit.out, device, unit.clock.sample().utc_ns)


def recorded(token: Token, out: Path, pin: str) -> Rig:
    """One recording by the real recorder, whose device key is in the token."""
    setting = {"identity": {"key": token.uri(pin=pin)}}
    with running(out / "unit", setting, before=lambda unit: move_key(token, unit)) as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.press(False)
        rig.until_logged("rec.stop")
    return rig


@pytest.mark.system
def test_the_recorder_signs_in_the_token(token: Token, tmp_path: Path) -> None:
    rig = recorded(token, tmp_path, "pin")
    assert rig.events("key.missing") == []
    rig.check_whole()


@pytest.mark.system
def test_with_a_locked_token_it_records_unsigned_and_says_so(token: Token, tmp_path: Path) -> None:
    rig = recorded(token, tmp_path, "wrong")
    (bad,) = rig.events("key.bad")
    assert "in token 'bodycam'" in bad["data"]["reason"]
    report = rig.verify()
    assert report.exit_code == 5, report.findings


@pytest.mark.system
@pytest.mark.parametrize(("pin", "code"), [("pin", 0), ("wrong", ExitCode.DEVICE)])
def test_the_self_test_signs_in_the_token(
    token: Token, tmp_path: Path, pin: str, code: int
) -> None:
    unit = Unit(tmp_path / "unit", {"identity": {"key": token.uri(pin=pin)}}, 1)
    unit.prepare()
    move_key(token, unit)
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "selftest", "--json", "--short", "--config",
         str(unit.config_path)],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    key = next(check for check in answer["checks"] if check["name"] == "key")
    assert done.returncode == code, answer
    assert ("in token 'bodycam'" if code else "in a token, signs") in key["found"]
    assert answer["log"]["signed"] is not bool(code)


# -- the setting -------------------------------------------------------------------------------


def test_a_uri_says_everything() -> None:
    uri = parse_uri(
        "pkcs11:token=My%20token;id=%01%ff;type=private"
        "?module-path=/usr/lib/x.so&pin-source=file:///etc/pin"
    )
    assert (uri.token, uri.object, uri.id) == ("My token", None, b"\x01\xff")
    assert (uri.module, uri.pin_source) == (Path("/usr/lib/x.so"), Path("/etc/pin"))


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("pkcs11:object=d?module-path=/x", "token"),
        ("pkcs11:token=t?module-path=/x", "object"),
        ("pkcs11:token=t;object=d", "module-path"),
        ("pkcs11:token=t;object=d?module-path=/x&pin-value=1234", "pin-source"),
        ("pkcs11:token=t;object=d;type=cert?module-path=/x", "type"),
        ("pkcs11:token=t;object=d;colour=red?module-path=/x", "colour"),
        ("pkcs11:token=t;token=u;object=d?module-path=/x", "token"),
        ("pkcs11:token=t%2;object=d?module-path=/x", "token"),
    ],
)
def test_a_uri_that_lacks_something_names_it(uri: str, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        parse_uri(uri)
