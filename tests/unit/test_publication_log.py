"""The log of publications: what is lost or altered is named, and what died half-way is mended."""

import json
import shutil
from dataclasses import replace

import pytest

from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of
from orchestration.common.settings import Home
from orchestration.publish.publication_log import (
    Entry,
    begin,
    complete,
    intend,
    read_intent,
    read_log,
    stale,
    write,
)
from orchestration.publish.versions import manifests

AT = "2022-07-05 06:00:00"


def add(home: Home, quarter: str, version: int, compared: int | None = None, **more) -> Entry:
    """A version with a manifest and nothing else; its line isn't logged yet."""
    path = home.version_manifest(quarter, version)
    path.parent.mkdir(parents=True)
    manifest = {"quarter": quarter, "version": version, "published_at": AT, "run_id": "r"} | more
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return Entry(quarter, version, sha256_of(path), AT, "r", compared)


@pytest.fixture
def home(tmp_path) -> Home:
    """2022Q2 with two versions, 2022Q3 compared with the second of them."""
    home = Home(tmp_path)
    entries = [add(home, "2022Q2", 1), add(home, "2022Q2", 2), add(home, "2022Q3", 1, 2)]
    write(home, entries)
    return home


def refused(home: Home) -> tuple[str, str]:
    with pytest.raises(InputError) as error:
        manifests(home)
    return error.value.code, error.value.file


def test_versions_as_logged_are_read(home):
    assert [(one["quarter"], one["version"]) for one in manifests(home)] == [
        ("2022Q2", 1),
        ("2022Q2", 2),
        ("2022Q3", 1),
    ]
    assert stale(read_log(home)) == []


@pytest.mark.parametrize(("quarter", "version"), [("2022Q2", 1), ("2022Q2", 2), ("2022Q3", 1)])
def test_a_lost_version_is_named(quarter, version, home):
    folder = home.version_manifest(quarter, version).parent
    shutil.rmtree(folder)
    place = f"published/versions/{quarter}/v{version}/manifest.json"
    assert refused(home) == ("missing_version", place)
    other = {"2022Q2": "2022Q3", "2022Q3": "2022Q2"}[quarter]
    assert manifests(home, other), "another quarter can still be read"


def test_all_versions_lost_with_their_folder_are_named(home):
    shutil.rmtree(home.published / "versions")
    assert refused(home)[0] == "missing_version"


@pytest.mark.parametrize("text", ["{}", "", '{"quarter": "2022Q2"}', "\0\0"])
def test_an_altered_manifest_is_named(text, home):
    path = home.version_manifest("2022Q2", 1)
    path.write_text(text, encoding="utf-8")
    assert refused(home) == ("damaged_manifest", "published/versions/2022Q2/v1/manifest.json")


def test_a_version_of_which_nobody_knows_is_named(home):
    add(home, "2022Q3", 2)
    assert refused(home) == ("unknown_version", "published/versions/2022Q3/v2/manifest.json")


def test_a_lost_log_is_named_where_there_was_one(home):
    shutil.rmtree(home.published / "versions")
    add(home, "2022Q2", 1, compared_with=None)
    home.publication_log.unlink()
    assert refused(home)[0] == "missing_publication_log"


@pytest.mark.parametrize("line", ['{"quarter": "2022', "[]", '{"quarter": "2022Q2"}'])
def test_a_damaged_log_is_named(line, home):
    with home.publication_log.open("a", encoding="utf-8") as log:
        log.write(line + "\n")
    assert refused(home)[0] == "damaged_publication_log"


