import os
import signal
import threading

import pytest

from shortlist.experiments.tuning.interrupts import noticed


class Dropping:
    """An object in whose finaliser Ctrl-C arrives."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # the handler runs between two instructions
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_finaliser_drops_is_raised_at_the_next_check():
    before = signal.getsignal(signal.SIGINT)
    with noticed() as interrupts:
        interrupts.check()
        dropping = Dropping()
        del dropping
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_is_raised_where_it_arrives():
    with pytest.raises(KeyboardInterrupt), noticed():
        signal.raise_signal(signal.SIGINT)


def test_another_thread_notices_nothing_and_changes_nothing():
    before, found = signal.getsignal(signal.SIGINT), []

    def run():
        with noticed() as interrupts:
            found.append((interrupts.seen, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [(False, before)]
