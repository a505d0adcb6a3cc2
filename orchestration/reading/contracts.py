"""Contracts: what each source's export must look like, as data (`exports/contracts/*.yml`).

Reading an export doesn't belong here.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.common.errors import InputError
from orchestration.common.settings_file import load_settings_file
from orchestration.reading.columns import identities
from orchestration.reading.layouts import Layout, load_layouts

EMPTY = ("NULL", "null", "-", "－", "无", "/", "N/A")
SHORTEST_KEY = 16
NOT_RECORDS = ("合计", "总计", "小计", "注：", "注:", "备注：", "备注:", "说明：", "说明:")
# Python patterns of telephone and ID-card numbers; a match beside a letter or digit doesn't count.
PERSONAL_SHAPES = (
    r"(?:\+?86[- ]?|0)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}",
    r"\(?0(?:10|2\d|[3-9]\d{2})\)?[- ]?\d{3,4}[- ]?\d{4}(?:-\d{1,6})?",
    r"0\d{2,3}-\d{3,4}-?\d{4}(?:-\d{1,6})?",
    r"[48]00-\d{3,4}-?\d{3,4}",
    r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123])\d{4}"
    r"(?:(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
    r"|\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3})",
)
# Chosen so that no person's name ends like this: 学, 会, 园 and the like occur in given names.
UNIT_ENDINGS = (
    *("局", "镇", "乡", "办", "委", "厅", "院", "队", "所", "站", "处", "部", "馆"),
    *("街道", "中心", "公司", "集团", "银行", "支行", "学校", "小学", "中学", "大学", "大厦"),
    *("公园",),
    *("园区", "新区", "高新区", "开发区", "社区", "管委会", "委员会", "居委会", "村委会", "协会"),
    *("联合会", "妇联", "残联", "工商联", "文联", "联社", "供销社", "城建投", "办公室", "研究室"),
    *("指挥部", "政府", "党校", "法庭", "电视台"),
)
# A source also names a folder, and a column is used as an SQL identifier.
IDENTIFIER = "^[a-z_][a-z0-9_]*$"
SHARE = r"^(0(\.\d+)?|1)$"
# Year first only: 4/1/2022 is April in one office and January in another.
TIMESTAMP_FORMATS = (
    *(
        f"{day}{time}"
        for day in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日")
        for time in (
            *(" %H:%M:%S", " %H:%M", "", " %I:%M:%S %p", " %I:%M %p"),
            *(" %p%I:%M:%S", " %p%I:%M", " %p %I:%M:%S", " %p %I:%M"),
        )
    ),
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y年%m月%d日%H时%M分",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
)


class Column(BaseModel):
    """One column: its canonical name, the headers it is known by, and how it is treated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=IDENTIFIER)
    label: str
    type: Literal["text", "integer", "timestamp", "code"]
    aliases: tuple[str, ...] = ()
    values: dict[str, str] = {}
    optional: bool = False
    personal: Literal["drop", "pseudonymise"] | None = None
    empty_tolerance: str = Field("0.5", pattern=SHARE)
    """The share of accepted rows that may leave this column empty, as decimal text."""
    pattern: str | None = None
    """What a written value looks like, whole; a row with another one is rejected."""

    @property
    def headers(self) -> tuple[str, ...]:
        """Every accepted header of this column; headers are compared exactly."""
        return (self.label, *self.aliases)


Variant = Literal["same", "different", "stop"]


