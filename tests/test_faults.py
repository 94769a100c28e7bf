import pytest

from faults import Faults, Tally


def tally(*tests):
    found = Tally()
    for test in tests:
        properties = [("other", 1)]
        test(Faults(properties))
        found.add(properties)
    return [line.split() for line in found.lines()]


def test_a_table_tells_what_was_tried_survived_and_lost():
    def first(faults):
        with faults.against("kill"):
            pass
        with pytest.raises(ZeroDivisionError), faults.against("kill"):
            raise ZeroDivisionError

    def second(faults):
        faults.tried("kill", 1000)
        faults.survived("kill", 999)
        faults.tried("flood")
        faults.survived("flood")

    head, _, kill, flood, _, whole = tally(first, second)
    assert head == ["fault", "tried", "survived", "lost"]
    assert kill == ["kill", "1,002", "1,000", "2"]
    assert flood == ["flood", "1", "1", "0"]
    assert whole == ["all", "1,003", "1,001", "2"]


def test_nothing_tried_is_no_table():
    assert tally(lambda _: None) == []


def test_the_fixture_counts_into_the_report_of_its_test(request, faults):
    with faults.against("nothing at all"):
        pass
    counts = dict(request.node.user_properties)["faults"]
    assert counts == {"tried": {"nothing at all": 1}, "survived": {"nothing at all": 1}}
    counts["tried"].clear()  # not to be told at the end
    counts["survived"].clear()
