"""`bodycam verify --json` prints what docs/verify.schema.json says, for good and hostile input."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bodycam.certificates import Standing, Trust
from bodycam.clock import ClockSource
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.export import Order, export
from bodycam.custody.findings import Verdict
from bodycam.custody.logfacts import LogAnswer
from bodycam.custody.onvifcheck import OnvifVerdict
from bodycam.custody.onvifclip import verify_onvif
from bodycam.custody.result import ExportResult
from bodycam.custody.verify import verify_paths

from .evidence import Evidence, build_store, footage

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "verify.schema.json").read_text())


def closed(schema: Any) -> Any:
    """The schema with every key that it does not list forbidden: ours prints no such one."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    part = {key: closed(value) for key, value in schema.items()}
    return {**part, "additionalProperties": False} if "properties" in part else part


CLOSED = jsonschema.Draft202012Validator(closed(SCHEMA))


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), units=footage(2), segment_s=1)


@pytest.fixture(scope="module")
def clip(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    order = Order([evidence.store], evidence.custody_key, evidence.root)
    return export(order, tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_the_command_prints_is_as_published(evidence: Evidence) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "verify", str(evidence.store), "--json",
         "--trust", str(evidence.identity.root)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    CLOSED.validate(json.loads(done.stdout))


def test_a_clip_with_and_without_its_manifest(evidence: Evidence, clip: ExportResult) -> None:
    CLOSED.validate(verify_clip(clip.clip, clip.manifest, evidence.root).to_json())
    CLOSED.validate(verify_clip(clip.clip, evidence.log, evidence.root).to_json())
    CLOSED.validate(verify_onvif(clip.clip, evidence.root).to_json())


def test_paths_that_are_nothing(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.mp4").write_bytes(random.Random(1).randbytes(10_000))
    for path in (tmp_path / "empty", tmp_path / "noise.mp4", tmp_path / "nowhere", tmp_path):
        report = verify_paths([path], evidence.root)
        CLOSED.validate(report.to_json())
        assert report.exit_code != 0


def test_unsigned_and_without_a_root(evidence: Evidence, tmp_path: Path) -> None:
    CLOSED.validate(build_store(tmp_path, units=footage(2), signed=False).verify().to_json())
    CLOSED.validate(verify_paths([evidence.store], None).to_json())


@pytest.mark.parametrize("seed", range(12))
def test_spoiled_stores(evidence: Evidence, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    copy = evidence.copy(tmp_path)
    for path in [*copy.segments, copy.log, copy.log.with_name("checkpoint")]:
        raw = bytearray(path.read_bytes())
        for _ in range(chance.choice((0, 1, 40))):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        path.write_bytes(raw[: len(raw) - chance.choice((0, 1, 700))])
    CLOSED.validate(copy.verify().to_json())


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (("$defs", "verdict"), Verdict), (("$defs", "clock"), ClockSource),
        (("$defs", "signer", "properties", "trust"), Trust),
        (("$defs", "signer", "properties", "now"), Standing),
        (("$defs", "signer", "properties", "at_signing"), Standing),
        (("$defs", "log", "properties", "answers", "items"), LogAnswer),
        (("$defs", "onvif", "properties", "verdict"), OnvifVerdict),
    ],
)  # fmt: skip
def test_it_lists_every_answer_there_is(place: tuple[str, ...], kind: type[Enum]) -> None:
    part = SCHEMA
    for step in place:
        part = part[step]
    assert sorted(part["enum"]) == sorted(member.value for member in kind)


def test_an_answer_that_is_none_is_refused(evidence: Evidence) -> None:
    printed = evidence.verify().to_json()
    for key, wrong in (("verdict", "fine"), ("exit_code", 1), ("logs", None), ("version", 2)):
        with pytest.raises(jsonschema.ValidationError):
            CLOSED.validate({**printed, key: wrong})
    with pytest.raises(jsonschema.ValidationError):
        CLOSED.validate({**printed, "more": 1})
