"""`hotline ui`: Dagster's pages and daemon on this machine, behind a guard.

Dagster's own server has no authentication. The guard accepts only requests from the pages of this
session: the address holds a token, and a request that could change something must have the pages'
origin. The settings of Dagster's instance don't belong here.
"""

import hmac
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.common.errors import InputError
from orchestration.common.settings import PROJECT_ROOT, Home, exports_root, site_root

if TYPE_CHECKING:
    import dagster as dg
    import uvicorn
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
DEFINITIONS = "orchestration.definitions"
REFUSAL = (
    "请求被拒绝：{reason}。请使用 hotline ui 在终端显示的完整地址。\n"
    "Refused. Open the whole address that hotline ui shows in its terminal.\n"
)
# The first hides the address with its token from other sites; the others keep other sites from
# embedding or reading the pages.
HEADERS = {
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLL_MILLISECONDS = 2000
STATEMENT_MILLISECONDS = 15_000
STOP_SECONDS = 20


class Guard:
    """ASGI middleware that refuses requests that don't come from this session's own pages.

    The token is part of the path, not a cookie: a browser sends cookies to every port of a host,
    and so to a server of another account on this machine.
    """

    def __init__(self, app: "ASGIApp", port: int, token: str) -> None:
        self.app = app
        self.prefix = f"/{token}"
        self.hosts = {f"{name}:{port}".encode() for name in (LOOPBACK, "localhost")}
        if port == 80:
            self.hosts |= {LOOPBACK.encode(), b"localhost"}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or answer 403; a refused websocket is closed before it opens."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        reason = self.refuses(scope)
        if reason and scope["type"] == "http":
            body = REFUSAL.format(reason=reason).encode()
            headers = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
            lines = [(name.encode(), text.encode()) for name, text in (HEADERS | headers).items()]
            await send({"type": "http.response.start", "status": 403, "headers": lines})
            await send({"type": "http.response.body", "body": body})
            return
        if reason:
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                kept = [item for item in message["headers"] if item[0].decode() not in HEADERS]
                ours = [(name.encode(), text.encode()) for name, text in HEADERS.items()]
                message["headers"] = [*kept, *ours]
            await send(message)

        await self.app(scope, receive, send_guarded)

    def refuses(self, scope: "Scope") -> str:
        """Why a request is refused; empty if it isn't."""
        sent: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            sent.setdefault(name.lower(), []).append(value)
        hosts = sent.get(b"host", [])
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return "不是本机的地址（Host）"
        path: str = scope["path"]
        token = "/" + path[1:].partition("/")[0]
        if path[:1] != "/" or not hmac.compare_digest(token.encode(), self.prefix.encode()):
            return "没有本次会话的令牌"
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        origins = sent.get(b"origin", [])
        if (changes or origins) and origins != [b"http://" + hosts[0]]:
            return "不是由本页面发出的（Origin）"
        if scope["type"] == "websocket":
            return ""
        if not changes:
            is_query = path.rstrip("/") == f"{self.prefix}/graphql"
            return "查询和操作只能用 POST" if is_query else ""
        if scope["method"] != "POST":
            return "只接受 GET 和 POST"
        kinds = [
            value.partition(b";")[0].strip().lower() for value in sent.get(b"content-type", [])
        ]
        return "" if kinds == [b"application/json"] else "只接受 application/json"


def serve(home: Home, port: int, announce: Callable[[str], None]) -> None:
    """Serve Dagster's pages and run its daemon until Ctrl-C.

    Args:
        home: the home whose Dagster storage is shown; must be the one that `HOTLINE_HOME` names.
        port: the port on 127.0.0.1.
        announce: called with the address when connections are accepted.

    Raises:
        InputError: the port isn't available, or the daemon ended.
    """
    token = secrets.token_urlsafe(32)
    with closing(_listening(port)) as listening:
        port = listening.getsockname()[1]
        _make_safe(home)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # also ends the child processes
        import uvicorn
        from dagster._core.workspace.context import WorkspaceProcessContext
        from dagster._core.workspace.load_target import WorkspaceFileTarget
        from dagster_webserver.app import create_app_from_workspace_process_context
        from dagster_webserver.version import __version__

        from orchestration.cli.runner import dagster_instance

        with (
            dagster_instance(home) as instance,
            _code_server(instance) as workspace,
            _daemon(workspace) as daemon,
        ):
            instance.optimize_for_webserver(STATEMENT_MILLISECONDS, 3600, 20)
            with WorkspaceProcessContext(
                instance, WorkspaceFileTarget([str(workspace)]), version=__version__
            ) as context:
                app = create_app_from_workspace_process_context(
                    context, f"/{token}", POLL_MILLISECONDS
                )
                # h11 keeps the path as it was sent; uvicorn's other parser strips a foreign host.
                server = uvicorn.Server(
                    uvicorn.Config(
                        Guard(app, port, token),
                        http="h11",
                        log_level="warning",
                        access_log=False,
                        server_header=False,
                        timeout_graceful_shutdown=2,
                    )
                )
                threading.Thread(target=_stop_with, args=(daemon, server), daemon=True).start()
                announce(f"http://{LOOPBACK}:{port}/{token}/")
                with suppress(KeyboardInterrupt):
                    server.run(sockets=[listening])
            if daemon.poll() is not None:
                raise InputError(
                    code="daemon_ended",
                    found=f"Dagster 的后台进程已结束（返回码 {daemon.returncode}）",
                    expected="与界面一同运行的后台进程",
                    action="查看上面的输出，改正后重新运行 hotline ui",
                )


def _listening(port: int) -> socket.socket:
    """A socket that listens on the port, opened before anything else is started."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise InputError(
            code="port_in_use",
            found=f"端口 {port} 不能用（{error}）",
            expected="本机一个空闲的端口，1024 到 65535",
            action="用 --port 换一个端口，或先关闭占用它的程序（也许是另一个 hotline ui）",
        ) from error
    return listening


def _make_safe(home: Home) -> None:
    """Keep the processes started here from importing from the current folder or needing it."""
    os.environ["HOTLINE_HOME"] = str(home.root)
    os.environ["HOTLINE_EXPORTS"] = str(exports_root())
    if site := site_root():
        os.environ["HOTLINE_SITE"] = str(site)
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["DAGSTER_IS_DEV_CLI"] = "1"  # as `dagster dev` does
    os.chdir(PROJECT_ROOT)


@contextmanager
def _code_server(instance: "dg.DagsterInstance") -> Iterator[Path]:
    """Run the one process that holds the definitions; yields the workspace file that names it."""
    import yaml
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.load_target import ModuleTarget

    target = ModuleTarget(DEFINITIONS, None, str(PROJECT_ROOT), None)
    with ProxyServerManager(instance, target) as servers, tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(yaml.dump({"load_from": servers.get_code_server_specs()}))
        yield workspace


@contextmanager
def _daemon(workspace: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run Dagster's daemon: schedules, sensors and the queue of runs."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
    # A module of a pinned package; the one argument is a path of our own.
    with subprocess.Popen(command) as daemon:  # noqa: S603
        try:
            yield daemon
        finally:
            daemon.send_signal(signal.SIGINT)
            try:
                daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _stop_with(daemon: "subprocess.Popen[bytes]", server: "uvicorn.Server") -> None:
    """Stop the server when the daemon ends by itself."""
    daemon.wait()
    server.should_exit = True
