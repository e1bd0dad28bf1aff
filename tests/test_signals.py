"""A signal ends the work once, wherever it arrives."""

import os
import signal
import time

import pytest

from lingmix.signals import StoppedError, stoppable


class Told:
    """Python drops whatever is raised while this is thrown away."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_arrives_in_a_finalizer_is_obeyed_after_it(number, capfd):
    passed = False
    with pytest.raises(StoppedError) as stopped, stoppable():
        told = Told(number)
        del told
        passed = True
        time.sleep(10)
    assert passed, "it was raised where it could be"
    assert stopped.value.code == 128 + number
    assert capfd.readouterr().err == ""


def test_a_signal_of_which_a_library_makes_an_error_of_its_own_is_obeyed():
    """Pydantic does while it makes a validator."""
    with pytest.raises(StoppedError) as stopped, stoppable():
        try:
            signal.raise_signal(signal.SIGTERM)
        except StoppedError as error:
            raise ValueError("must be valid") from error
    assert stopped.value.number == signal.SIGTERM


def test_an_error_after_a_signal_that_waits_for_a_safe_point_is_that_error():
    with pytest.raises(ValueError, match="broken"), stoppable() as stop, stop.deferred():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("broken")


def test_a_second_signal_does_not_break_into_what_is_being_put_away_but_ctrl_c_does():
    put_away = []
    with pytest.raises(StoppedError) as stopped, stoppable():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            put_away.append("one")
            os.kill(os.getpid(), signal.SIGINT)
            put_away.append("two")
    assert put_away == ["one"]
    assert stopped.value.number == signal.SIGINT


def test_deferred_work_asks_and_ends_where_it_likes():
    done = []
    with pytest.raises(StoppedError), stoppable() as stop, stop.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("what is in hand")
        stop.check()
        done.append("more")
    assert done == ["what is in hand"]
