"""The live picture on a web page, for whoever wants to look in."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from oscbend.errors import OscbendError
from oscbend.frame import Frame

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>oscbend</title>
<meta name="viewport" content="width=device-width">
<style>
body{margin:0;background:#0b0c10;color:#c8ccd4;font:14px system-ui,sans-serif;display:grid;
grid-template-rows:1fr auto;height:100vh}
img{width:100%;height:100%;object-fit:contain;min-height:0}
p{margin:0;padding:.6em 1em;color:#7d8594;font-variant-numeric:tabular-nums}
</style><img src="/live.mjpg" alt="the live picture"><p id="status">…</p><script>
setInterval(async()=>{try{const s=await(await fetch('/status')).json();
document.getElementById('status').textContent=
`${s.fps.toFixed(1)} frames/s · ${s.frame_ms.toFixed(0)} ms a frame · frame ${s.frame} · ${s.model}`}
catch{document.getElementById('status').textContent='the server has ended'}},1000)
</script></html>"""

STATUS = ("fps", "frame_ms", "worst_ms", "queued", "late", "dropped", "bad", "frame", "model", "behind")
JPEG_QUALITY = 85


class WebPage:
    """A page with the live picture, at most 30 pictures a second; nobody watching costs nothing.

    Args:
        host: address of the interface; `127.0.0.1` is this machine only.
        port: 0 takes a free one; see `port`.
        status: gives the values of `/status.reply`.

    Raises:
        OscbendError: the port is in use.
    """

    def __init__(self, host: str, port: int, status: Callable[[], tuple[float | int | str, ...]]) -> None:
        self._frame: Frame | None = None
        self._status = status
        routes = [
            Route("/", lambda request: HTMLResponse(PAGE)),
            Route("/live.mjpg", self._live),
            Route("/frame.png", self._still),
            Route("/status", lambda request: JSONResponse(dict(zip(STATUS, self._status())))),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            host=host,
            port=port,
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        try:
            self._socket = config.bind_socket()
        except (OSError, SystemExit) as error:
            raise OscbendError(
                f"cannot open web port {port}: it is in use; take another --web-port"
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="web", daemon=True
        )
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Takes the newest frame; never waits."""
        self._frame = frame

    def close(self) -> None:
        """Closes the port and ends the thread."""
        self._server.should_exit = True
        self._thread.join(timeout=3)

    async def _live(self, request: Request) -> Response:
        return StreamingResponse(self._parts(), media_type="multipart/x-mixed-replace; boundary=frame")

    async def _still(self, request: Request) -> Response:
        frame = self._frame
        if frame is None:
            return Response(status_code=503)
        return Response(await asyncio.to_thread(_image, frame, "PNG"), media_type="image/png")

    async def _parts(self) -> AsyncIterator[bytes]:
        shown = -1
        while not self._server.should_exit:
            frame = self._frame
            if frame is None or frame.number == shown:
                await asyncio.sleep(0.005)
                continue
            shown = frame.number
            jpeg = await asyncio.to_thread(_image, frame, "JPEG")
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n"
            await asyncio.sleep(1 / 30)


def _image(frame: Frame, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame.picture[..., :3]).save(out, kind, quality=JPEG_QUALITY)
    return out.getvalue()
