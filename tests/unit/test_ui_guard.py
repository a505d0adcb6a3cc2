"""What the guard of `hotline ui` lets through: raw requests, as a foreign page or program sends.

The whole of it, with Dagster behind and a browser before, is tried in `integration/test_ui.py`.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from orchestration.cli.ui import Guard, _listening
from orchestration.common.errors import InputError

TOKEN = "t0ken_t0ken-t0ken"


@pytest.fixture(scope="module")
def door() -> Iterator[tuple[int, list[str]]]:
    """The guard before an application that notes what reaches it: (port, what did)."""
    reached: list[str] = []

    async def application(scope, _receive, send):
        reached.append(scope["type"])
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
            return
        headers = [(b"content-length", b"2"), (b"x-frame-options", b"ALLOWALL")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    with _listening(0) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            Guard(application, port, TOKEN), http="h11", lifespan="off", log_level="critical"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listening]),))
        thread.start()
        yield port, reached
        server.should_exit = True
        thread.join()


def answer(port: int, request: str) -> str:
    """The status line that a raw request gets; `{own}` in it is the own address."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.format(own=f"127.0.0.1:{port}", port=port).encode())
        return connection.recv(65536).decode(errors="replace")


def post(
    path: str = f"/{TOKEN}/graphql",
    host: str = "Host: {own}",
    origin: str = "Origin: http://{own}",
    kind: str = "Content-Type: application/json",
    more: str = "",
    method: str = "POST",
    version: str = "1.1",
    body: str = json.dumps({"query": "mutation"}),
) -> str:
    lines = [f"{method} {path} HTTP/{version}", host, origin, kind, more]
    lines.append(f"Content-Length: {len(body)}\r\nConnection: close")
    return (
        "\r\n".join(line for line in lines if line)
        + "\r\n\r\n"
        + body.replace("{", "{{").replace("}", "}}")
    )


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


def websocket(path: str, host: str, origin: str) -> str:
    lines = [f"GET {path} HTTP/1.1", host, UPGRADE, origin]
    return "\r\n".join(line for line in lines if line) + "\r\n\r\n"


