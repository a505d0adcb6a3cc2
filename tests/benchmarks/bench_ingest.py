"""Exports to the raw lake, beside what the engines beneath do bare with the same file.

Ours includes everything: hash, header, strict decoding, the proof of every row, an independent
count, dropping personal columns. Run by `make bench`.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import xlsxwriter
from python_calamine import CalamineWorkbook
from timing import Work, measure, report

from orchestration.common.quarters import Quarter
from orchestration.common.settings import DBT_PROJECT, Home, contracts_root
from orchestration.ingest.lake import ingest_source
from orchestration.reading.contracts import Contract, load_contracts
from orchestration.sample import synthesise

QUARTER = Quarter(2022, 2)
MAX_SHEET_ROWS = 100_000


def ticket() -> Contract:
    return load_contracts(contracts_root())["ticket"]


def ingest(exports: Path) -> None:
    with TemporaryDirectory(dir=exports) as home:
        (file,) = ingest_source(Home(Path(home)), exports, QUARTER, {"ticket": ticket()}, "ticket")
        assert file.row_count == file.counted_row_count > 0


def duckdb_copy(path: Path) -> None:
    """Bare: the same columns as text, nothing proved."""
    kept = [column.label for column in ticket().columns if column.personal != "drop"]
    names = ", ".join(f'"{name}"' for name in kept)
    target = path.with_suffix(".parquet")
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"copy (select {names} from read_csv('{path}', all_varchar = true)) "
            f"to '{target}' (format parquet)"
        )
    target.unlink()


def calamine_read(path: Path) -> None:
    CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()


def write_exports(folder: Path, tickets: int) -> dict[str, Path]:
    """The same synthetic tickets as an office may send them, an exports folder each."""
    paths = {
        name: folder / name / str(QUARTER) / f"ticket.{'xlsx' if name == 'xlsx' else 'csv'}"
        for name in ("utf8", "quoted", "gb18030", "xlsx")
    }
    for path in paths.values():
        path.parent.mkdir(parents=True)
    made = folder / "made"
    synthesise(tickets, str(QUARTER), DBT_PROJECT / "seeds", contracts_root(), made)
    (made / "ticket.csv").rename(paths["utf8"])
    frame = pl.scan_csv(paths["utf8"], infer_schema=False)
    frame.sink_csv(paths["quoted"], quote_style="always", line_terminator="\r\n")
    with (
        paths["utf8"].open(encoding="utf-8-sig", newline="") as source,
        paths["gb18030"].open("w", encoding="gb18030", newline="") as target,
    ):
        target.writelines(source)
    with xlsxwriter.Workbook(str(paths["xlsx"]), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        rows = frame.head(MAX_SHEET_ROWS).collect()
        for number, row in enumerate([rows.columns, *rows.iter_rows()]):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(number, place, cell)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Home.current().root / "bench")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=options.out) as folder:
        paths = write_exports(Path(folder), options.tickets)
        works = [
            Work("DuckDB COPY, UTF-8", duckdb_copy, (paths["utf8"],)),
            Work("UTF-8 CSV", ingest, (paths["utf8"].parents[1],), "DuckDB COPY, UTF-8", 1.0),
            Work("GB18030 CSV", ingest, (paths["gb18030"].parents[1],), "DuckDB COPY, UTF-8", 0.5),
            Work("DuckDB COPY, all quoted", duckdb_copy, (paths["quoted"],)),
            Work(
                "UTF-8 CSV, all quoted",
                ingest,
                (paths["quoted"].parents[1],),
                "DuckDB COPY, all quoted",
            ),
            Work("calamine, XLSX", calamine_read, (paths["xlsx"],)),
            Work("XLSX", ingest, (paths["xlsx"].parents[1],), "calamine, XLSX", 0.8),
        ]
        results = measure(works, options.rounds)
        sheet_rows = min(options.tickets, MAX_SHEET_ROWS)
        title = f"Ingest: {options.tickets} tickets ({sheet_rows} in the workbook)"
        report("ingest", title, results, options.out)


if __name__ == "__main__":
    main()
