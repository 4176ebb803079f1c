"""Does in the guest what a test on the host asks for, over a virtio serial port; there is no network.

One JSON object a line each way. {"run": [argv], "input": text, "timeout_s": n} is answered with
{"code", "out", "err"}; {"read": path, "from": n} with {"base64"}; {"write": path, "base64": text}
with {}. What goes wrong is answered with {"error"}.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def find_port(name: str) -> str:
    for folder in Path("/sys/class/virtio-ports").iterdir():
        if (folder / "name").read_text(encoding="ascii").strip() == name:
            return f"/dev/{folder.name}"
    raise FileNotFoundError(name)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    if "run" in asked:
        done = subprocess.run(
            asked["run"], input=asked.get("input", ""), capture_output=True, text=True,
            errors="replace", timeout=asked["timeout_s"], check=False,
        )  # fmt: skip
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}
    if "read" in asked:
        with Path(asked["read"]).open("rb") as file:
            file.seek(asked["from"])
            return {"base64": base64.b64encode(file.read()).decode("ascii")}
    path = Path(asked["write"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(asked["base64"]))
    return {}


def serve(fd: int) -> None:
    waiting = b""
    send(fd, {"up": Path("/proc/uptime").read_text(encoding="ascii").split()[0]})
    while chunk := os.read(fd, 1 << 16):
        waiting += chunk
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            try:
                said = answer(json.loads(line))
            except (OSError, subprocess.TimeoutExpired) as fault:
                said = {"error": f"{type(fault).__name__}: {fault}"}
            send(fd, said)


def send(fd: int, said: dict[str, Any]) -> None:
    raw = json.dumps(said).encode() + b"\n"
    while raw:
        raw = raw[os.write(fd, raw) :]


if __name__ == "__main__":
    serve(os.open(find_port(sys.argv[1]), os.O_RDWR))