def test_an_older_home_gets_its_log_from_its_versions(tmp_path):
    home = Home(tmp_path)
    files = [{"source": "ticket", "file_sha256": "a"}]
    first = add(home, "2022Q2", 1, inputs=files)
    add(home, "2022Q2", 2, inputs=[{"source": "ticket", "file_sha256": "b"}])
    add(home, "2022Q3", 1, inputs=[], previous_inputs=files)
    add(home, "2022Q4", 1, inputs=[], previous_inputs=[])
    add(home, "2023Q1", 1, inputs=[], previous_inputs=files)
    assert len(manifests(home)) == 5, "it can be read before"
    begin(home, manifests(home))
    entries = read_log(home)
    assert len(entries) == 5 and replace(first, manifest_sha256="") == replace(
        entries[0], manifest_sha256=""
    )
    compared = {(one.quarter, one.version): one.compared_version for one in entries}
    assert compared == {
        ("2022Q2", 1): None,
        ("2022Q2", 2): None,
        ("2022Q3", 1): 1,
        ("2022Q4", 1): None,
        ("2023Q1", 1): 0,
    }
    # 2023Q1 was compared with what nobody published of 2022Q4.
    assert [one.quarter for one in stale(entries)] == ["2022Q3", "2022Q4", "2023Q1"]
    shutil.rmtree(home.version_manifest("2022Q2", 1).parent)
    begin(home, [])
    assert refused(home)[0] == "missing_version", "it isn't written a second time"


def test_a_publication_that_died_before_its_version_appeared_is_dropped(home):
    intend(home, Entry("2022Q3", 2, "0" * 64, AT, "r", 2))
    before = read_log(home)
    assert complete(home) is None
    assert (read_log(home), read_intent(home)) == (before, None)


def test_a_publication_that_died_after_its_version_appeared_is_logged(home):
    entry = add(home, "2022Q3", 2, 2)
    intend(home, entry)
    assert len(manifests(home)) == 4, "readers may see it already"
    assert complete(home) == entry
    assert read_log(home)[-1] == entry and read_intent(home) is None
    intend(home, entry)  # and died between the log and this
    assert complete(home) is None
    assert len(read_log(home)) == 4


def test_a_version_rewritten_to_forget_has_its_line(home):
    path = home.version_manifest("2022Q2", 2)
    (old,) = (one for one in read_log(home) if one.version == 2)
    told = json.loads(path.read_text(encoding="utf-8")) | {"erasures": [{}]}
    path.write_text(json.dumps(told), encoding="utf-8")
    intend(home, replace(old, manifest_sha256=sha256_of(path), event="erasure"))
    assert len(manifests(home)) == 3
    complete(home)
    assert len(manifests(home)) == 3
    assert stale(read_log(home)) == [], "no comparison is overtaken by that"


def test_a_correction_makes_later_comparisons_stale_until_they_are_made_again(home):
    entries = [*read_log(home), add(home, "2022Q4", 1, 1), add(home, "2022Q2", 3)]
    (one,) = stale(entries)
    assert (one.quarter, one.previous, one.compared_version, one.latest_version) == (
        "2022Q3",
        "2022Q2",
        2,
        3,
    )
    assert "2022Q3" in str(one) and "第 2 版" in str(one) and "第 3 版" in str(one)
    again = replace(entries[2], compared_version=3)  # nothing changed: the same version once more
    assert stale([*entries, again]) == []
    changed = add(home, "2022Q3", 2, 3)
    assert [one.quarter for one in stale([*entries, changed])] == ["2022Q4"]


def test_one_command_runs_what_a_correction_has_overtaken(home, monkeypatch):
    from orchestration.cli import commands

    write(home, [*read_log(home), add(home, "2022Q4", 1, 1), add(home, "2022Q2", 3)])
    ran = []

    def run(place: Home, quarter: str, reason: str, *, force: bool) -> None:
        ran.append((quarter, reason, force))
        if quarter == "2022Q3":  # it changes, and with it what 2022Q4 was compared with
            write(place, [*read_log(place), add(place, "2022Q3", 2, 3)])
        if quarter == "2022Q4":
            write(place, [*read_log(place), add(place, "2022Q4", 2, 2)])

    monkeypatch.setattr(commands, "_run_quarter", run)
    monkeypatch.setenv("HOTLINE_HOME", str(home.root))
    commands.run("2022Q2", reason="补录", force=True, and_later=True)
    assert ran == [("2022Q2", "补录", True), ("2022Q3", "补录", False), ("2022Q4", "补录", False)]
    ran.clear()
    commands.run("2022Q2", and_later=True)
    assert ran == [("2022Q2", "", False)], "nothing is stale any more"
    commands.run("2022Q2")
    assert stale(read_log(home)) == []
