"""Inputs for fuzzing: real files with bytes changed, whole or inside an archive; trees of YAML."""

import io
import zipfile

import yaml
from hypothesis import strategies as st

# What readers trip over: delimiters, marks of encodings, numbers that nobody counts up to, XML.
TOKENS = [
    *(b"\0", b'"', b'""', b",", b"\t", b";", b"\r", b"\n", b"\r\n", b"\xff", b"\xff\xfe"),
    b"\xef\xbb\xbf",
    *(b"\x1b[2J", b"\xe2\x80\xae", b"=1+1", b"../", b"'", b"\\", b"%", b"-1", b"0", b"99999999999"),
    *(b"1e999", b"nan", b"2022-13-45", b"<", b">", b"</", b"/>", b"&", b"&#0;", b"&a;", b"<!--"),
    *(b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b'<?xml version="1.0" encoding="UTF-16"?>', b"<w:tbl>"),
    *(b"]]>", b"<w:tr>", b"<w:tc>", b'<w:gridSpan w:val="9999999"/>'),
    b"<table><tr><td colspan=99999 rowspan=99999>",
    *(b'r="XFD1048576"', b't="s"', b"<v>99999999</v>", b'table:number-rows-repeated="99999999"'),
    "合计".encode(), "注：".encode(), "附件1".encode(), "第九季度".encode(), "²".encode(),
    "合计".encode("gb18030"), "12345件".encode(), "９".encode(),
]  # fmt: skip

_place = st.integers(0, 2**31)
_edit = st.tuples(
    st.sampled_from(["flip", "cut", "drop", "insert", "insert", "replace", "repeat"]),
    _place,
    _place,
    st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=8),
)
edits = st.lists(_edit, min_size=1, max_size=8)


def edited(data, changes):
    """Bytes after a list of edits."""
    for kind, place, more, token in changes:
        at = place % (len(data) + 1)
        length = more % 64 + 1
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << more % 8)]) + data[at + 1 :]
        elif kind == "cut" and more % 4 == 0:  # else little would ever be left
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + length :]
        elif kind == "insert":
            data = data[:at] + token + data[at:]
        elif kind == "replace":
            data = data[:at] + token + data[at + len(token) :]
        elif kind == "repeat":
            data = data[:at] + data[at : at + length] * (more % 50) + data[at + length :]
    return data


def in_archive(data, at, changes):
    """A zip archive with one member edited and everything else in order, checksums included."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        members = [info for info in old.infolist() if info.filename.endswith((".xml", ".rels"))]
        chosen = members[at % len(members)].filename
        for info in old.infolist():
            content = old.read(info)
            if info.filename == chosen:
                content = edited(content, changes)
            new.writestr(info.filename, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@st.composite
def files(draw, samples):
    """A (name, bytes) of the samples with edits, or bytes from nowhere under such a name."""
    name, data = draw(st.sampled_from(samples))
    how = draw(st.integers(0, 9))
    if how == 0:
        return name, draw(st.binary(max_size=600))
    changes = draw(edits)
    if zipfile.is_zipfile(io.BytesIO(data)) and how > 2:
        return name, in_archive(data, draw(_place), changes)
    return name, edited(data, changes)


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=20)
    | st.sampled_from(["(", "(?P<value>a)", "%q", "*", "Asia/Shanghai", "../../x", "\0", "²"])
)
_trees = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def _containers(tree):
    found = []
    if isinstance(tree, (dict, list)):
        found.append(tree)
        for inner in tree.values() if isinstance(tree, dict) else tree:
            found += _containers(inner)
    return found


@st.composite
def settings(draw, samples):
    """A (name, bytes) of YAML: a sample's tree with branches changed, its text edited, or noise."""
    name, data = draw(st.sampled_from(samples))
    how = draw(st.integers(0, 9))
    if how == 0:
        return name, draw(st.binary(max_size=200)) + draw(st.sampled_from([b"", b"[" * 2000]))
    if how < 4:
        return name, edited(data, draw(edits))
    tree = yaml.safe_load(data)
    for _ in range(draw(st.integers(1, 3))):
        places = _containers(tree)
        if not places:
            break
        place = places[draw(_place) % len(places)]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys)) if keys else None
        if key is None or (isinstance(place, dict) and draw(st.booleans())):
            if isinstance(place, dict):
                place[draw(st.text(max_size=8))] = draw(_trees)
            else:
                place.append(draw(_trees))
        elif draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(_trees)
    return name, yaml.safe_dump(tree, allow_unicode=True).encode()
