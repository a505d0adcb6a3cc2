"""An alert when a quarter isn't published: to a web address and a mail server of the test's own."""

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import duckdb
import pytest
from conftest import hotline

from orchestration.checks import reconciliation
from orchestration.common.settings import Home
from orchestration.operations import alerts


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Robot(BaseHTTPRequestHandler):
    """Takes posts as a group chat's robot does, and fails as often as it is told to."""

    posts: list[dict]
    refusals: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refusals:
            self.send_error(self.refusals.pop(0))
            return
        self.posts.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Postman(socketserver.StreamRequestHandler):
    """The little of SMTP that one letter needs."""

    letters: list[bytes]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line[:4].upper() == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.wfile.write(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 yes\r\n")


@pytest.fixture
def robot(monkeypatch) -> Iterator[type[Robot]]:
    handler = type("ThisRobot", (Robot,), {"posts": [], "refusals": []})
    with serving(HTTPServer(("127.0.0.1", 0), handler)) as port:
        monkeypatch.setenv("HOTLINE_ALERT_WEBHOOK", f"http://127.0.0.1:{port}/send?key=secret")
        yield handler


@pytest.fixture
def letters(monkeypatch) -> Iterator[list[bytes]]:
    handler = type("ThisPostman", (Postman,), {"letters": []})
    with serving(socketserver.TCPServer(("127.0.0.1", 0), handler)) as port:
        monkeypatch.setenv("HOTLINE_ALERT_SMTP", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("HOTLINE_ALERT_TO", "data@office.example, head@office.example")
        yield handler.letters


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(alerts, "WAITS_SECONDS", (0.0, 0.0))


@pytest.fixture
def stopped(home) -> tuple[Home, str]:
    """A home whose last run found two controls of one kind that don't hold, and the run."""
    place = Home(home)
    run_id = reconciliation.latest_run(place, "2022Q2")
    with duckdb.connect(str(place.warehouse)) as connection:
        connection.execute(
            "update audit.reconciliation set status = 'unexplained' where rowid in (select rowid "
            "from audit.reconciliation where control_group = 'staging_to_fact' limit 2)"
        )
    return place, run_id


def alert_of(stopped: tuple[Home, str]) -> alerts.Alert:
    home, run_id = stopped
    return alerts.not_published(home, "2022Q2", run_id, ["对账关口"])


def test_the_webhook_is_told_what_stopped_and_what_to_do(robot, stopped):
    assert alerts.send(alert_of(stopped)) == []
    (post,) = robot.posts
    assert post["msgtype"] == "text"
    assert post["quarter"] == "2022Q2"
    assert sum(post["controls"].values()) == 2
    text = post["text"]["content"]
    (control,) = post["controls"]
    assert "2022Q2 没有发布，上一次发布的版本保持不变" in text
    assert "停在：对账关口" in text
    assert f"控制项不符：{control}（2）" in text
    assert "hotline reconcile 2022Q2" in text


def test_mail_goes_to_everybody_named(letters, stopped):
    assert alerts.send(alert_of(stopped)) == []
    (letter,) = letters
    message = message_from_bytes(letter, policy=policy.default)
    assert message["To"] == "data@office.example, head@office.example"
    assert "2022Q2 没有发布" in message["Subject"]
    assert "停在：对账关口" in message.get_content()


def test_a_passing_failure_is_tried_again(robot, stopped):
    robot.refusals += [503, 429]
    assert alerts.send(alert_of(stopped)) == []
    assert len(robot.posts) == 1


@pytest.mark.parametrize(("refusals", "tries"), [([404], 1), ([500] * 3, 3)])
def test_what_isnt_delivered_is_said_without_the_address(robot, stopped, refusals, tries):
    robot.refusals += refusals * 2
    (fault,) = alerts.send(alert_of(stopped))
    assert len(robot.refusals) == len(refusals) * 2 - tries
    assert "没有送达" in fault
    assert str(refusals[0]) in fault
    assert "secret" not in fault
    assert "127.0.0.1" not in fault


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HOTLINE_ALERT_WEBHOOK", "file:///etc/secret"),
        ("HOTLINE_ALERT_WEBHOOK", "secret"),
        ("HOTLINE_ALERT_WEBHOOK", "http://127.0.0.1:1/secret"),
        ("HOTLINE_ALERT_SMTP", "smtp://127.0.0.1:1"),
        ("HOTLINE_ALERT_SMTP", "mail.example"),
    ],
)
def test_a_way_that_is_no_way_is_said(monkeypatch, stopped, setting, value):
    monkeypatch.setenv(setting, value)
    monkeypatch.setenv("HOTLINE_ALERT_TO", "data@office.example")
    (fault,) = alerts.send(alert_of(stopped))
    assert setting in fault
    assert "secret" not in fault


def test_a_password_never_goes_in_the_clear(letters, monkeypatch, stopped):
    server = os.environ["HOTLINE_ALERT_SMTP"].replace("//", "//clerk:hidden@")
    monkeypatch.setenv("HOTLINE_ALERT_SMTP", server)
    (fault,) = alerts.send(alert_of(stopped))
    assert "SMTPNotSupportedError" in fault
    assert letters == []


def test_nobody_is_told_where_nothing_is_set_up(stopped):
    assert alerts.send(alert_of(stopped)) == []


def test_the_command_tells_and_ends_as_it_would_have(robot, tmp_path):
    exports = tmp_path / "exports"
    (exports / "2022Q2").mkdir(parents=True)
    (exports / "2022Q2" / "ticket.csv").write_bytes(b"\x00")
    ran = hotline("run", "2022Q2", home=tmp_path / "home", exports=exports)
    assert ran.status == 2
    (post,) = robot.posts
    assert "接收 12345 工单" in post["stopped_at"]
    assert "原因：[" in post["text"]["content"]
    robot.refusals += [404]
    silent = hotline("run", "2022Q2", home=tmp_path / "home", exports=exports)
    assert silent.status == 2
    assert "告警没有送达" in silent.err


def failed_run(tags: dict[str, str]) -> dg.RunFailureSensorContext:
    @dg.op
    def raw__ticket() -> None:
        raise dg.Failure("no")

    @dg.job
    def quarterly_load() -> None:
        raw__ticket()

    instance = dg.DagsterInstance.ephemeral()
    result = quarterly_load.execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": "2022Q2", **tags}
    )
    return dg.build_run_status_sensor_context(
        sensor_name="run_failed",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()


def test_dagsters_own_runs_are_told_by_the_sensor(robot, monkeypatch, tmp_path):
    from orchestration.defs.alerts import run_failed

    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    run_failed(failed_run({}))
    (post,) = robot.posts
    assert post["stopped_at"] == ["接收 12345 工单"]
    assert "2022Q2" in post["text"]["content"]
    run_failed(failed_run({"hotline/started_by": "command"}))
    assert len(robot.posts) == 1, "the command told of its own run"
