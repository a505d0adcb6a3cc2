"""Value guards: checks of the kept columns' values before any row is written to the lake.

A header over the wrong column would store names and telephone numbers in a column that isn't marked
personal. So each block of rows is checked against the contract between its reader and the lake:

- If an identity or a text doesn't fit, or looks like a telephone or ID-card number, the row is
  marked as rejected and its cells are emptied.
- If a unit, code or time can't be valid, the cell becomes `WITHHELD`, and staging rejects the row.
- If more than the contract's share of a column doesn't fit, the whole file is refused.

Messages contain counts, columns and row numbers, never a value.
"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from threading import Lock

import polars as pl
from rapidfuzz import fuzz, process

from orchestration.common.errors import InputError
from orchestration.reading.canonical import BLANKS, canonical_identity, clean_text, is_identity
from orchestration.reading.contracts import Column, Contract
from orchestration.reading.tables import ROW_DEFECT, ROW_NUMBER

# The column that staging looks up among the aliases.
UNIT = "unit_name"
# Written to the lake in place of a cell that doesn't fit its column.
WITHHELD = "〔不符，内容不保留〕"
UNLIKELY = "unlikely_value"
# Row defects; after `::` comes the column.
PERSONAL = "personal_value"
# Similarity (rapidfuzz, 0 to 100) from which an unknown name counts as a mistyped unit.
LIKE_AN_ALIAS = 60
RESIDENT_ID = re.compile(r"\d{17}[\dXx]", re.ASCII)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
# The non-ASCII letters that a time may have; the formats of a contract add their own.
TIME_LETTERS = "年月日时分秒点上下午中早晚周星期一二三四五六天"
# Values that need no slow check: common times, and numbers whose length or first characters no
# telephone number and no ID card has.
SHORT_TIME = len("2022-04-01 09:05:00")
PLAIN_TIME = (
    r"^(?:(?:19|20)[0-9]{2}[-/.年]?[0-9][-0-9/:. T年月日时分秒]{0,24}"
    r"|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:19|20)[0-9]{2}[ 0-9:.APM]*|[0-9]{5}(?:\.[0-9]+)?)?$"
)
PLAIN_NUMBER = "^(?:[A-Za-z]{1,8}[0-9]{2,}|[1-9][0-9]{0,9}|(?:19|20)[0-9]{10,})?$"
# Seven digits with nothing but blanks or dashes between them.
MANY_DIGITS = r"[0-9０-９](?:[-‐－—\s]*[0-9０-９]){6}"
# An unknown name that looks like a unit's: it is kept, and shown.
UNKNOWN = "unknown"


@dataclass
class Guards:
    """The guards of one file, and their findings in the blocks checked so far."""

    contract: Contract
    file: str
    aliases: frozenset[str]
    """Names of units without blanks; empty where no alias table applies."""
    unfit: Counter[str] = field(default_factory=Counter)
    first_row: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A block of lake rows without the values that don't fit."""
        suspects = frame.select(self._suspects)
        for name, is_any in suspects.select(pl.all().any()).row(0, named=True).items():
            if is_any:
                frame = self._judged(frame, self._columns[name], suspects[name])
        return frame

    def prove(self, rows: Path) -> None:
        """Refuse the file if too many values of a column don't fit.

        Args:
            rows: the Parquet file that is to be moved into the lake.

        Raises:
            InputError: names the first such column.
        """
        for name in self._columns:
            if not (unfit := self.unfit[name]):
                continue
            written = pl.scan_parquet(rows).select(_is_written(name).sum()).collect().item()
            if not self._keeps(name):
                written += unfit
            if unfit > Decimal(self.contract.unfit_tolerance) * written:
                raise self._refusal(self._columns[name], unfit, written)

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {c.name: c for c in self.contract.columns if c.personal is None}

    @cached_property
    def _suspects(self) -> list[pl.Expr]:
        """For each column, which values don't pass the fast check."""
        return [
            (~self._is_plain(column)).fill_null(value=False).alias(name)
            for name, column in self._columns.items()
        ]

    @cached_property
    def _shapes(self) -> re.Pattern[str]:
        shapes = "|".join(self.contract.personal_shapes)
        return re.compile(rf"(?<![0-9A-Za-z])(?:{shapes})(?![0-9A-Za-z])", re.ASCII)

    @cached_property
    def _endings(self) -> re.Pattern[str]:
        endings = "|".join(map(re.escape, self.contract.unit_endings))
        return re.compile(rf"(?:{endings})(?:[（(][^（()）]*[）)])?$")

    def _keeps(self, name: str) -> bool:
        """Whether a row stays when its cell in this column doesn't fit."""
        column = self._columns[name]
        return column.type in ("code", "timestamp") or self._is_unit(column)

    def _is_unit(self, column: Column) -> bool:
        return column.name == UNIT and bool(self.aliases)

    def _is_plain(self, column: Column) -> pl.Expr:
        """The fast check; it runs on every value, so it has to be cheap."""
        written = pl.col(column.name)
        if self._is_unit(column):
            return written.is_in([*self.aliases, ""])
        if column.type == "code":
            return written.is_in([*column.values, *self.contract.empty, ""])
        if column.type == "timestamp":
            is_short = written.str.len_bytes() <= SHORT_TIME
            return (written.str.starts_with("20") & is_short) | (written == "")
        if column.pattern:  # a leading letter rules out a telephone or ID-card number
            return (written >= "A") & written.str.contains(f"^(?:{column.pattern})$")
        return ~written.str.contains(MANY_DIGITS)

    def _is_common(self, column: Column) -> pl.Expr:
        """A second check, of the values that failed the fast one; it too saves the slow check."""
        written = pl.col(column.name)
        if self._is_unit(column):
            return written.str.strip_chars(BLANKS).is_in([*self.aliases])
        if column.type == "timestamp":
            return written.str.contains(PLAIN_TIME)
        if column.type == "text" and column.name == self.contract.identity[0]:
            fits = written.str.contains(f"^(?:{column.pattern or '.*'})$")
            return fits & written.str.contains(PLAIN_NUMBER)
        return pl.lit(value=False)

    def _judged(self, frame: pl.DataFrame, column: Column, suspects: pl.Series) -> pl.DataFrame:
        rows = frame.select(ROW_NUMBER, column.name).filter(suspects).drop_nulls()
        rows = rows.filter(~self._is_common(column))
        if rows.is_empty():
            return frame
        numbers, texts = rows[ROW_NUMBER], rows[column.name]
        judge = self._judge(column)
        verdicts = {text: judge(plain(text)) for text in texts.unique()}
        found = [(n, v) for n, text in zip(numbers, texts, strict=True) if (v := verdicts[text])]
        if not found:
            return frame
        with self._lock:  # blocks are checked in parallel
            self.unfit[column.name] += len(found)
            first = self.first_row.setdefault(column.name, found[0][0])
            self.first_row[column.name] = min(first, found[0][0])
        marked = {n: v for n, v in found if v is not UNKNOWN}
        if not marked:
            return frame
        is_marked = pl.col(ROW_NUMBER).is_in(list(marked))
        if self._keeps(column.name):
            cell = pl.when(is_marked).then(pl.lit(WITHHELD)).otherwise(column.name)
            return frame.with_columns(cell.alias(column.name))
        defect = pl.col(ROW_NUMBER).replace_strict(
            {n: f"{v}::{column.name}" for n, v in marked.items()},
            default=None,
            return_dtype=pl.String,
        )
        kept = pl.when(~is_marked).then(pl.col(self.contract.kept_columns))
        return frame.with_columns(kept, pl.coalesce(ROW_DEFECT, defect).alias(ROW_DEFECT))

    def _judge(self, column: Column) -> Callable[[str], str | None]:
        """The slow check of a column's values, which gives a defect, `UNKNOWN` or None."""
        empty = {"", *map(plain, self.contract.empty)}
        codes = set(map(plain, column.values))
        letters = set(TIME_LETTERS) | {
            letter for text in self.contract.timestamp_formats for letter in text
        }
        aliases, pattern = sorted(self.aliases), re.compile(column.pattern or "", re.ASCII)

        def unit(text: str) -> str | None:
            key = "".join(text.split())
            if key in self.aliases:
                return None
            if self.is_personal(text):
                return PERSONAL
            is_like = self._endings.search(key) or process.extractOne(
                key, aliases, scorer=fuzz.ratio, score_cutoff=LIKE_AN_ALIAS
            )
            return UNKNOWN if is_like else UNLIKELY

        def time(text: str) -> str | None:
            odd = {c for c in text if not (c.isascii() or c.isspace())} - letters
            is_time = any(c.isdigit() for c in text) and not odd
            return UNLIKELY if not is_time or self.is_personal(text) else None

        def judge(text: str) -> str | None:
            if text in empty:
                return None
            if self._is_unit(column):
                return unit(text)
            if column.type == "code":
                return None if text in codes else UNLIKELY
            if column.type == "timestamp":
                return time(text)
            if self.is_personal(text):
                return PERSONAL
            if not column.pattern:
                return None
            number = canonical_identity(text, self.contract)
            if number.isascii() and not is_identity(number):
                return None  # staging reports errors, formulas and rounded numbers
            return None if pattern.fullmatch(number) else UNLIKELY

        return judge

    def is_personal(self, text: str) -> bool:
        """Whether a text contains what looks like a telephone or ID-card number."""
        return any(
            not RESIDENT_ID.fullmatch(hit[0]) or _checks(hit[0])
            for hit in self._shapes.finditer(text)
        )

    def _refusal(self, column: Column, unfit: int, written: int) -> InputError:
        share = Decimal(self.contract.unfit_tolerance) * 100
        return InputError(
            code="unlikely_column",
            file=self.file,
            column=column.label,
            found=f"写有内容的 {written} 行中，{unfit} 行不像这一列的内容（内容不显示，"
            f"第一处在第 {self.first_row[column.name]} 行），整个文件没有接收",
            expected=f"{self._expectation(column)}；不符的不超过 {share.normalize():f}%",
            action="核对列名与内容是否对应（列名写错了位置，个人信息会进入别的列）后重新导出；"
            "确为新的写法的，先在契约或 unit_alias.csv 登记",
        )

    def _expectation(self, column: Column) -> str:
        if self._is_unit(column):
            return "unit_alias.csv 中的单位名称"
        if column.type == "code":
            return "契约 values 中的取值"
        if column.type == "timestamp":
            return "日期时间"
        shape = f"符合契约 pattern（{column.pattern}）的编号" if column.pattern else "文字"
        return f"{shape}，其中没有电话或身份证号"


