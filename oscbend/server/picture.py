"""The live picture over HTTP, and the page that shows it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oscbend.frame import Frame

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>oscbend</title>
<meta name="viewport" content="width=device-width">
<style>
body{margin:0;background:#0b0c10;color:#c8ccd4;font:14px system-ui,sans-serif;display:grid;
grid-template-rows:1fr auto;height:100vh}
img{width:100%;height:100%;object-fit:contain;min-height:0}
p{margin:0;padding:.6em 1em;color:#7d8594;font-variant-numeric:tabular-nums}
</style><img src="/live.mjpg" alt="the live picture"><p id="status">…</p><script>
setInterval(async()=>{try{const s=await(await fetch('/status.json')).json();
document.getElementById('status').textContent=
`${s.fps.toFixed(1)} frames/s · ${s.frame_ms.toFixed(0)} ms a frame · frame ${s.frame} · ${s.model}`}
catch{document.getElementById('status').textContent='the server has ended'}},1000)
</script></html>"""

JPEG_QUALITY = 85


class Picture:
    """The newest frame, at most 30 times a second for each who watches; nobody watching costs nothing.

    Args:
        over: tells whether the server is ending.
    """

    def __init__(self, over: Callable[[], bool]) -> None:
        self._frame: Frame | None = None
        self._over = over
        self._drawing = asyncio.Lock()
        self._jpeg: tuple[Frame, bytes] | None = None

    def put(self, frame: Frame) -> None:
        """Takes the newest frame; never waits."""
        self._frame = frame

    async def live(self, request: Request) -> Response:
        """Motion JPEG: one picture after the other."""
        return StreamingResponse(self._parts(), media_type="multipart/x-mixed-replace; boundary=frame")

    async def still(self, request: Request) -> Response:
        """The newest frame as a PNG file."""
        frame = self._frame
        if frame is None:
            return Response(status_code=503)
        return Response(await asyncio.to_thread(_image, frame, "PNG"), media_type="image/png")

    async def _parts(self) -> AsyncIterator[bytes]:
        shown = -1
        while not self._over():
            frame = self._frame
            if frame is None or frame.number == shown:
                await asyncio.sleep(0.005)
                continue
            shown = frame.number
            jpeg = await self._encoded(frame)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n"
            await asyncio.sleep(1 / 30)

    async def _encoded(self, frame: Frame) -> bytes:
        """The frame as JPEG, made once for all who watch."""
        async with self._drawing:
            if self._jpeg is None or self._jpeg[0] is not frame:
                self._jpeg = frame, await asyncio.to_thread(_image, frame, "JPEG")
            return self._jpeg[1]


def _image(frame: Frame, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame.picture[..., :3]).save(out, kind, quality=JPEG_QUALITY)
    return out.getvalue()
