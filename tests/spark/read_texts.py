"""Read texts as an engine's macros do. Usage: read_texts.py ENGINE HOME; prints JSON.

By engine and in one query: times, numbers, blanks and ratios, the things that engines spell apart.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import get_args

from dbt.cli.main import dbtRunner

from orchestration.common.settings import DBT_PROJECT, Engine, Home, contracts_root
from orchestration.reading.contracts import load_contracts
from orchestration.reading.value_forms import written_rules
from orchestration.warehouse import spark

TIMES = [
    *("2022-04-01 09:05:00", "2022/4/1 9:05", "2022-4-1  9:05", "2022年4月1日 9:05", "2022-04-01"),
    *(
        "2022年4月1日",
        "2022/4/1 下午3:05",
        "2022/4/1 3:05 PM",
        "2022-04-01 09:05:00+08",
        "２０２２／４／１　９：０５",
        "2022-04-01T09:05:00",
        "2022-04-01T01:05:00Z",
    ),
    *("2022-04-01 09:05:00+0800", "2022-04-01 09:05:00 -05:30", "44652", "44652.378", "44652.5"),
    *("2022-13-01", "2022-02-30", "2022-02-29", "2024-02-29", "2022-04-01 25:00", "20220401"),
    *("2022-04-01 24:00:00", "2022-04-01 09:60", "2022-04-01 09:05:60", "abc", "", "2022-4-1 0:00"),
]
NUMBERS = [
    *("1", "2.77%", "1,234", "1,23", "12,345.678", "-5", "＋３", "100％", "abc", "1e5", ".5", "5."),
    *("99999999999999", "0.0000005", "0.0000015", "12,345,678.9%", ""),
]
BLANKS = [
    *("　a b\t", "\xa0", "\ufeffx\u200b", "", "区 人\u3000社局"),
    *('="区\u202a人"', "\u2018x", "\u200e\u2019y\u00ad"),
]
IDENTITIES = ["YX1", '="YX1"', "Ｙ X\u200b１", "\u2018YX1", "001", "yx1", "1.0", "Ｙ＼１", '"YX1"']
RATIOS = [(1, 3), (-2, 3), (201, 20000), (0, 5), (5, 0), (1000000000000, 7), (19999, 20000)]


def question() -> str:
    """The query, in dbt's Jinja."""
    rules = written_rules(load_contracts(contracts_root())["ticket"])
    rules["serial_epoch"] = "1899-12-30"
    text = "cast({} as string)"
    asked = [
        ("t", _quoted(TIMES), "parse_timestamp('v', rules)", "parse_timestamp('v', rules, true)"),
        ("n", _quoted(NUMBERS), "parse_number('v')", "parse_number('v')"),
        ("b", _quoted(BLANKS), "clean_text('v', rules)", "name_key('v', rules)"),
        (
            "i",
            _quoted(IDENTITIES),
            "identity_text('v', rules)",
            "folded_identity(identity_text('v', rules), rules, 'stop')",
        ),
    ]
    selects = [
        f"select '{kind}{place:02d}' as place, {text.format('{{ ' + one + ' }}')} as one, "
        f"{text.format('{{ ' + other + ' }}')} as other from (select {value} as v) as written"
        for kind, values, one, other in asked
        for place, value in enumerate(values)
    ]
    selects += [
        f"select 'r{place:02d}', cast({{{{ ratio('n', 'd') }}}} as string), "
        f"cast({{{{ ratio('n', 'd', 18) }}}} as string) "
        f"from (select cast({n} as bigint) as n, cast({d} as bigint) as d) as counted"
        for place, (n, d) in enumerate(RATIOS)
    ]
    told = json.dumps(json.dumps(rules, ensure_ascii=False), ensure_ascii=False)
    return f"{{% set rules = fromjson({told}) %}}\n" + "\nunion all\n".join(selects)


def _quoted(texts: list[str]) -> list[str]:
    return [f"'{text}'" for text in texts]


def main(engine: str, home: Home) -> None:
    """Ask, and print what each text became."""
    assert engine in get_args(Engine)
    home.root.mkdir(parents=True, exist_ok=True)
    os.environ["HOTLINE_DATABASE"] = str(home.warehouse)
    if engine == "spark":
        os.environ["PYSPARK_SUBMIT_ARGS"] = spark.session_arguments(home)
    where = ("--project-dir", DBT_PROJECT, "--profiles-dir", DBT_PROJECT, "--target", engine)
    paths = ("--target-path", home.dbt_target, "--log-path", home.dbt_target)
    command = ["show", "--inline", question(), "--limit", "1000", "--quiet", *where, *paths]
    result = dbtRunner().invoke([str(word) for word in command])
    assert result.success, result.exception
    rows = result.result.results[0].agate_table.rows
    told = {row[0]: [_plain(cell) for cell in row[1:]] for row in rows}
    (home.root / "told.json").write_text(json.dumps(told, ensure_ascii=False))


def _plain(cell: object) -> str:
    """Java writes 0E-18 for a zero of eighteen decimals."""
    return re.sub(r"^-?0(E-\d+|\.0+)?$", "0", str(cell))


if __name__ == "__main__":
    main(sys.argv[1], Home(Path(sys.argv[2]).resolve()))
