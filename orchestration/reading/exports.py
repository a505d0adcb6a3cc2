"""Opens export files as tables: how a file is read, and which contract its header fits.

Row numbers are those that Excel shows. What a column means doesn't belong here.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.reading.contracts import Contract
from orchestration.reading.documents import COLUMNS, DOCUMENTS, FOREIGN, STEM, read_document
from orchestration.reading.tables import (
    SHEET_ROWS,
    Part,
    RowRules,
    Table,
    clean_header,
    frames_of,
    header_candidates,
)
from orchestration.reading.text import text_heads, text_table
from orchestration.reading.workbooks import sheet_heads, sheet_table

# Limits of a header row: columns beyond the contract's, and characters.
SPARE, LONGEST = 3, 20
WORKBOOKS = (".xlsx", ".xls", ".ods")
SUFFIXES = (".csv", ".tsv", ".gz", *WORKBOOKS)


def is_export(path: Path) -> bool:
    """Whether a file of a quarter's folder is an export; of documents, only the bulletin is one."""
    suffix, is_hidden = path.suffix.lower(), path.name.startswith((".", "~$"))
    is_document = path.stem.lower() == STEM and suffix in (*DOCUMENTS, *FOREIGN)
    return not is_hidden and (suffix in SUFFIXES or is_document)


def find_parts(path: Path, contracts: dict[str, Contract]) -> list[Part]:
    """The tables of a file, each with the one contract that its header fits.

    Raises:
        InputError: a table fits no contract or more than one, or the file can't be read.
    """
    suffix = path.suffix.lower()
    if suffix in (*DOCUMENTS, *FOREIGN):
        return [_document_part(suffix)]
    if suffix in WORKBOOKS:
        try:
            return _sheet_parts(path, contracts)
        except InputError as error:
            # A bulletin's own tables aren't in long form, so layouts decide whether they fit.
            if (path.stem.lower(), error.code) == (STEM, "unknown_header") and STEM in contracts:
                return [_document_part(suffix)]
            raise
    closest: list[Sequence[str]] = []
    for head in text_heads(path):
        if found := _fitting(path, head.rows, contracts):
            source, header, last = found
            return [
                Part(
                    source,
                    header,
                    header_row=last + 1,
                    encoding=head.encoding,
                    delimiter=head.delimiter,
                    header_lines=head.lines[last],
                )
            ]
        closest += head.rows
    raise _unknown_header(path, closest, contracts)


def open_table(path: Path, part: Part, contract: Contract) -> Table:
    """The rows of a part; they are read while the frames are consumed.

    Raises (at once or while the frames are consumed):
        InputError: the file can't be read to its end.
    """
    rules = RowRules(contract, part.header)
    if part.is_document:
        # The folder's name is the expected quarter.
        figures = read_document(path, contract.layouts, path.parent.name, contract.ignored_sheets)
        rows = ((number, None, figure.cells) for number, figure in enumerate(figures, start=1))
        return Table(frames_of(rows, rules.width), part.encoding, lambda: len(figures))
    return (sheet_table if part.sheet else text_table)(path, part, rules)


def _document_part(suffix: str) -> Part:
    """The part for a bulletin document: its figures are rows, numbered in reading order."""
    return Part(STEM, COLUMNS, header_row=0, encoding=suffix.removeprefix("."), is_document=True)


def _sheet_parts(path: Path, contracts: dict[str, Contract]) -> list[Part]:
    parts = []
    heads = sheet_heads(path)
    ignored = {name for contract in contracts.values() for name in contract.ignored_sheets}
    for sheet in heads:
        if sheet.name in ignored:
            continue
        found = _fitting(path, sheet.rows, contracts, sheet.name)
        if not found:
            where = sheet.name if len(heads) > 1 else ""
            raise _unknown_header(path, sheet.rows, contracts, where, is_hidden=sheet.is_hidden)
        source, header, last = found
        if sheet.is_hidden:
            raise InputError(
                code="hidden_sheet",
                file=f"{path.name}，工作表「{sheet.name}」",
                found=f"隐藏的工作表，里面有「{contracts[source].label}」的数据",
                expected="看得见的工作表",
                action="核对后删去它，或取消隐藏后重新保存；"
                "不含数据的工作表登记在契约的 ignored_sheets",
            )
        parts.append(
            Part(
                source,
                header,
                header_row=last + 1,
                sheet=sheet.name,
                row_offset=sheet.position * SHEET_ROWS,
                filled_rows=sheet.filled_rows - sum(map(any, sheet.rows[: last + 1])),
            )
        )
    return parts


