"""The live picture, for those who watch."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oscbend.frame import Frame

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
        self._jpeg: tuple[np.ndarray, bytes] | None = None

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
            frame = await self.after(shown, 1.0)
            if frame is None:
                continue
            shown = frame.number
            jpeg = await self.jpeg(frame)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n"
            await asyncio.sleep(1 / 30)

    async def after(self, number: int, wait_s: float) -> Frame | None:
        """The newest frame, once it is another than the one of that number; None if none comes in time."""
        end_s = time.monotonic() + wait_s
        while not self._over():
            frame = self._frame
            if frame is not None and frame.number != number:
                return frame
            if time.monotonic() >= end_s:
                break
            await asyncio.sleep(0.01)
        return None

    async def jpeg(self, frame: Frame) -> bytes:
        """The frame as JPEG, made once for all who watch."""
        async with self._drawing:
            if self._jpeg is None or self._jpeg[0] is not frame.picture:
                self._jpeg = frame.picture, await asyncio.to_thread(_image, frame, "JPEG")
            return self._jpeg[1]


def _image(frame: Frame, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame.picture[..., :3]).save(out, kind, quality=JPEG_QUALITY)
    return out.getvalue()
