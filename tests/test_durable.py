import pytest

from fleetgrad import durable
from runs import names


def test_a_file_replaced_durably_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def half():
        with durable.replacing(target) as path:
            path.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]
