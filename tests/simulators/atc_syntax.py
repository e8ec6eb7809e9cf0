"""Part of the atc simulator: reads the command line the way atc's getopt does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_TRUE = ("1", "t", "true", "y", "yes")
_FALSE = ("0", "f", "false", "n", "no")


class SyntaxMistake(Exception):
    """The text that goes to stderr; there is no code for it."""


def read(words: list[str], kinds: Mapping[str, str]) -> dict[str, str]:
    """Flag -> text. ``kinds`` maps the flags this version knows to string, int32, path or bool."""
    values: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--h", "--help", "-help"):
            return {"help": "true"}
        if not word.startswith("-") or word in ("-", "--"):
            raise SyntaxMistake(f"Non-option parameter: {word}")
        spelt, equals, text = word.lstrip("-").partition("=")
        name = _resolve(spelt.replace("-", "_"), kinds)
        if kinds[name] == "bool":
            if equals and text not in (*_TRUE, *_FALSE):
                raise SyntaxMistake(f"flag '--{name}' takes true or false, not '{text}'")
            values[name] = "false" if text in _FALSE else "true"
            continue
        if not equals:
            if not rest:
                raise SyntaxMistake(
                    f"flag '--{name}' is missing its argument; flag description: {name}"
                )
            text = rest.pop(0)
        values[name] = text
    return values


def _resolve(spelt: str, names: Collection[str]) -> str:
    if spelt in names:
        return spelt
    longer = [name for name in names if name.startswith(spelt)]
    if len(longer) != 1 or not spelt:
        raise SyntaxMistake(f"unknown command line flag '{spelt}'")
    return longer[0]
