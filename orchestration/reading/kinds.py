"""Detects what kind of file a file is by its content, and refuses one whose suffix is wrong."""

import re
import zipfile
from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.reading.tables import unreadable

HEAD = 1 << 12
TEXT = "文本文件"
XLS = "旧版 Excel 工作簿（.xls）"
# Identified by the first bytes.
SIGNATURES = (
    (b"%PDF", "PDF 文档"),
    (b"Rar!", "RAR 压缩包"),
    (b"7z\xbc\xaf\x27\x1c", "7z 压缩包"),
    (b"\x1f\x8b", "GZIP 压缩文件"),
    (b"{\\rtf", "RTF 文档"),
    (b"SQLite format 3", "SQLite 数据库"),
)
# Identified by a member of a ZIP archive.
MEMBERS = (
    ("xl/workbook.xml", "Excel 工作簿（.xlsx）"),
    ("xl/workbook.bin", "二进制 Excel 工作簿（.xlsb）"),
    ("word/document.xml", "Word 文档（.docx）"),
    ("content.xml", "OpenDocument 文件（.ods）"),
)
ARCHIVE = "ZIP 压缩包"
# Identified by the beginning of a text; the first match counts.
MARKUP = (
    (rb"^(mime-version:|from: <saved by|content-type: multipart/)", "单个文件网页（MHTML）"),
    (rb"^<.*(urn:schemas-microsoft-com:office:spreadsheet|excel\.sheet)", "Excel 2003 的 XML 表格"),
    (rb"^<(.*<)?(!doctype html|html|table|head|meta|style|body|div)[\s>/]", "网页（HTML）"),
    (rb"^<\?xml\s", "XML 文件"),
)
BY_SUFFIX = {".xlsx": MEMBERS[0][1], ".ods": MEMBERS[3][1], ".xls": XLS}


def check_text(path: Path, head: bytes) -> None:
    """Refuse another kind of file with the suffix of a CSV or TSV.

    Raises:
        InputError: the file is a workbook, a page, an archive or another known kind of file.
    """
    kind = _kind(path, head)
    if kind not in ("", TEXT):
        raise _wrong_format(path, kind, "CSV 或 TSV 文本")


def check_workbook(path: Path) -> None:
    """Refuse another kind of file with the suffix of a workbook; damaged files are left alone.

    Raises:
        InputError: the file is another known kind of file, or another kind of workbook.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    expected = BY_SUFFIX[path.suffix.lower()]
    kind = _kind(path, head)
    if kind not in ("", expected):
        raise _wrong_format(path, kind, expected)


def _kind(path: Path, head: bytes) -> str:
    """The kind of a file, in Chinese; empty if unknown."""
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return "" if path.suffix.lower() in BY_SUFFIX else ARCHIVE
        return next((kind for member, kind in MEMBERS if member in names), ARCHIVE)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "加密的工作簿（打开时要密码）" if _is_encrypted(path) else XLS
    text = head.lstrip(b"\xef\xbb\xbf\xff\xfe").replace(b"\0", b"").lstrip().lower()
    for pattern, kind in MARKUP:
        if re.search(pattern, text[:HEAD], re.DOTALL):
            return kind
    return TEXT if text and not re.search(rb"[\x01-\x08\x0e-\x1f]", head) else ""


def _is_encrypted(path: Path) -> bool:
    name = "EncryptedPackage".encode("utf-16-le")
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            if name in before + chunk:
                return True
            before = chunk[-len(name) :]
    return False


def _wrong_format(path: Path, kind: str, expected: str) -> InputError:
    error = unreadable(
        path, "wrong_format", f"后缀是 {path.suffix}，内容却是{kind}", f"{expected}，与后缀一致"
    )
    error.action = (
        "在 Excel 或 WPS 里打开核对后，另存为 .xlsx 或 CSV（UTF-8）；只是后缀不对的改后缀"
    )
    return error
