"""A document type is found wherever it is declared, with whichever expat there is."""

import io
import subprocess
import sys
from pathlib import Path
from xml.parsers import expat

import pytest

from orchestration.reading.archives import has_doctype

DECLARED = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
SIZES = (0, 100, 60_000, (1 << 16) - 40, 1 << 16, 1 << 20, 1 << 23)
DEBIAN = Path("/usr/bin/python3")


def document(size, declared=DECLARED, encoding="utf-8"):
    comment = b"<!--" + b"x" * size + b"-->"
    text = b'<?xml version="1.0"?>' + comment + declared + b"<x/>"
    return text.decode().encode(encoding)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_is_found_behind_a_comment(size, encoding):
    assert has_doctype(io.BytesIO(document(size, encoding=encoding)))
    assert not has_doctype(io.BytesIO(document(size, b"", encoding)))


def test_it_is_found_where_the_rest_is_missing():
    # What ends within the declaration is not well-formed: its own reader refuses it.
    for size in SIZES:
        whole = document(size)
        assert has_doctype(io.BytesIO(whole[: whole.index(b"<x/>")]))


@pytest.mark.parametrize("python", sorted({DEBIAN, Path(sys.executable)}))
def test_with_the_systems_own_expat(python):
    if not python.exists():
        pytest.skip(f"no {python} here")
    source = Path(has_doctype.__code__.co_filename).read_text(encoding="utf-8")
    start = source.index("class _DocumentType")
    code = (
        "import io\nfrom collections.abc import Callable\nfrom typing import IO\n"
        "from xml.parsers.expat import ExpatError, ParserCreate\nHEAD = 1 << 16\n"
        + source[start : source.index("def xlsx_sheets")]
        + f"for size in {SIZES}:\n"
        f"    whole = b'<!--' + b'x' * size + b'-->' + {DECLARED!r} + b'<x/>'\n"
        "    assert has_doctype(io.BytesIO(whole)), size\n"
    )
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{python} ({expat.EXPAT_VERSION} here): {done.stderr}"
