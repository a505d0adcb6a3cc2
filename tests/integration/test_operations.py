"""What the operator does around the runs: look at the machine, save a home, bring it back."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from conftest import EXPORTS, hashes, hotline


@pytest.fixture(scope="module")
def archive(published_home, tmp_path_factory):
    path = tmp_path_factory.mktemp("backup") / "home.tar.gz"
    ran = hotline("backup", path, home=published_home)
    assert ran.status == 0, ran.out + ran.err
    return path


def test_a_restored_home_is_the_same_and_verifies(archive, published_home, tmp_path):
    home = tmp_path / "restored"
    ran = hotline("restore", archive, home=home)
    assert ran.status == 0, ran.out + ran.err
    for folder in ("lake", "published"):
        assert hashes(home / folder) == hashes(published_home / folder)
    assert home.stat().st_mode & 0o077 == 0
    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 0, ran.out + ran.err


def test_a_backup_overwrites_nothing(archive, published_home):
    before = archive.read_bytes()
    ran = hotline("backup", archive, home=published_home)
    assert ran.status == 2
    assert "archive_exists" in ran.err
    assert archive.read_bytes() == before


def test_a_restore_overwrites_nothing(archive, home):
    before = hashes(home / "published")
    ran = hotline("restore", archive, home=home)
    assert ran.status == 2
    assert "home_not_empty" in ran.err
    assert hashes(home / "published") == before


def test_there_must_be_something_to_back_up(tmp_path):
    ran = hotline("backup", tmp_path / "b.tar.gz", home=tmp_path / "nothing")
    assert ran.status == 2
    assert "nothing_to_back_up" in ran.err
    assert not (tmp_path / "b.tar.gz").exists()


def listed(tar, files):
    text = json.dumps({"files": dict.fromkeys(files, "0" * 64)}).encode()
    entry = tarfile.TarInfo("backup.json")
    entry.size = len(text)
    tar.addfile(entry, io.BytesIO(text))


def write_cut_off(path, good):
    path.write_bytes(good[: len(good) // 2])


def write_with_a_changed_byte(path, good):
    middle = len(good) // 2
    path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])


def write_something_else(path, _):
    path.write_text("不是备份")


def write_with_another_file(path, _):
    with tarfile.open(path, "w:gz") as tar:
        listed(tar, ["lake/a"])
        tar.add(EXPORTS / "README.md", arcname="lake/b")


def write_climbing_out(path, _):
    with tarfile.open(path, "w:gz") as tar:
        listed(tar, ["../outside"])
        tar.add(EXPORTS / "README.md", arcname="../outside")


def write_a_link(path, _):
    with tarfile.open(path, "w:gz") as tar:
        listed(tar, ["lake/a"])
        entry = tarfile.TarInfo("lake/a")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)


@pytest.mark.parametrize(
    "damage",
    [
        write_cut_off,
        write_with_a_changed_byte,
        write_something_else,
        write_with_another_file,
        write_climbing_out,
        write_a_link,
    ],
)
def test_a_damaged_or_hostile_archive_restores_nothing(damage, archive, tmp_path):
    bad = tmp_path / "bad.tar.gz"
    damage(bad, archive.read_bytes())
    place = tmp_path / "place"
    ran = hotline("restore", bad, home=place / "home")
    assert ran.status == 2, ran.out + ran.err
    assert "damaged_backup" in ran.err and "Traceback" not in ran.err
    assert not list(place.iterdir()), "neither a home nor a half of one, nor anything beside it"


def test_the_doctor_finds_this_machine_ready(published_home):
    ran = hotline("doctor", home=published_home)
    assert ran.status == 0, ran.out + ran.err
    assert "与锁文件一致" in ran.out


def test_the_doctor_names_what_is_missing(published_home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOTLINE_POSTGRES_URL", "postgresql://clerk:secret@127.0.0.1:1/none")
    monkeypatch.setenv("PATH", os.devnull)
    ran = hotline("doctor", home=published_home, exports=tmp_path / "nowhere")
    assert ran.status == 1
    for text in ("读不到", "没有中文字体", "没有它就不生成 PDF", "连不上"):
        assert text in ran.out
    assert "secret" not in ran.out + ran.err


def fonts(tmp_path: Path, *families: str) -> str:
    """A PATH on which fontconfig lists these families and no other program is there."""
    lister = tmp_path / "fc-list"
    lister.write_text("#!/bin/sh\n" + "".join(f"echo '{family}'\n" for family in families))
    lister.chmod(0o755)
    return str(tmp_path)


@pytest.mark.parametrize("family", ["Times New Roman", "Liberation Serif", "Tinos,Tinos Regular"])
def test_the_doctor_is_content_with_a_typeface_as_wide_as_times(
    published_home, tmp_path, monkeypatch, family
):
    monkeypatch.setenv("PATH", fonts(tmp_path, "Noto Serif CJK SC", family))
    ran = hotline("doctor", home=published_home)
    assert "fonts-liberation" not in ran.out


def test_the_doctor_warns_where_no_typeface_is_as_wide_as_times(
    published_home, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", fonts(tmp_path, "Noto Serif CJK SC", "DejaVu Serif"))
    ran = hotline("doctor", home=published_home)
    assert ran.status == 0, "a limit, not an obstacle"
    (line,) = [line for line in ran.out.splitlines() if "西文字体" in line]
    assert "!" in line and "Times New Roman" in line and "fonts-liberation" in ran.out


def test_the_doctor_sees_an_open_home(home):
    home.chmod(0o755)
    ran = hotline("doctor", home=home)
    assert ran.status == 0, "a limit, not an obstacle"
    assert "chmod 700" in ran.out
