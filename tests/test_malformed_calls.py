"""Every malformed call of a public function gives one line: TypeError or ValueError."""

import pytest
from broken_calls import ELSEWHERE, RESULTS, calls, campaign, everything, public, valid_call

FUNCTIONS = dict(public())
LONG = {  # seconds each: they compile anew for every call
    "solvers.discrepancy", "solvers.reweighted", "solvers.weight_path", "testing.check_solver",
    "certificates.certify", "audit.run_canaries", "data.random_ellipses",
}  # fmt: skip
NAMES = [pytest.param(name, marks=[pytest.mark.deep] if name in LONG else []) for name in FUNCTIONS]
LEAST = 4000  # broken calls in all


@pytest.mark.x64
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_malformed_call_is_answered_in_one_line(name):
    """TypeError for a wrong kind of thing, ValueError for a value; the argument is named.

    The call that is broken is a valid one: else any answer would be that to it.
    """
    positional, named = valid_call(name, FUNCTIONS[name])
    FUNCTIONS[name](*(value for _, value in positional), **named)
    _, wrong = campaign(name, FUNCTIONS[name])
    assert not wrong, "\n".join(wrong)


@pytest.mark.x64
def test_there_are_thousands_of_malformed_calls():
    assert sum(1 for name, f in FUNCTIONS.items() for _ in calls(name, f)) >= LEAST


def test_every_public_function_is_called():
    left_out = {name for name, _ in everything()} - FUNCTIONS.keys()
    assert left_out == RESULTS | ELSEWHERE
