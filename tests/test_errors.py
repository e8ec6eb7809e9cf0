"""Errors are told the same wherever they were raised."""

import pickle

from converter.errors import InputError, WorkerError


def test_an_error_of_another_process_keeps_its_hint_and_what_was_found_with_it():
    error = InputError("first", hint="do this", more=[WorkerError("second", hint="do that")])
    sent = pickle.loads(pickle.dumps(error))
    assert isinstance(sent, InputError)
    assert (sent.message, sent.hint, str(sent)) == ("first", "do this", "first\nsecond")
    assert [(type(more), more.hint) for more in sent.more] == [(WorkerError, "do that")]
