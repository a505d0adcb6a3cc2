"""Checks of a site's business rules (seeds) before anything reads them.

The tests of a seed are declared once, in `models/_seeds.yml`. dbt runs them in the warehouse and
this module runs them on the files, so that broken rules end a run with a message that names file,
row, column and remedy. Expressions (`holds`) are left to dbt.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import yaml

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.safe_text import one_line
from orchestration.common.settings import CONTROLS, DBT_PROJECT

DECLARED = DBT_PROJECT / "models" / "_seeds.yml"
# Columns that may be blank, such as comments and the figures that a discrepancy doesn't have.
OPTIONAL = {
    *("valid_to", "note", "unit_alias.evaluation_group"),
    *("published_measure.mart", "published_measure.subject", "published_measure.measure"),
    *("known_discrepancy.expected", "known_discrepancy.difference", "comparative_figure.evidence"),
}
# The most bytes of one seed: rules have a few thousand rows.
MAX_SEED = 1 << 26


@dataclass(frozen=True)
class Seed:
    """A seed's rows as text, each with the row number that a spreadsheet shows."""

    path: Path
    rows: Sequence[tuple[int, Mapping[str, str]]]

    @property
    def name(self) -> str:
        """The seed's name in dbt."""
        return self.path.stem

    def refuse(
        self, found: str, expected: str, row: int | None = None, column: str = ""
    ) -> NoReturn:
        """Refuse the seed."""
        raise InputError(
            code="bad_seed",
            file=f"seeds/{self.path.name}",
            row=row,
            column=column,
            found=found,
            expected=expected,
            action="改正后重新运行",
        )


def check_rules(folder: Path) -> None:
    """Check every seed of a site.

    Raises:
        InputError: a seed is missing or unreadable, or fails a declared test.
    """
    needed = sorted(path.name for path in (DBT_PROJECT / "seeds").glob("*.csv"))
    if missing := [name for name in needed if not (folder / name).is_file()]:
        raise InputError(
            code="missing_seed",
            file=f"{folder.parent.name}/{folder.name}/",
            found=f"缺少 {'、'.join(missing)}",
            expected="每个业务规则一个 .csv，列与 dbt_project/seeds 中的相同；没有内容的只留列名",
            action="补上文件，或改正 HOTLINE_SITE",
        )
    seeds = {Path(name).stem: _read(folder / name) for name in needed}
    seeds["control"] = _read(CONTROLS)
    for seed in seeds.values():
        _check_cells(seed)
    for seed in seeds.values():
        for test, arguments in _tests(seed.name):
            CHECKS[test](seed, seeds, arguments)


def check_policy(folder: Path, quarter: str) -> None:
    """Check that an index policy is in force on the last day of a quarter.

    Raises:
        InputError: no policy is in force, or it has no item.
    """
    day = str(Quarter.parse(quarter).end - timedelta(days=1))
    names = ("index_policy", "index_policy_item")
    policies, items = (_read(folder / f"{name}.csv") for name in names)
    held = [
        row["policy_version"]
        for _, row in policies.rows
        if row["valid_from"] <= day and (not row["valid_to"] or row["valid_to"] >= day)
    ]
    if not held:
        policies.refuse(f"没有一个方案在 {quarter} 的最后一天（{day}）有效", "恰有一个有效的方案")
    if not any(row["policy_version"] == held[0] for _, row in items.rows):
        items.refuse(f"方案 {held[0]} 没有评分项", "每个方案至少一个评分项，权重合计为 1")


def _read(path: Path) -> Seed:
    """Read a seed; check its header and the number of cells in each row."""
    own = DBT_PROJECT / "seeds" / path.name
    wanted = _header(own if own.is_file() else path)
    empty = Seed(path, [])
    expected = f"UTF-8 编码的 CSV，列名为 {'、'.join(wanted)}"
    try:
        if path.stat().st_size > MAX_SEED:
            empty.refuse("文件过大", "几千行以内的规则")
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            # A line break inside a cell would shift later row numbers; `_check_cells` refuses it.
            rows = [(number, cells) for number, cells in enumerate(lines, start=2) if any(cells)]
    except (UnicodeDecodeError, csv.Error):
        empty.refuse("无法读取：不是 UTF-8，或引号不成对", expected)
    if sorted(header) != sorted(wanted):
        missing = [name for name in wanted if name not in header]
        surplus = [name for name in header if header.count(name) > 1 or name not in wanted]
        empty.refuse(
            "；".join(
                f"{what} {'、'.join(names)[:200]}"
                for what, names in (("缺少列", missing), ("多出或重复的列", surplus))
                if names
            ),
            expected,
            1,
        )
    for number, cells in rows:
        if len(cells) != len(header):
            empty.refuse(f"有 {len(cells)} 格", f"与列名相同的 {len(header)} 格", number)
    return Seed(path, [(number, dict(zip(header, cells, strict=True))) for number, cells in rows])


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file), [])


@cache
def _declared() -> dict[str, dict[str, Any]]:
    seeds = yaml.safe_load(DECLARED.read_text(encoding="utf-8"))["seeds"]
    return {seed["name"]: seed for seed in seeds}


