"""What can be wrong with what people give us, said so that they can mend it.

Only errors that a user can act on belong here; everything else is a bug and may show a traceback.
"""

from dataclasses import dataclass

from orchestration.outside import one_line


@dataclass
class InputError(Exception):
    """Unusable input: which file, row and column, what was found, what was expected, what to do.

    Texts are Chinese, for the district's data team; `code` is the stable English name. No value of
    a personal column may be passed in any field.
    """

    code: str
    found: str
    expected: str
    action: str
    file: str = ""
    row: int | None = None
    column: str = ""

    def __str__(self) -> str:
        place = [
            f"文件 {self.file}" if self.file else "",
            f"第 {self.row} 行" if self.row is not None else "",
            f"列「{self.column}」" if self.column else "",
        ]
        where = "，".join(part for part in place if part)
        return one_line(
            f"[{self.code}] {where + '：' if where else ''}{self.found}。"
            f"应为：{self.expected}。处理：{self.action}。"
        )
