"""Documents are executed: what they say is compared with what the programs do."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from bodycam.cli import COMMANDS, EXIT_CODES, build_parser
from bodycam.custody.fields import EndFields, FragFields, HeadFields
from bodycam.custody.findings import Verdict
from bodycam.custody.manifest import ClipEntry, HeadEntry, RecordEntry, SegmentEntry
from bodycam.custody.verify import numbered_checks
from bodycam.errors import ExitCode
from bodycam.formats import cenc, mp4, records, tlog
from bodycam.formats.boxes import child
from bodycam.formats.keywrap import b64u, public_jwk, unwrap
from bodycam.formats.logline import GENESIS, encode_line
from bodycam.formats.mp4read import read_init
from bodycam.intake import _WORKER_EVENTS
from bodycam.prerecord import ShortReason
from bodycam.recording import CloseReason
from bodycam.renewal import Life
from bodycam.sharedring import DESCRIPTOR_BYTES
from bodycam.signing import load_private_key

from .evidence import Evidence, build_store, footage

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bodycam"
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "out"} & set(path.relative_to(ROOT).parts[:1])
    and not path.relative_to(ROOT).parts[0].startswith(".")
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its level or above."""
    level = len(heading.split(" ", 1)[0])
    start = text.index(f"\n{heading}\n")
    end = re.search(rf"(?m)^#{{2,{level}}} ", text[start + len(heading) + 2 :])
    return text[start:] if end is None else text[start : start + len(heading) + 2 + end.start()]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without header and rule."""
    found = []
    for table in re.findall(r"(?m)(?:^\|.*\|\n)+", text + "\n"):
        lines = table.splitlines()[2:]
        found += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [[cell.strip("| ") for cell in row] for row in found]


# -- README ------------------------------------------------------------------------------------


def test_the_readme_lists_the_commands_as_help_does() -> None:
    listed = dict(rows(section(README, "### Commands")))
    assert listed == {f"`bodycam {name}`": what for name, what in COMMANDS.items()}


def test_the_readme_lists_the_exit_codes_as_help_does() -> None:
    printed = [line.split(maxsplit=1) for line in EXIT_CODES.splitlines()[1:]]
    assert rows(section(README, "### Exit codes")) == printed
    assert [int(code) for code, _ in printed] == [int(code) for code in ExitCode]


def test_help_prints_commands_and_exit_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "--help"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert done.stdout.endswith(EXIT_CODES)
    for name, summary in COMMANDS.items():
        assert re.search(rf"(?m)^ +{name} +{re.escape(summary)}$", done.stdout), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", name, "--help"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: bodycam {name}")


@pytest.mark.parametrize(
    "line",
    [
        line.split()
        for line in re.findall(r"(?:^    |`)bodycam (\w+ [^`\n]+)", README, re.MULTILINE)
    ],
)
def test_the_readmes_commands_can_be_typed(line: list[str]) -> None:
    arguments = build_parser(line[0]).parse_args(line)
    assert arguments.command == line[0]


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z-]+):", makefile))
    named = {
        target
        for path in [*DOCUMENTS, ROOT / "Makefile", ROOT / ".ci" / "run"]
        for target in re.findall(
            r"(?:`|^    |# )make (?:[A-Z]+=\S+ )?([a-z-]+)", path.read_text("utf-8"), re.MULTILINE
        )
    }
    assert {"demo", "test", "check", "bench", "soak", "clean"} <= named
    assert named <= targets


# -- links and words ---------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"(?s)```.*?```", "", path.read_text(encoding="utf-8"))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(link)
    assert dead == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(folder.glob("0*.md"))
    assert decisions
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        assert f"[{title[:4]}]({path.name}) | {title[5:]} |" in index
        assert text.count("\n1. ") + text.count("\n2. ") >= 2, f"{path.name}: no losing option"


def test_the_glossary_has_the_words_that_code_and_log_use() -> None:
    glossary = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
    words = {word for cell in re.findall(r"\*\*(.+?)\*\*", glossary) for word in cell.split(", ")}
    assert words >= {
        "access unit", "activation", "checkpoint", "fragment", "gap", "GOP", "heartbeat",
        "keyframe", "pre-record", "segment", "toggle", "HEAD", "FRAG", "END",
    }  # fmt: skip
    verdicts = {verdict.value for verdict in Verdict} - {"unreadable"}
    assert words >= verdicts
    for reason in ShortReason:
        assert f"`{reason.value}`" in glossary


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        listed += extra
    text = (ROOT / "docs" / "DEPENDENCIES.md").read_text(encoding="utf-8")
    names = {re.split(r"[<>=]", item)[0] for item in listed}
    assert {name for name in names if name not in text} == set()


# -- ARCHITECTURE ------------------------------------------------------------------------------


def test_every_bite_of_picamera2_is_held_by_a_test_that_is_there() -> None:
    bites = rows(section(ARCHITECTURE, "## Where picamera2 bites"))
    assert [cells[0] for cells in bites] == [str(n) for n in range(1, 10)]
    for _, _, held in bites:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", held)
        assert named
        for path, test in named:
            assert f"\ndef {test}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_the_architecture_places_every_module() -> None:
    table = section(ARCHITECTURE, "## Modules")
    missing = []
    for path in PACKAGE.rglob("*.py"):
        module = path.relative_to(PACKAGE)
        names = {module.stem, f"{module.parts[0]}/*"}
        if module.stem.startswith("__") or any(f"`{name}`" in table for name in names):
            continue
        if re.search(rf"`{module.parts[0]}`[^|]*\b{module.stem}\b", table) is None:
            missing.append(str(module))
    assert missing == []


def test_the_descriptor_is_as_long_as_its_table_says() -> None:
    sizes = [row for row in rows(section(ARCHITECTURE, "## Worker protocol")) if row[0].isdigit()]
    descriptor = [(int(row[0]), int(row[1])) for row in sizes if row[1].isdigit()]
    end = 0
    for offset, size in descriptor:
        assert offset == end
        end += size
    assert end == DESCRIPTOR_BYTES


# -- FORMAT ------------------------------------------------------------------------------------


def hex_lines(data: bytes) -> str:
    return "\n".join(data[at : at + 16].hex(" ") for at in range(0, len(data), 16))


def example_log() -> list[bytes]:
    lines: list[bytes] = []
    for boot_ns, ev, data in ((10**10, "ready", {}), (12 * 10**9, "marker", {"rec": None})):
        lines.append(encode_line({
            "v": 1, "seq": len(lines), "boot": "6f1f7a1c-9c0f-4a55-8f0e-3d8f5c1b2a40",
            "boot_ns": boot_ns, "logged_ns": boot_ns + 1000, "utc": "2026-05-28T20:26:40.000Z",
            "clk": "ntp", "unc_ms": 5, "ev": ev, "data": data,
            "prev": hashlib.sha256(lines[-1]).hexdigest() if lines else GENESIS,
        }))  # fmt: skip
    return lines


def test_the_worked_example_is_what_the_code_makes() -> None:
    shown = re.findall(r"(?s)```\n(.*?)\n```", section(FORMAT, "## 13. Worked example"))
    key, kid = bytes(range(16)), bytes(range(16, 32))
    payload = records.signature_payload(b'{"v":1}', bytes.fromhex("3000"))
    iv = cenc.sample_iv(mp4.VIDEO_TRACK_ID, 5)
    tree = tlog.Tree()
    for line in example_log():
        tree.append(line)
    sealed = b"".join(bytes(p) for p in cenc.crypt_sample(key, cenc.SampleAux(iv), bytes(16)))
    assert shown == [
        hex_lines(mp4.prft(mp4.VIDEO_TRACK_ID, 1_780_000_000_250_000_000, 90_000)),
        hex_lines(records.signature_box(payload)),
        records.payload_hash(payload),
        cenc.plain_salt(key, kid).hex(),
        f"{iv.hex()}\n{sealed.hex()}",
        "\n".join([*(line.decode() for line in example_log()), tree.root().hex()]),
    ]
    ((clear, protected),) = cenc.video_subsamples([b"\x67" + bytes(9), b"\x65" + bytes(99)])
    assert f"`{clear} clear, {protected} protected`" in FORMAT


def test_the_fields_of_each_record_are_described() -> None:
    common = {cells[0] for cells in rows(section(FORMAT, "### Fields of every record"))}
    for kind, heading in ((HeadFields, "HEAD"), (FragFields, "FRAG"), (EndFields, "END")):
        names = {field.encode_name for field in msgspec.structs.fields(kind)}
        listed = {
            name
            for cells in rows(section(FORMAT, f"### {heading}"))
            for name in cells[0].split(", ")
        } | {name for cell in common for name in cell.split(", ")}
        assert {f"`{name}`" for name in names | {"v"}} == listed, heading


def test_the_keys_of_the_clip_manifest_are_described() -> None:
    cells = " ".join(row[0] for row in rows(section(FORMAT, "## 9. The clip manifest")))
    entries: dict[str, type] = {
        "clip.": ClipEntry, "head.": HeadEntry, "records[].": RecordEntry, "": SegmentEntry,
    }  # fmt: skip
    missing = [
        f"{prefix}{field.name}"
        for prefix, kind in entries.items()
        for field in msgspec.structs.fields(kind)
        if f"`{prefix}{field.name}`" not in cells and field.name != "head"
    ]
    assert missing == []


def test_the_reasons_for_closing_are_listed() -> None:
    end = section(FORMAT, "### END")
    assert {r.value for r in CloseReason if f"`{r.value}`" not in end} == set()


def test_verification_has_the_numbers_of_the_verifier() -> None:
    listed = re.findall(r"(?m)^(\d+)\. \*\*(.+?)\.\*\*", section(FORMAT, "## 10. Verification"))
    expected = [(str(n), text.partition(":")[0]) for n, text in numbered_checks()]
    assert listed == expected


def written_events() -> dict[str, list[set[str]]]:
    """Every event that the code can write, with the names of its data."""
    found: dict[str, list[set[str]]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                words = ast.unparse(node.func).split(".")
                if tuple(words[-2:]) in _WRITERS:
                    data = {k.arg or "**" for k in node.keywords} - {"sync", "at_ns"}
                    for name in _names(node.args[0]):
                        found.setdefault(name, []).append(data)
    return found


_WRITERS = {
    ("_log", "append"), ("log", "append"), ("sink", "report"), ("self", "_later"), ("note",),
}  # fmt: skip


def _names(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_names(body), *_names(orelse)]
    return []


def dynamic_events() -> set[str]:
    """Names that are put together at run time."""
    toggles = {f"{kind}.{verb}" for kind in ("switch", "trigger", "key") for verb in ("on", "off")}
    muted = {"mute.start", "mute.stop", "switch.glitch"}
    lives = {f"cert.{life.value}" for life in Life}
    key = {"sign.late", "sign.error", "sign.back"}
    return toggles | muted | lives | key | _WORKER_EVENTS


def test_every_event_is_described_with_its_data() -> None:
    described: dict[str, set[str]] = {}
    for cells in rows(section(FORMAT, "## 8. Events")):
        data = set(re.split(r"[,;] (?:or )?", cells[1] if len(cells) > 2 else ""))
        for name in cells[0].split(", "):
            described[name.strip("`")] = data - {""}
    written = written_events()
    assert set(described) == set(written) | dynamic_events()
    wrong = {
        name: data
        for name, calls in written.items()
        for data in calls
        if not data - {"**"} <= described[name]
    }
    assert wrong == {}


# -- a fragment, without our code --------------------------------------------------------------


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("by-hand"), units=footage(2))


def shell_block(number: int) -> str:
    """The n-th block of commands of FORMAT.md section 11."""
    by_hand = section(FORMAT, "## 11. By hand, with openssl and sha256sum")
    return str(re.findall(r"(?s)```sh\n(.*?)```", by_hand)[number])


def by_hand(segment: Path, evidence: Evidence, fragment: int, folder: Path) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", shell_block(0)],
        check=False,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "F": str(segment),
            "N": str(fragment),
            "ROOT": str(evidence.identity.root),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("fragment", [1, 2])
def test_openssl_and_sha256sum_check_a_fragment(
    evidence: Evidence, fragment: int, tmp_path: Path
) -> None:
    answers = by_hand(evidence.segments[0], evidence, fragment, tmp_path)
    assert answers == ["leaf.pem: OK", "Verified OK", "-: OK", "-: OK"]


def test_openssl_and_sha256sum_find_a_flipped_byte(evidence: Evidence, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.mp4"
    data = bytearray(evidence.segments[0].read_bytes())
    data[data.index(b"mdat") + 100] ^= 1
    spoilt.write_bytes(data)
    assert by_hand(spoilt, evidence, 1, tmp_path) == [
        "leaf.pem: OK", "Verified OK", "-: FAILED", "-: OK",
    ]  # fmt: skip


def test_jose_opens_the_wrapped_key(evidence: Evidence, tmp_path: Path) -> None:
    private = load_private_key(evidence.custody_key)
    secret = private.private_numbers().private_value.to_bytes(32, "big")
    jwk = {**public_jwk(private.public_key()), "d": b64u(secret)}
    (tmp_path / "custodian.jwk").write_bytes(msgspec.json.encode(jwk))
    done = subprocess.run(
        ["sh", "-c", shell_block(1)],
        check=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "F": str(evidence.segments[0])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    segment = evidence.segments[0].read_bytes()
    moov = child(segment, 0, len(segment), "moov")
    init = read_init(segment[moov.start : moov.end])
    key = unwrap(init.wrapped, private, init.kid, f"{evidence.recording}/0")
    licence = {"keys": [{"kty": "oct", "kid": b64u(init.kid), "k": b64u(key)}], "type": "temporary"}
    assert msgspec.json.decode(done.stdout) == licence
