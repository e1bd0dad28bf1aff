"""What a server asks for, in any form that the header may have."""

from email.message import Message
from urllib.error import HTTPError

import pytest

from lingmix.tracking.store.retry_after import LONGEST, requested_pause


def refused(asked):
    headers = Message()
    headers["retry-after"] = asked
    return HTTPError("http://host", 503, "busy", headers, None)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("9" * 30, LONGEST),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 2999 23:59:59 GMT", LONGEST),
        ("-5", 0),
        ("soon", 0),
    ],
)
def test_the_pause_is_found_behind_the_error_that_it_led_to(asked, seconds):
    try:
        try:
            raise refused(asked)
        except HTTPError as error:
            raise ValueError("lost") from error
    except ValueError as error:
        assert requested_pause(error) == seconds


def test_an_error_without_an_answer_asks_for_nothing():
    assert requested_pause(TimeoutError()) == 0
    assert requested_pause(None) == 0
