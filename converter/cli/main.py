"""Where the ``paddle2om`` command begins: a signal is answered before anything is imported."""

from __future__ import annotations

from converter.cli.signals import on_signals, tell_and_end


def entry() -> None:
    """Run the command line, and exit."""
    on_signals(tell_and_end)
    from converter.cli.app import run

    run()


if __name__ == "__main__":
    entry()
