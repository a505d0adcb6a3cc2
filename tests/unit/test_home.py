"""A home, its scratch and a sample's folder: nothing that somebody else put there is touched."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app
from orchestration.common.errors import InputError
from orchestration.common.home import claim, empty_scratch, remove_scratch
from orchestration.common.lock import writer
from orchestration.common.settings import Home, exports_root
from orchestration.sample import check_target


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home after its first run."""
    home = Home(tmp_path / "home")
    with writer(home, "first"):
        empty_scratch(home)
        (home.scratch / "left").mkdir()
    return home


def test_scratch_is_emptied_again_and_again(home):
    for _ in range(2):
        empty_scratch(home)
        assert [path.name for path in home.scratch.iterdir()] == [".hotline-scratch"]
    remove_scratch(home)
    assert not home.scratch.exists()
    remove_scratch(home)


def a_folder_of_files(scratch: Path) -> None:
    scratch.mkdir()
    (scratch / "thesis.txt").write_text("mine")


def a_folder_of_folders(scratch: Path) -> None:
    (scratch / "deep" / "deeper").mkdir(parents=True)


def a_file(scratch: Path) -> None:
    scratch.write_text("mine")


def a_link_to_a_folder(scratch: Path) -> None:
    (scratch.parent / "elsewhere").mkdir()
    (scratch.parent / "elsewhere" / ".hotline-scratch").touch()
    scratch.symlink_to("elsewhere")


def a_dangling_link(scratch: Path) -> None:
    scratch.symlink_to("nowhere")


def a_mark_that_is_a_folder(scratch: Path) -> None:
    (scratch / ".hotline-scratch").mkdir(parents=True)


FOREIGN = [
    *(a_folder_of_files, a_folder_of_folders, a_file, a_link_to_a_folder, a_dangling_link),
    a_mark_that_is_a_folder,
]


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_a_scratch_that_isnt_ours_stays(home, make):
    remove_scratch(home)
    make(home.scratch)
    before = sorted(map(str, home.root.rglob("*")))
    for act in (empty_scratch, remove_scratch):
        with pytest.raises(InputError, match="foreign_scratch"):
            act(home)
    assert sorted(map(str, home.root.rglob("*"))) == before


@pytest.mark.parametrize(
    "names",
    [["Documents"], [".bashrc", "notes.txt"], ["lake"], ["scratch"], ["published"], ["logs"]],
    ids=str,
)
def test_a_folder_of_somebody_else_is_no_home(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="not_a_home") as refused, writer(Home(tmp_path), "run"):
        pass
    assert sorted(names)[0] in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_an_empty_folder_becomes_a_home(tmp_path):
    claim(Home(tmp_path))
    claim(Home(tmp_path / "deep" / "home"))
    assert (tmp_path / "deep" / "home").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *((name, "dangling") for name in ("lake", "published", "dagster", "logs", "dbt")),
        *((name, "file") for name in ("lake", "published", "dagster", "logs", "dbt", "spark")),
        *((name, "folder") for name in ("hotline.duckdb", "last-run.json")),
        *((name, "pipe") for name in ("hotline.duckdb", "lake")),
        *((name, "circle") for name in ("last-run.json", "published")),
        ("hotline.duckdb", "dangling"),
    ],
)  # fmt: skip
def test_what_isnt_what_it_should_be_is_named(home, name, make):
    path = home.root / name
    path.unlink(missing_ok=True)
    {
        "dangling": lambda: path.symlink_to("nowhere"),
        "circle": lambda: path.symlink_to(name),
        "file": lambda: path.write_text(""),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }[make]()
    with pytest.raises(InputError, match="bad_home") as refused:
        claim(home)
    assert name in str(refused.value)


def test_a_link_to_another_disk_is_fine(home, tmp_path):
    (tmp_path / "disk").mkdir()
    (home.root / "lake").symlink_to(tmp_path / "disk")
    claim(home)


def test_a_home_that_is_a_file_or_a_circle_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="bad_home"):
        claim(Home(tmp_path / "file"))
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "circle" / "home"))
    with pytest.raises(InputError, match="bad_home"):
        claim(Home.current())


@pytest.mark.parametrize(
    "name", ["ticket.csv", "notice.md", "bulletin.csv", "anything", ".hidden", "folder/x"]
)
def test_a_sample_overwrites_nothing(tmp_path, name):
    out = tmp_path / "2022Q2"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("real")
    for arguments in (["--tickets", "10"], []):
        with pytest.raises(InputError, match="out_not_empty"):
            CliRunner().invoke(
                app, ["sample", *arguments, "--out", str(out)], catch_exceptions=False
            )
    assert [path.read_text() for path in out.rglob("*") if path.is_file()] == ["real"]


def test_a_sample_takes_a_new_or_an_empty_folder(tmp_path):
    check_target(tmp_path)
    check_target(tmp_path / "new" / "2022Q2")
    (tmp_path / "file").write_text("real")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(InputError, match="out_not_empty"):
            check_target(tmp_path / name)


@pytest.mark.parametrize("variable", ["HOTLINE_EXPORTS", "HOTLINE_SITE"])
def test_a_folder_in_a_circle_of_links_is_one_that_is_not_there(variable, tmp_path, monkeypatch):
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.setenv(variable, str(tmp_path / "circle" / "folder"))
    assert not exports_root().exists()