class IdentityVariants(BaseModel):
    """Whether identities that differ only in this are the same; `stop`: the office decides first.

    Blanks, invisible marks and full-width characters never make another identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    letter_case: Variant = "stop"
    leading_zeros: Variant = "stop"
    """Of an identity of digits alone: 00123 and 123."""
    decimal_zero: Variant = "stop"
    """Of an identity of digits alone: 123.0 and 123."""


class Contract(BaseModel):
    """One source: its columns, and what identifies a row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(pattern=IDENTIFIER)
    label: str
    identity: tuple[str, ...]
    identity_variants: IdentityVariants = IdentityVariants()
    columns: tuple[Column, ...]
    optional: bool = False
    ignored_sheets: tuple[str, ...] = ()
    """Sheets of a workbook that hold no rows of this source."""
    max_cell_lines: int = Field(50, ge=1, le=1000)
    """Lines of one quoted cell of a text file: more is a quote that was never closed."""
    not_records: tuple[str, ...] = NOT_RECORDS
    """How the first filled cell of a total row or a footnote begins."""
    empty: tuple[str, ...] = EMPTY
    """Written values that mean that a cell is empty."""
    timestamp_formats: tuple[str, ...] = TIMESTAMP_FORMATS
    """How times may be written, as strptime formats."""
    excel_serial_dates: Literal[1900, 1904] | None = None
    """The date system of numbers in time columns; null: a number isn't a time."""
    rejected_tolerance: str = Field("0", pattern=SHARE)
    """The share of rejected rows that warns instead of stopping, as decimal text."""
    conflicting_tolerance: str = Field("0.05", pattern=SHARE)
    """The share of rows that may be overruled by another row of the same identity."""
    duplicate_tolerance: str = Field("0.1", pattern=SHARE)
    """The share of rows that may repeat another row exactly."""
    out_of_scope_tolerance: str = Field("0.02", pattern=SHARE)
    """The share of rows that may have no activity in the period; totals and footnotes aside."""
    change_tolerance: str = Field("1", pattern=r"^\d+(\.\d+)?$")
    """How far the items due may change since the last published period, in relation to the smaller
    of the two counts: 1 allows from half to double."""
    time_zone: str | None = None
    """The zone of the times: one with an offset from UTC becomes its wall time; null: such a time
    isn't read."""
    conflict: Literal["later_row", "later_file_then_later_row", "stop"] = "later_row"
    """Which row of one identity stands; `stop`: the office decides first. Files are ordered by
    name; with `later_row` the office decides where files differ."""
    unfit_tolerance: str = Field("0.5", pattern=SHARE)
    """The share of a column's written values that may not fit it before the file is refused."""
    personal_shapes: tuple[str, ...] = PERSONAL_SHAPES
    """What may stand in no kept column, as patterns; an ID card's last digit is checked, too."""
    unit_endings: tuple[str, ...] = UNIT_ENDINGS
    """How the name of a unit ends: one that no alias knows is shown if it ends so."""
    plausible_years: tuple[int, int] | None = None
    """The first and the last year that a time may have without being shown as an anomaly."""
    shortest_handling_minutes: int | None = Field(None, ge=0)
    """What is finished sooner than this after its dispatch is shown as an anomaly."""
    layouts: tuple[Layout, ...] = ()
    """How documents of this source are written; read from the folder `layouts` beside this one."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Contract":
        names = [column.name for column in self.columns]
        headers = [text for column in self.columns for text in column.headers]
        for what, repeated in (("name", names), ("header", headers)):
            if twice := sorted({text for text in repeated if repeated.count(text) > 1}):
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        if unknown := sorted(set(self.identity) - set(self.kept_columns)):
            raise ValueError(f"identity isn't a kept column: {', '.join(unknown)}")
        for text in self.timestamp_formats:
            if ("%p" in text) != ("%I" in text) or ("%p" in text and "%H" in text):
                raise ValueError(f"timestamp_formats: %I and %p go together, without %H: {text}")
        for pattern in (*self.personal_shapes, *(c.pattern for c in self.columns if c.pattern)):
            _check_pattern(pattern)
        if self.time_zone and self.time_zone not in available_timezones():
            raise ValueError(f"unknown time_zone: {self.time_zone}")
        return self

    @property
    def kept_columns(self) -> list[str]:
        """Canonical names of the columns that ingest keeps, in contract order."""
        return [column.name for column in self.columns if column.personal != "drop"]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the contract's content; if it changes, lake files are written again."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def misfit(self, header: Sequence[str]) -> tuple[list[str], list[str]]:
        """Compare with a file's header: (missing labels, surplus or repeated headers)."""
        known = {text for column in self.columns for text in column.headers}
        missing = [
            column.label
            for column in self.columns
            if not column.optional and not set(column.headers) & set(header)
        ]
        surplus = [text for text in header if text not in known]
        for column in self.columns:
            surplus += [text for text in header if text in column.headers][1:]
        return missing, surplus


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a pattern: {pattern}") from error


def load_contracts(folder: Path) -> dict[str, Contract]:
    """Read every contract of a folder, by source name in file order.

    Raises:
        InputError: a file isn't a valid contract, or there is no file.
    """
    contracts = {}
    for path in sorted(folder.glob("*.yml")):
        expected = "exports/contracts 下其他契约的写法"
        contract = load_settings_file(path, Contract, "bad_contract", expected)
        if contract.source == "bulletin":
            layouts = load_layouts(folder.parent / "layouts")
            contract = contract.model_copy(update={"layouts": layouts})
        _check_identity(contract, path)
        contracts[contract.source] = contract
    if not contracts:
        raise InputError(
            code="no_contract",
            found=f"{folder.name} 中没有契约",
            expected="每个来源一个 .yml 文件",
            action="补上契约文件，或改正 HOTLINE_EXPORTS",
        )
    return contracts


def _check_identity(contract: Contract, path: Path) -> None:
    """Refuse an identity that the models don't support."""
    choices = identities().get(contract.source, [])
    if not choices or contract.identity in choices or choices[0][0] not in contract.kept_columns:
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("identity"))
    raise InputError(
        code="bad_contract",
        file=f"contracts/{path.name}",
        row=line,
        found=f"identity 为 [{', '.join(contract.identity)}]，模型不能按这些列区分各行",
        expected="、".join(f"[{', '.join(choice)}]" for choice in choices),
        action="改正契约文件后重新运行",
    )


def hash_key() -> bytes:
    """The key of pseudonyms and of the list of erasures, from `HOTLINE_HASH_KEY`.

    Raises:
        InputError: it isn't set, or so short that every key could be tried.
    """
    key = os.environ.get("HOTLINE_HASH_KEY", "")
    if not key:
        raise InputError(
            code="missing_hash_key",
            found="契约要求假名化，或有已遗忘的记录，但没有密钥",
            expected="环境变量 HOTLINE_HASH_KEY",
            action="设好密钥后重新运行；各季度使用同一密钥，并妥善保管",
        )
    if len(key) < SHORTEST_KEY:
        raise InputError(
            code="weak_hash_key",
            found=f"密钥只有 {len(key)} 个字符，可以逐个试出来",
            expected=f"至少 {SHORTEST_KEY} 个字符，随机生成",
            action="换一个随机密钥，例如 openssl rand -hex 32 的输出，并妥善保管",
        )
    return key.encode()
