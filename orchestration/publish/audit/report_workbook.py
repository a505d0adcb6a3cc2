"""The sheets of `audit.xlsx`: the same evidence as on the page, with every row."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.common.workbook import Sheet
from orchestration.publish.audit.evidence import GROUP_LABELS, SEVERITY_LABELS, Evidence, Row
from orchestration.publish.pages.render import STATUS_LABELS

SIGNATORIES = ("编制", "复核", "审计")


BALANCE = {
    "source": "来源",
    "file_name": "文件",
    "file_sha256": "SHA-256",
    "read_count": "读到",
    "accepted_count": "接收",
    "rejected_count": "拒收",
    "duplicate_count": "重复",
    "out_of_scope_count": "期外",
}
RESTATEMENT = {
    "version": "版本",
    "previous_version": "上一版本",
    "table_name": "表",
    "unit_code": "单位代码",
    "measure": "指标",
    "old_value": "原值",
    "new_value": "新值",
    "reason": "原因",
}
FILE = {
    "source": "来源",
    "file_name": "文件",
    "file_sha256": "SHA-256",
    "byte_count": "字节",
    "encoding": "编码",
    "row_count": "行数",
    "received_at": "收到时间",
    "superseded_by": "被何文件取代",
}


def sheets(evidence: Evidence, labels: Mapping[str, str]) -> dict[str, Sheet]:
    """The workbook's sheets by title.

    Args:
        evidence: the run's evidence.
        labels: the Chinese label of each measure.
    """
    differences = [row for row in evidence.rows if row["status"] != "match"]
    return {
        "汇总": Sheet(
            ["控制组", "说明", "项数", "相符", "已说明", "不符"],
            [
                [
                    *(group.control_group, GROUP_LABELS.get(group.control_group, "")),
                    *(group.total, group.match, group.explained, group.broken),
                ]
                for group in evidence.summaries
            ],
        ),
        "控制项": _controls(evidence),
        "差异": _comparison(differences, labels),
        "核对明细": _comparison(evidence.rows, labels),
        "行数平衡": _table(evidence.balances, BALANCE),
        "已知差异": _discrepancies(evidence),
        "重述": _table(evidence.restatements, RESTATEMENT),
        "源文件": _table(evidence.files, FILE),
        "签字页": _sign_off(evidence),
    }


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> Sheet:
    return Sheet(list(columns.values()), [[row[name] for name in columns] for row in rows])


def _number_format(measure: str) -> str:
    if measure.endswith(("rate", "share", "change")):
        return "0.00%"
    return "0.0" if measure.endswith("index") else "0"


def _comparison(rows: Sequence[Row], labels: Mapping[str, str]) -> Sheet:
    header = [
        *("控制组", "控制代码", "比较什么", "对象代码", "对象", "指标代码", "指标"),
        *("应为", "实为", "差额", "容差", "状态", "说明", "依据", "已知差异编号"),
        *("差异责任人", "有效期至", "严重程度", "控制责任人", "追溯命令"),
    ]
    columns = ("expected", "actual", "difference", "tolerance")
    first = header.index("应为")
    body: list[list[Any]] = []
    formats: dict[tuple[int, int], str] = {}
    for number, row in enumerate(rows):
        kind = _number_format(row["measure"])
        formats |= {(number, first + offset): kind for offset in range(len(columns))}
        body.append(
            [
                *(row[name] for name in ("control_group", "control_id", "compares", "subject")),
                *(row["subject_label"], row["measure"]),
                labels.get(row["measure"].rpartition(".")[2]),
                *(row[name] for name in columns),
                STATUS_LABELS[row["status"]],
                *(row[name] for name in ("explanation", "evidence", "discrepancy_id")),
                *(row["discrepancy_owner"], row["expires_on"]),
                SEVERITY_LABELS.get(row["severity"], row["severity"]),
                *(row["owner"], row["trace"] or None),
            ]
        )
    return Sheet(header, body, formats)


def _controls(evidence: Evidence) -> Sheet:
    return Sheet(
        [
            *("控制组", "控制代码", "比较什么", "严重程度", "容差", "责任人"),
            *("项数", "相符", "已说明", "不符"),
        ],
        [
            [
                *(row[name] for name in ("control_group", "control_id", "compares")),
                *(SEVERITY_LABELS.get(row["severity"], row["severity"]), row["tolerance"]),
                row["owner"],
                *(getattr(row["found"], n) for n in ("total", "match", "explained", "broken")),
            ]
            for row in evidence.controls
        ],
    )


def _discrepancies(evidence: Evidence) -> Sheet:
    header = [
        *("编号", "控制代码", "对象", "指标", "应为", "差额", "原因", "依据"),
        *("责任人", "登记日期", "有效期至", "本次用到"),
    ]
    names = ("discrepancy_id", "control_id", "subject", "measure", "expected", "difference")
    more = ("reason", "evidence", "owner", "recorded_on", "expires_on")
    body = [
        [*(row[name] for name in (*names, *more)), "是" if row["is_used"] else "否"]
        for row in evidence.discrepancies
    ]
    formats = {
        (number, column): _number_format(row["measure"])
        for number, row in enumerate(evidence.discrepancies)
        for column in (4, 5)
    }
    return Sheet(header, body, formats)


def _sign_off(evidence: Evidence) -> Sheet:
    """A form to print: what is signed for, and where to sign."""
    version = evidence.publications[0] if evidence.publications else None
    is_version = evidence.is_published and version is not None
    total = sum(group.total for group in evidence.summaries)
    broken = sum(group.broken for group in evidence.summaries)
    about: list[list[Any]] = [
        ["季度", evidence.quarter],
        ["版本", version["version"] if is_version and version else "未发布"],
        ["核对运行", evidence.run_id],
        ["核对项数", total],
        ["不符项数", broken],
    ]
    if is_version and version:
        about += [
            ["发布时间", version["published_at"]],
            ["程序版本", version["code_version"]],
            ["指标方案", version["policy_version"]],
            ["输入 SHA-256", version["input_sha256"]],
            ["输出 SHA-256", version["output_sha256"]],
        ]
    signing = [[f"{role}（签字、日期）", "＿" * 20] for role in SIGNATORIES]
    return Sheet(["签字页", ""], [*about, ["意见", None], *signing], is_form=True)