def _fitting(
    path: Path, rows: Sequence[Sequence[str]], contracts: dict[str, Contract], sheet: str = ""
) -> tuple[str, tuple[str, ...], int] | None:
    """The first header that fits a contract: (source, header, index of its last row)."""
    for last, header in header_candidates(rows):
        named = _without_blank_end(header)
        fitting = [
            source for source, contract in contracts.items() if contract.misfit(named) == ([], [])
        ]
        if len(fitting) > 1:
            raise _header_error(
                path,
                sheet,
                row=last + 1,
                column="",
                found=f"同时符合 {'、'.join(fitting)} 的契约",
                closest=contracts[fitting[0]],
            )
        if fitting:
            return fitting[0], header, last
    return None


def _without_blank_end(header: Sequence[str]) -> Sequence[str]:
    width = len(header)
    while width and not header[width - 1]:
        width -= 1
    return header[:width]


def _unknown_header(
    path: Path,
    rows: Sequence[Sequence[str]],
    contracts: dict[str, Contract],
    sheet: str = "",
    *,
    is_hidden: bool = False,
) -> InputError:
    """The error for an unknown header: the closest contract, and how the likeliest row differs."""
    headers = [_without_blank_end(clean_header(row)) for row in rows] or [()]
    closest, header = max(
        ((contract, header) for header in headers for contract in contracts.values()),
        key=lambda pair: _likeness(*pair),
    )
    missing, surplus = closest.misfit(header)
    shown = (
        surplus if _are_headers(missing, surplus, header) else [f"{len(surplus)} 列（内容不显示）"]
    )
    found = "；".join(
        text
        for text in (
            "工作表是隐藏的" if is_hidden else "",
            f"缺少列：{'、'.join(missing)}" if missing else "",
            f"多出或重复的列：{'、'.join(shown)}" if surplus else "",
        )
        if text
    )
    return _header_error(
        path,
        sheet,
        row=headers.index(header) + 1 if _likeness(closest, header)[0] else 1,
        column="、".join((missing + (shown if surplus else []))[:3]),
        found=found,
        closest=closest,
    )


def _are_headers(missing: Sequence[str], surplus: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a message may show unknown cells; a row of data may contain personal data.

    Most cells have to fit the contract, with at most `SPARE` more unknown cells than missing ones.
    The name of a column is short and has no digit, unlike a telephone number or an address.
    """
    return (
        len(surplus) * 2 < len(header)
        and len(surplus) <= len(missing) + SPARE
        and all(len(text) <= LONGEST and not re.search(r"\d", text) for text in surplus)
    )


def _header_error(
    path: Path, sheet: str, row: int, column: str, found: str, closest: Contract
) -> InputError:
    hint = "；不含数据的工作表登记在契约的 ignored_sheets" if sheet else ""
    return InputError(
        code="unknown_header",
        file=path.name + (f"，工作表「{sheet}」" if sheet else ""),
        row=row,
        column=column,
        found=found,
        expected=f"最接近的契约「{closest.label}」（contracts/{closest.source}.yml）的列名，逐字相同",
        action=f"改正列名重新导出；若来源系统改了列名，在契约的 aliases 里登记新列名{hint}",
    )


def _likeness(contract: Contract, header: Sequence[str]) -> tuple[int, int]:
    """Shared headers, then similarity in width, which helps if a file has no header."""
    known = {text for column in contract.columns for text in column.headers}
    return len(known & set(header)), -abs(len(contract.columns) - len(header))