OWN = {"host": "Host: {own}", "origin": "Origin: http://{own}"}
FOREIGN = {
    # The token.
    "no token": post(path="/graphql"),
    "a wrong token": post(path="/t0ken_t0ken-t0keN/graphql"),
    "a longer token": post(path=f"/{TOKEN}x/graphql"),
    "an empty token": post(path="//graphql"),
    "the token elsewhere": post(path=f"/graphql?token={TOKEN}", more=f"Cookie: token={TOKEN}"),
    "a way around the token": post(path=f"/x/../{TOKEN}/graphql"),
    "a letter that isn't ASCII": post(path="/%E5%8F%B7/graphql"),
    "the root, which would show the token": "GET / HTTP/1.1\r\nHost: {own}\r\n\r\n",
    # The host: a name that was turned to this machine (DNS rebinding).
    "a foreign host": post(host="Host: evil.example:{port}", origin="Origin: http://evil.example:{port}"),
    "a foreign host without port": post(host="Host: evil.example"),
    "a host that begins like ours": post(host="Host: 127.0.0.1.evil.example:{port}"),
    "a host with a user": post(host="Host: 127.0.0.1:{port}@evil.example"),
    "another port": post(host="Host: 127.0.0.1:1"),
    "no port": post(host="Host: 127.0.0.1"),
    "any address": post(host="Host: 0.0.0.0:{port}"),
    "an empty host": post(host="Host:"),
    "no host, HTTP/1.0": post(host="", version="1.0"),
    "an absolute address": post(path=f"http://evil.example/{TOKEN}/graphql"),
    "a foreign host, reading": f"GET /{TOKEN}/ HTTP/1.1\r\nHost: evil.example:{{port}}\r\n\r\n",
    "a forwarded host": post(host="Host: evil.example:{port}", more="X-Forwarded-Host: {own}"),
    # The origin.
    "a foreign origin": post(origin="Origin: http://evil.example"),
    "no origin": post(origin=""),
    "origin null": post(origin="Origin: null"),
    "another port's origin": post(origin="Origin: http://127.0.0.1:1"),
    "an origin with TLS": post(origin="Origin: https://{own}"),
    "an origin that begins like ours": post(origin="Origin: http://{own}.evil.example"),
    "two origins": post(more="Origin: http://evil.example"),
    "our other name": post(origin="Origin: http://localhost:{port}"),
    "a referrer for an origin": post(origin="Referer: http://{own}/"),
    "a foreign origin, reading": (
        f"GET /{TOKEN}/ HTTP/1.1\r\nHost: {{own}}\r\nOrigin: http://evil.example\r\n\r\n"
    ),
    # What a form or a picture can send without asking first.
    "text/plain": post(kind="Content-Type: text/plain"),
    "a form": post(kind="Content-Type: application/x-www-form-urlencoded"),
    "multipart": post(kind="Content-Type: multipart/form-data; boundary=x"),
    "graphql": post(kind="Content-Type: application/graphql"),
    "no type": post(kind=""),
    "two types": post(more="Content-Type: text/plain"),
    "JSON in a parameter": post(kind="Content-Type: text/plain; application/json"),
    "a type that begins like JSON": post(kind="Content-Type: application/jsonp"),
    "the query in the address": post(
        path=f"/{TOKEN}/graphql?query=mutation", kind="Content-Type: text/plain", body=""
    ),
    "GET": post(method="GET", path=f"/{TOKEN}/graphql?query=mutation", body=""),
    "GET with another end": post(method="GET", path=f"/{TOKEN}/graphql/?query=m", body=""),
    "GET, escaped": post(method="GET", path=f"/{TOKEN}/%67raphql?query=m", body=""),
    "GET that says POST": post(
        method="GET", path=f"/{TOKEN}/graphql?query=m", more="X-HTTP-Method-Override: POST", body=""
    ),
    "HEAD": post(method="HEAD", path=f"/{TOKEN}/graphql?query=m", body=""),
    "PUT": post(method="PUT"),
    "DELETE": post(method="DELETE"),
    "a preflight": post(method="OPTIONS", origin="Origin: http://evil.example", body=""),
    "POST that says GET, foreign": post(
        origin="Origin: http://evil.example", more="X-HTTP-Method-Override: GET"
    ),
    "a report of an asset": post(
        path=f"/{TOKEN}/report_asset_materialization/published/marts", origin="Origin: null"
    ),
    # The websocket, for which no browser asks first.
    "websocket, foreign origin": websocket(
        f"/{TOKEN}/graphql", OWN["host"], "Origin: http://evil.example"
    ),
    "websocket, no origin": websocket(f"/{TOKEN}/graphql", OWN["host"], ""),
    "websocket, origin null": websocket(f"/{TOKEN}/graphql", OWN["host"], "Origin: null"),
    "websocket, no token": websocket("/graphql", OWN["host"], OWN["origin"]),
    "websocket, foreign host": websocket(
        f"/{TOKEN}/graphql", "Host: evil.example:{port}", "Origin: http://evil.example:{port}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("request_", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_request_reaches_nothing(door, request_):
    port, reached = door
    before = len(reached)
    text = answer(port, request_)
    assert text.split(" ")[1] in ("403", "400"), text  # 400: no HTTP at all
    assert len(reached) == before
    assert TOKEN not in text


OWN_REQUESTS = {
    "a query": (post(), "200"),
    "JSON in UTF-8": (post(kind="Content-Type: Application/JSON; charset=utf-8"), "200"),
    "by our other name": (
        post(host="Host: localhost:{port}", origin="Origin: http://localhost:{port}"),
        "200",
    ),
    "a page": (f"GET /{TOKEN}/runs HTTP/1.1\r\nHost: {{own}}\r\n\r\n", "200"),
    "a script": (
        f"GET /{TOKEN}/static/x.js HTTP/1.1\r\nHost: {{own}}\r\nOrigin: http://{{own}}\r\n\r\n",
        "200",
    ),
    "websocket": (websocket(f"/{TOKEN}/graphql", OWN["host"], OWN["origin"]), "101"),
}


@pytest.mark.parametrize(("request_", "status"), OWN_REQUESTS.values(), ids=OWN_REQUESTS)
def test_the_own_pages_work(door, request_, status):
    port, reached = door
    before = len(reached)
    assert answer(port, request_).split(" ")[1] == status
    assert len(reached) == before + 1


def test_no_other_page_can_frame_ours_or_learn_its_address(door):
    port, _ = door
    text = answer(port, f"GET /{TOKEN}/ HTTP/1.1\r\nHost: {{own}}\r\n\r\n")
    assert "x-frame-options: DENY" in text
    assert "ALLOWALL" not in text
    assert "referrer-policy: same-origin" in text


def test_a_port_in_use_is_told():
    with _listening(0) as taken, pytest.raises(InputError, match="port_in_use"):
        _listening(taken.getsockname()[1])
    with pytest.raises(InputError, match="port_in_use"):
        _listening(70_000)
