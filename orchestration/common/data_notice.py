"""The notice that comes with a quarter's exports, for example that they are a sample.

Every document made from these exports shows the notice. Real exports have no notice file.
"""

from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.common.safe_text import one_line

NOTICE = "notice.md"
NOTICE_ENGLISH = "notice.en.md"


def data_notice(exports: Path, quarter: str, name: str = NOTICE) -> str:
    """The notice on one line; empty if there is no notice file.

    Raises:
        InputError: the file isn't UTF-8.
    """
    path = exports / quarter / name
    try:
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise InputError(
            code="bad_notice",
            file=f"{quarter}/{name}",
            found="不是 UTF-8 编码的文本",
            expected="UTF-8 编码的一句话，印在每一页",
            action="另存为 UTF-8 后重新运行；没有要说明的就删去该文件",
        ) from error
    return one_line(" ".join(text.split()))
