"""Debian's Chromium, driven over its debugging pipe, and the page that it is shown."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

_PATIENCE_S = 30
PAGE = """<!doctype html>
<style>html, body { margin: 0; background: black } video { display: block }</style>
<video muted></video>
<script>
const type = TYPE
const video = document.querySelector("video")
const seen = { licences: 0 }
const next = (what, name) => new Promise((done, failed) => {
  what.addEventListener(name, done, { once: true })
  what.addEventListener("error", () => failed(new Error(video.error?.message ?? name)))
})

async function keys() {
  const [video_codec, audio_codec] = type.match(/"(.*)"/)[1].split(",")
  const one = (kind, codec) => [{ contentType: `${kind}/mp4; codecs="${codec}"` }]
  const wanted = { initDataTypes: ["cenc"], videoCapabilities: one("video", video_codec) }
  if (audio_codec) wanted.audioCapabilities = one("audio", audio_codec)
  const access = await navigator.requestMediaKeySystemAccess("org.w3.clearkey", [wanted])
  const made = await access.createMediaKeys()
  await video.setMediaKeys(made)
  video.addEventListener("encrypted", async (event) => {
    if (seen.licences++) return
    const session = made.createSession()
    session.addEventListener("message", async ({ message }) => {
      const answer = await fetch("/licence", { method: "POST", body: message })
      await session.update(await answer.arrayBuffer())
    })
    await session.generateRequest(event.initDataType, event.initData)
  })
}

async function show(at) {
  await keys()
  const source = new MediaSource()
  video.src = URL.createObjectURL(source)
  await next(source, "sourceopen")
  const buffer = source.addSourceBuffer(type)
  buffer.appendBuffer(await (await fetch("/segment")).arrayBuffer())
  await next(buffer, "updateend")
  source.endOfStream()
  await video.play()
  while (video.currentTime < 0.5) await next(video, "timeupdate")
  video.pause()
  const played = video.currentTime
  const shown = new Promise((done) => video.requestVideoFrameCallback(done))
  video.currentTime = at
  await next(video, "seeked")
  await shown
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  return JSON.stringify({
    played, at: video.currentTime, width: video.videoWidth, height: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames, duration: video.duration,
    sound_bytes: video.webkitAudioDecodedByteCount, licences: seen.licences,
  })
}
</script>
"""


@contextmanager
def page(segment: Path, licence: str, content_type: str) -> Iterator[tuple[str, list[bytes]]]:
    """A page on this machine alone that plays the segment; its address, and licence requests."""
    asked: list[bytes] = []
    html = PAGE.replace("TYPE", json.dumps(content_type)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            whole = {"/": (html, "text/html"), "/segment": (segment.read_bytes(), "video/mp4")}
            self._answer(*whole.get(self.path, (b"", "image/x-icon")))

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(licence.encode(), "application/json")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The test's own output says enough."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", asked
        finally:
            server.shutdown()
            thread.join()


class Browser:
    """A headless Chromium; commands of the DevTools protocol go through its pipe."""

    def __init__(self, profile: Path) -> None:
        their_in, self._out = os.pipe()
        self._in, their_out = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec chromium "$@" 3<&{their_in} 4>&{their_out}', "bash", "--headless",
             "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
             "--window-size=640,480", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(their_in, their_out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        self._waiting, self._sent = b"", 0
        self.happened: set[str] = set()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = str(attached["sessionId"])

    def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """One command; its answer. What happened meanwhile is kept by name."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _until(self, event: str) -> None:
        while event not in self.happened:
            self._receive()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._in], [], [], _PATIENCE_S)
            more = os.read(self._in, 1 << 16) if ready else b""
            if not more:
                raise AssertionError("chromium has ended, or says nothing more")
            self._waiting += more
        message, _, self._waiting = self._waiting.partition(b"\0")
        found = dict(json.loads(message))
        self.happened.add(found.get("method", ""))
        return found

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command to the page."""
        return self.send(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """What an expression of the page's own script comes to."""
        answer = self.tell(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, url: str) -> None:
        self.tell("Page.enable")
        self.happened.clear()
        self.tell("Page.navigate", url=url)
        self._until("Page.loadEventFired")

    def screenshot(self, width: int, height: int) -> bytes:
        """A PNG of the upper left corner of the page, pixel for pixel."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        return base64.b64decode(self.tell("Page.captureScreenshot", clip=clip)["data"])

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        self._process.wait(timeout=20)