def _tests(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The declared tests of a seed that this module can check, each with its arguments."""
    declared = _declared().get(name, {})
    columns = [({"column": one["name"]}, one) for one in declared.get("columns", ())]
    owners: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, declared), *columns]
    for given, owner in owners:
        for entry in owner.get("data_tests", ()):
            ((test, options),) = entry.items() if isinstance(entry, dict) else [(entry, {})]
            if test in CHECKS:
                yield test, given | (options or {}).get("arguments", {})


def _check_cells(seed: Seed) -> None:
    """Check that each cell is printable and of its column's type, and blank only where allowed.

    The cells are used in pages, in file names and in rows of documents.
    """
    types = _declared().get(seed.name, {}).get("config", {}).get("column_types", {})
    for number, row in seed.rows:
        for column, text in row.items():
            if one_line(text) != text:
                seed.refuse(
                    "有不能印出的符号", "没有控制符、换行、改变书写方向的符号", number, column
                )
            if column == "unit_code" and not re.fullmatch("[A-Za-z0-9_-]*", text):
                seed.refuse(
                    f"代码 {text[:40]} 含有别的字符", "只用字母、数字、_、- 的代码", number, column
                )
            if not text:
                if not {column, f"{seed.name}.{column}"} & OPTIONAL:
                    seed.refuse("空白", "有内容的一格", number, column)
            elif (expected := _misfit(text, types.get(column, "string"))) is not None:
                seed.refuse(f"“{text[:40]}”", expected, number, column)
            elif column == "quarter":
                Quarter.parse(text)


def _misfit(text: str, kind: str) -> str | None:
    """The form that a column's type expects, in Chinese; None if the text fits."""
    if kind == "date":
        try:
            fits = text == str(date.fromisoformat(text))
        except ValueError:
            fits = False
        return None if fits else "2022-04-01 这样的日期"
    if kind == "integer":
        return None if re.fullmatch(r"-?[0-9]{1,9}", text) else "整数"
    if kind == "boolean":
        return None if text.lower() in ("true", "false") else "true 或 false"
    if found := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        digits, decimals = int(found[1]), int(found[2])
        number = re.fullmatch(r"-?([0-9]+)(?:\.([0-9]+))?", text)
        fits = bool(
            number
            and len(number[1].lstrip("0")) <= digits - decimals
            and len((number[2] or "").rstrip("0")) <= decimals
        )
        return None if fits else f"至多 {decimals} 位小数的数"
    return None


def _key(row: Mapping[str, str], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(row[column] for column in columns)


def _periods(seed: Seed, _seeds: Mapping[str, Seed], arguments: Mapping[str, Any]) -> None:
    periods: dict[tuple[str, ...], list[tuple[str, str, int]]] = {}
    for number, row in seed.rows:
        if row["valid_to"] and row["valid_to"] < row["valid_from"]:
            seed.refuse(
                f"{row['valid_from']} 至 {row['valid_to']}",
                "不早于 valid_from 的日期",
                number,
                "valid_to",
            )
        kept = periods.setdefault(_key(row, arguments["key"]), [])
        kept.append((row["valid_from"], row["valid_to"], number))
    for key, kept in periods.items():
        for (_, end, earlier), (start, _, later) in pairwise(sorted(kept)):
            if not end or end >= start:
                what = "、".join(filter(None, key)) or "方案"
                seed.refuse(
                    f"{what} 与第 {earlier} 行的有效期重叠",
                    "同一项的有效期先后相接，不重叠（前一行填 valid_to）",
                    later,
                    "valid_from",
                )


def _unique(seed: Seed, _seeds: Mapping[str, Seed], arguments: Mapping[str, Any]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for number, row in seed.rows:
        key = _key(row, arguments["columns"])
        if (first := seen.setdefault(key, number)) != number:
            columns = "、".join(arguments["columns"])
            seed.refuse(f"与第 {first} 行重复（{columns}）", "各行不同", number, columns)


def _accepted(seed: Seed, _seeds: Mapping[str, Seed], arguments: Mapping[str, Any]) -> None:
    values = [str(value) for value in arguments["values"]]
    for number, row in seed.rows:
        if row[arguments["column"]] not in values:
            found = f"“{row[arguments['column']][:40]}”"
            seed.refuse(found, "、".join(values), number, arguments["column"])


def _related(seed: Seed, seeds: Mapping[str, Seed], arguments: Mapping[str, Any]) -> None:
    target = re.sub(r"ref\('(\w+)'\)", r"\1", arguments["to"])
    known = {row[arguments["field"]] for _, row in seeds[target].rows}
    for number, row in seed.rows:
        text = row[arguments["column"]]
        if text and text not in known:
            expected = f"{target}.csv 的 {arguments['field']} 中有的一个"
            seed.refuse(f"“{text[:40]}”没有登记", expected, number, arguments["column"])


def _weights(seed: Seed, _seeds: Mapping[str, Seed], arguments: Mapping[str, Any]) -> None:
    sums: dict[str, Decimal] = {}
    for _, row in seed.rows:
        policy = row[arguments["policy"]]
        sums[policy] = sums.get(policy, Decimal()) + Decimal(row["weight"])
    for policy, total in sums.items():
        if total != 1:
            seed.refuse(f"方案 {policy} 的权重合计为 {total}", "合计为 1", column="weight")


CHECKS = {
    "periods_do_not_overlap": _periods,
    "unique_combination": _unique,
    "accepted_values": _accepted,
    "relationships": _related,
    "weights_sum_to_one": _weights,
}