def guards_for(contract: Contract, file: str, seeds: Path) -> Guards:
    """The guards of a file.

    Args:
        contract: the contract of the file.
        file: the file's name.
        seeds: the folder with `unit_alias.csv`.
    """
    has_units = contract.source != "bulletin" and UNIT in contract.kept_columns
    aliases = unit_aliases(seeds, contract.source) if has_units else frozenset()
    return Guards(contract, file, aliases)


def unit_aliases(seeds: Path, source: str) -> frozenset[str]:
    """Every name that a source may use for a unit, in any period, without blanks.

    Raises:
        InputError: the alias table is missing or unusable.
    """
    path = seeds / "unit_alias.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["source"], row["alias_name"]) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise InputError(
            code="bad_seed",
            file=path.name,
            found="读不到，或缺少列 source、alias_name",
            expected="各单位的名称与别名，UTF-8 的 CSV",
            action="改正业务规则中的这个文件后重新运行",
        ) from error
    names = {"".join(name.split()) for of, name in rows if of in ("*", source)}
    return frozenset(names | set(map(plain, names)))


def plain(text: str) -> str:
    """A value as it is checked: full-width characters as half-width, without invisible ones."""
    return unicodedata.normalize("NFKC", clean_text(text))


def _is_written(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars(BLANKS).str.len_bytes() > 0


def _checks(number: str) -> bool:
    """Whether the check digit of an ID-card number is right (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(number, WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()
