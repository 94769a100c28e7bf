import shutil

import pytest

from fleetgrad import database
from fleetgrad.errors import RunError
from fleetgrad.store import Run
from runs import names, raw


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    "content", [b"", b"not a database" * 500, None], ids=["empty", "text", "no"]
)
def test_a_record_that_is_no_database_is_refused(place, content, write):
    (place / "study.db").unlink()
    if content is not None:
        (place / "study.db").write_bytes(content)
    with pytest.raises(RunError, match="study.db` must be"):
        Run.open(place, write=write)


def test_a_record_of_a_later_version_is_refused_with_the_remedy(place):
    with raw(place) as record:
        record.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    for write in (True, False):
        with pytest.raises(RunError, match="later Fleetgrad: upgrade with"):
            Run.open(place, write=write)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW extra AS SELECT 1",
        "CREATE TRIGGER extra AFTER INSERT ON notes BEGIN DELETE FROM segments; END",
        "DROP TABLE curves",
        "ALTER TABLE notes ADD COLUMN extra",
        "PRAGMA application_id = 0",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
    ],
)
def test_a_record_with_other_tables_than_ours_is_refused(place, change):
    with raw(place) as record:
        record.execute(change)
    for write in (True, False):
        with pytest.raises(RunError, match="must be the record of a Fleetgrad run"):
            Run.open(place, write=write)


def test_a_foreign_database_is_neither_taken_over_nor_changed(tmp_path):
    with raw(tmp_path) as record:
        record.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(RunError, match="another program"):
        Run.create(tmp_path, {})
    assert names(tmp_path) == ["study.db"]
    assert (tmp_path / "study.db").read_bytes() == before


def test_a_record_that_lost_its_configuration_is_not_overwritten(place):
    (place / "config.json").unlink()
    shutil.rmtree(place / "weights")
    with pytest.raises(RunError, match="must not exist yet"):
        Run.create(place, {})
    with raw(place) as record:
        assert record.execute("SELECT name FROM segments").fetchall() == [("search/0",)]


def test_words_that_are_no_text_are_damage(tmp_path):
    with pytest.raises(RunError, match="must be the record"), database.reading(tmp_path):
        b"\xd7(".decode()
