"""`hotline ui` as its user has it open, and a foreign page that has even learnt its address.

Slow: it starts Dagster's server and daemon. Each raw request is tried in `unit/test_ui_guard.py`.
"""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ui_server import running_ui

pytestmark = pytest.mark.slow

PAUSE = "mutation { setAutoMaterializePaused(paused: %s) }"
# Everything that a page may try without being asked first, and what a browser asks about.
FOREIGN_PAGE = """<!doctype html><title>foreign</title><body><script>
const address = ADDRESS, query = QUERY, body = JSON.stringify({query});
const target = address + "graphql", done = [];
const get = target + "?query=" + encodeURIComponent(query);
const form = "application/x-www-form-urlencoded";
for (const type of ["text/plain", "text/plain; application/json", form])
  done.push(fetch(target, {method: "POST", mode: "no-cors", credentials: "include",
                           headers: {"Content-Type": type}, body}));
done.push(fetch(target, {method: "POST", headers: {"Content-Type": "application/json"}, body}));
done.push(fetch(get, {mode: "no-cors", credentials: "include"}));
done.push(fetch(get + "&x=1", {method: "POST", mode: "no-cors"}));
navigator.sendBeacon(target, new Blob([body], {type: "text/plain"}));
new Image().src = get + "&image";
document.body.insertAdjacentHTML("beforeend", `<iframe name="f" sandbox="allow-forms"></iframe>
  <iframe src="${address}"></iframe>
  <form method="post" enctype="text/plain" target="f" action="${target}">
  <input name='{"query": "${query}", "x": "' value='"}'></form>`);
document.forms[0].submit();
done.push(new Promise(end => {
  const socket = new WebSocket(target.replace("http", "ws"), "graphql-ws");
  socket.onopen = () => { window.opened = true; end(); };
  socket.onerror = end;
}));
Promise.allSettled(done).then(() => setTimeout(() => { document.title = "tried"; }, 1000));
</script>"""


@dataclass
class Ui:
    """The running command."""

    address: str
    home: Path

    @property
    def origin(self) -> str:
        return "/".join(self.address.split("/")[:3])

    def ask(self, query: str) -> dict:
        request = urllib.request.Request(
            self.address + "graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json", "Origin": self.origin},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    @property
    def is_paused(self) -> bool:
        return self.ask("{ instance { autoMaterializePaused } }")["instance"][
            "autoMaterializePaused"
        ]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    # The current folder holds modules of names that are imported: none may run.
    for name in ("yaml.py", "grpc.py", "dagster.py", "orchestration.py", "sitecustomize.py"):
        (folder / name).write_text("open('imported', 'w')\nraise SystemExit('imported')\n")
    with running_ui(folder, "home") as address:
        opened = Ui(address, folder / "home")
        opened.ask(PAUSE % "false")
        yield opened
    assert not (folder / "imported").exists()


@pytest.fixture(scope="module")
def foreign(ui: Ui) -> Iterator[str]:
    """Where a page of somebody else is served, on another port of this machine."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = FOREIGN_PAGE.replace("ADDRESS", json.dumps(ui.address))
            page = page.replace("QUERY", json.dumps(PAUSE % "true"))
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_own_page_works_in_a_browser(ui, browser):
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    refused = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else 0)
    sockets = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: sockets.append(1)))
    page.goto(ui.address + "assets")
    page.get_by_text("published", exact=False).first.wait_for(timeout=60_000)
    page.goto(ui.address + "jobs")
    page.get_by_text("quarterly_load").first.wait_for(timeout=60_000)
    assert refused == []
    assert sockets, "no subscription was answered"
    context.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
def test_a_foreign_page_in_a_browser_changes_nothing(ui, foreign, browser, host):
    """Even one that knows the address, token and all, and runs on the same machine."""
    context = browser.new_context()
    if host == "evil.example":
        context.route(
            "http://evil.example/",
            lambda route: route.fulfill(
                response=route.fetch(url=f"http://{foreign}/"), content_type="text/html"
            ),
        )
        url = "http://evil.example/"
    else:
        url = f"http://{host}:{foreign.partition(':')[2]}/"
    page = context.new_page()
    page.goto(url)
    page.wait_for_function("document.title === 'tried'", timeout=60_000)
    assert page.evaluate("window.opened") is None
    context.close()
    assert ui.is_paused is False


def test_what_the_foreign_page_tried_works_from_the_own_page(ui):
    ui.ask(PAUSE % "true")
    assert ui.is_paused is True
    ui.ask(PAUSE % "false")
    assert ui.is_paused is False


def test_the_daemon_runs_too(ui):
    health = "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } } }"
    until = time.monotonic() + 90
    while True:
        statuses = ui.ask(health)["instance"]["daemonHealth"]["allDaemonStatuses"]
        healthy = {one["daemonType"] for one in statuses if one["healthy"]}
        if {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR"} <= healthy:
            return
        assert time.monotonic() < until, statuses
        time.sleep(2)


def test_nobody_else_can_reach_the_processes_behind_it(ui):
    """They talk over sockets in the temporary folder, which only their owner can open."""
    sockets = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if "--socket" in words and any(str(ui.home) in word for word in words):
            sockets.append(Path(words[words.index("--socket") + 1]))
    assert sockets
    assert all(path.stat().st_mode & 0o077 == 0 for path in sockets)
