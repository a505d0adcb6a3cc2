"""Files still being written are waited for; what isn't an export is not looked at."""

import os
import threading
import time

import pytest

from orchestration.common.errors import InputError
from orchestration.ingest import arrival


def test_a_growing_file_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(arrival, "STILL_SECONDS", 0.5)
    path = tmp_path / "ticket.csv"
    path.touch()

    def grow():
        for _ in range(10):
            time.sleep(0.1)
            with path.open("ab") as file:
                file.write(b"x" * 100)

    writer = threading.Thread(target=grow)
    writer.start()
    arrival.wait_until_still(tmp_path)
    assert path.stat().st_size == 1000
    writer.join()


def test_a_file_that_never_stands_still_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(arrival, "PATIENCE_SECONDS", 0.5)
    path = tmp_path / "ticket.csv"
    path.touch()
    done = threading.Event()

    def grow():
        while not done.is_set():
            path.write_bytes(b"x")
            time.sleep(0.05)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(InputError) as caught:
            arrival.wait_until_still(tmp_path)
    finally:
        done.set()
        writer.join()
    assert caught.value.code == "still_being_written" and "ticket.csv" in str(caught.value)


def test_files_at_rest_are_not_waited_for(tmp_path):
    for name, age in (("old.csv", 60), ("from a clock ahead.csv", -60)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (tmp_path / "~$open.xlsx").touch()
    began = time.monotonic()
    arrival.wait_until_still(tmp_path)
    arrival.wait_until_still(tmp_path / "no such folder")
    assert time.monotonic() - began < 1


def test_exports_are_told_from_other_files(tmp_path):
    for name in ("B.CSV", "a.csv.gz", "~$a.xlsx", ".a.csv.part", ".b.csv", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in arrival.exports_in(tmp_path)] == ["B.CSV", "a.csv.gz"]
    assert arrival.fingerprint(tmp_path).count("|") == 1


def unusable(folder):
    with pytest.raises(InputError) as caught:
        arrival.exports_in(folder)
    assert arrival.fingerprint(folder)  # the sensor looks on
    return caught.value


def test_what_is_no_file_is_refused_by_name(tmp_path):
    makers = {
        "pipe": os.mkfifo,
        "folder": lambda path: path.mkdir(),
        "link": lambda path: path.symlink_to(tmp_path / "nothing"),
        "loop": lambda path: path.symlink_to(path),
        "link to a folder": lambda path: path.symlink_to(tmp_path),
    }
    for name, make in makers.items():
        folder = tmp_path / name
        folder.mkdir()
        make(folder / "ticket.csv")
        error = unusable(folder)
        assert error.code == "not_a_file" and error.file == f"{name}/ticket.csv"


def test_a_name_that_is_no_text_is_refused(tmp_path):
    (tmp_path / os.fsdecode("工单".encode("gb18030") + b".csv")).touch()
    error = unusable(tmp_path)
    assert error.code == "bad_file_name"
    str(error).encode()


def test_what_is_not_read_is_named(tmp_path):
    unread = ["a.csv.bak", "b.txt", "c.zip", "d.xlsm", "e.xlsb", "ticket.docx"]
    known = ["notice.md", "notice.en.md", "~$a.xlsx", ".DS_Store", "Thumbs.db", "a.csv", "f.xlsx"]
    for name in unread + known:
        (tmp_path / name).touch()
    (tmp_path / "旧").mkdir()
    assert arrival.unread_in(tmp_path) == [*unread, "旧/"]
    assert arrival.unread_in(tmp_path / "no such folder") == []


@pytest.mark.parametrize(
    "meddle",
    [
        lambda path: path.write_bytes(b"ab"),
        lambda path: os.utime(path, ns=(0, 0)),
        lambda path: path.with_name("b").rename(path),
        lambda path: path.unlink(),
    ],
    ids=["written to", "touched", "replaced", "removed"],
)
def test_an_export_that_changed_while_it_was_read_is_refused(meddle, tmp_path):
    path = tmp_path / "ticket.csv"
    for name in (path, path.with_name("b")):
        name.write_bytes(b"a")
        os.utime(name, ns=(1, 1))
    before = path.stat()
    arrival.prove_unchanged(path, before)
    meddle(path)
    with pytest.raises(InputError) as caught:
        arrival.prove_unchanged(path, before)
    assert (caught.value.code, caught.value.file) == ("file_changed", "ticket.csv")
