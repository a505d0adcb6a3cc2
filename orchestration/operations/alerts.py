"""Alerts that a quarter was not published, by webhook and by mail.

An alert holds what the command shows first: the quarter, where the run stopped, the failed controls
and checks, and what to do. It holds no cell of an export and no secret. A failed delivery never
changes how the run ended; it is reported to the caller.
"""

import json
import os
import smtplib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import duckdb

from orchestration.checks import check_results, reconciliation
from orchestration.common.errors import InputError
from orchestration.common.settings import Home

WEBHOOK = "HOTLINE_ALERT_WEBHOOK"
SMTP, RECIPIENTS, SENDER = "HOTLINE_ALERT_SMTP", "HOTLINE_ALERT_TO", "HOTLINE_ALERT_FROM"
TIMEOUT_SECONDS = 10
WAITS_SECONDS = (1.0, 3.0)  # before the second and the third try
SHOWN = 10


@dataclass(frozen=True)
class Alert:
    """The content of an alert; `controls` and `checks` count the failures by name."""

    quarter: str
    run_id: str
    title: str
    stopped_at: tuple[str, ...]
    reason: str
    controls: dict[str, int]
    checks: dict[str, int]
    action: str

    @property
    def text(self) -> str:
        """The alert as text, in Chinese."""
        lines = [
            self.title,
            f"停在：{'、'.join(self.stopped_at) or '运行开始之前'}",
            f"原因：{self.reason}" if self.reason else "",
            _counted("控制项不符", self.controls),
            _counted("检查未过", self.checks),
            f"处理：{self.action}",
            f"运行编号：{self.run_id}",
        ]
        return "\n".join(line for line in lines if line)


def _counted(label: str, counts: dict[str, int]) -> str:
    if not counts:
        return ""
    shown = [f"{name}（{count}）" for name, count in list(counts.items())[:SHOWN]]
    more = f"等 {len(counts)} 项" if len(counts) > SHOWN else ""
    return f"{label}：{'、'.join(shown)}{more}"


def not_published(
    home: Home,
    quarter: str,
    run_id: str,
    stopped_at: Sequence[str],
    input_error: str = "",
    *,
    files_published: bool = False,
) -> Alert:
    """The alert for a run that didn't publish.

    Args:
        home: where the run's results are.
        quarter: such as 2022Q2.
        run_id: the run.
        stopped_at: the failed steps, by their Chinese names.
        input_error: the message about unusable input, if that stopped the run.
        files_published: whether the files were published and only a later publication failed.
    """
    controls, checks = _findings(home, run_id)
    action = f"在服务器上运行 hotline reconcile {quarter} 查看逐项差异，改正来源后重新运行"
    if input_error:
        action = f"按原因改正后重新运行 hotline run {quarter}"
    elif not controls and not checks:
        action = "查看 Dagster 中这次运行的日志"
    outcome = (
        "文件已发布，但后续发布没有完成"
        if files_published
        else "没有发布，上一次发布的版本保持不变"
    )
    return Alert(
        quarter=quarter,
        run_id=run_id,
        title=f"【12345 热线数据】{quarter} {outcome}",
        stopped_at=tuple(stopped_at),
        reason=input_error,
        controls=controls,
        checks=checks,
        action=action,
    )


def _findings(home: Home, run_id: str) -> tuple[dict[str, int], dict[str, int]]:
    """The failed controls and checks of a run: the number of failures by name."""
    try:
        rows = reconciliation.blocking(reconciliation.controls(home, run_id))
        failures = check_results.failures(home, run_id)
    except (InputError, duckdb.Error):  # the next run holds the warehouse, or it is damaged
        return {}, {}
    controls = Counter(row["control_id"] for row in rows)
    return dict(controls), {row["check_name"]: row["failing_count"] for row in failures}


def send(alert: Alert) -> list[str]:
    """Send an alert by webhook and mail, as configured; return a message per failed delivery."""
    faults = []
    if url := os.environ.get(WEBHOOK):
        faults.append(_tried("webhook", WEBHOOK, lambda: _post(url, alert)))
    if server := os.environ.get(SMTP):
        faults.append(_tried("邮件", SMTP, lambda: _mail(server, alert)))
    return [fault for fault in faults if fault]


def _tried(way: str, setting: str, deliver: Callable[[], None]) -> str:
    """Deliver, and retry transient errors; the last error without any address, or empty."""
    for wait in (*WAITS_SECONDS, None):
        try:
            deliver()
        except (OSError, ValueError, smtplib.SMTPException) as error:
            if wait is not None and _may_pass(error):
                time.sleep(wait)
                continue
            code = getattr(error, "code", None) or getattr(error, "smtp_code", "")
            return (
                f"告警没有送达（{way}）：{type(error).__name__} {code}".rstrip()
                + f"；检查 {setting}"
            )
        return ""
    raise AssertionError("the last try returns")


def _may_pass(error: Exception) -> bool:
    """Whether an error is transient: the network or a busy server, no refusal or bad address."""
    if isinstance(error, HTTPError):
        return error.code >= 500 or error.code == 429
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    if isinstance(error, smtplib.SMTPException):
        return isinstance(error, smtplib.SMTPServerDisconnected)
    return isinstance(error, OSError)


def _post(url: str, alert: Alert) -> None:
    """Post JSON in the form that group-chat bots accept, plus the fields for programs."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError
    body = {
        "msgtype": "text",
        "text": {"content": alert.text},
        "quarter": alert.quarter,
        "run_id": alert.run_id,
        "stopped_at": alert.stopped_at,
        "controls": alert.controls,
        "checks": alert.checks,
    }
    request = Request(  # noqa: S310 (the scheme was looked at)
        url,
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    with urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 (as above)
        pass


def _mail(server: str, alert: Alert) -> None:
    """Mail through `smtp://[user:password@]host:port` or `smtps://`.

    A password is never sent unencrypted.
    """
    address = urlsplit(server)
    recipients = os.environ.get(RECIPIENTS, "")
    if address.scheme not in ("smtp", "smtps") or not address.hostname or not recipients:
        raise ValueError
    message = EmailMessage()
    message["Subject"] = alert.title
    message["From"] = os.environ.get(SENDER) or "hotline@localhost"
    message["To"] = recipients
    message.set_content(alert.text)
    kind = smtplib.SMTP_SSL if address.scheme == "smtps" else smtplib.SMTP
    with kind(address.hostname, address.port or 0, timeout=TIMEOUT_SECONDS) as connection:
        connection.ehlo()
        if connection.has_extn("starttls"):
            connection.starttls()
            connection.ehlo()
        elif address.username and address.scheme == "smtp":
            raise smtplib.SMTPNotSupportedError
        if address.username:
            connection.login(unquote(address.username), unquote(address.password or ""))
        connection.send_message(message)
