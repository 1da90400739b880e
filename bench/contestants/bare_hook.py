"""The floor for webhooks: the same server, a route that checks the HMAC over the raw bytes, and keeps nothing.

python -m bench.contestants.bare_hook PORT SECRET
"""

import hmac
import sys
import time
from hashlib import sha256
from typing import Any

import uvicorn

from accordant.launch.interpreter import settle_allocator, settle_collector, settle_threads


def route(secret: bytes) -> Any:
    """A bare ASGI application."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        parts: list[bytes] = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = b"".join(parts)
        header = next((value for name, value in scope["headers"] if name == b"stripe-signature"), b"")
        signed_at, _, given = header.removeprefix(b"t=").partition(b",v1=")
        expected = hmac.new(secret, signed_at + b"." + body, sha256).hexdigest().encode()
        fresh = signed_at.isdigit() and abs(time.time() - int(signed_at)) < 300
        status = 202 if fresh and hmac.compare_digest(expected, given) else 401
        headers = [(b"content-type", b"application/json"), (b"content-length", b"12")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"new":true}'})

    return app


if __name__ == "__main__":
    settle_allocator()
    settle_threads()
    settle_collector()
    quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off", "server_header": False}
    uvicorn.run(route(sys.argv[2].encode()), host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", **quiet)
