"""Every public parameter and field has its words: a bullet in a docstring, or a mention.

A function, a constructor, a field: one bullet "- `name`: ..." in the docstring of the function or
of the class that declares it, in the order of the signature; names of one kind may share one. A
method: each parameter in backticks in its docstring or in that of the method that it overrides;
of `__call__` the class may say it in its formula, `y -> x`.
"""

import dataclasses
import importlib
import inspect
import re
from typing import NamedTuple, get_origin

import equinox as eqx
import pytest

import jaxip

ROOMS = ("jaxip", *(f"jaxip.{n}" for n in dir(jaxip) if inspect.ismodule(getattr(jaxip, n))))
TO_DO = {"jaxip.solvers"}  # shrinks to nothing
DONE = [room for room in ROOMS if room not in TO_DO]
BULLET = re.compile(r"^ *- ((?:`\w+`(?:, )?)+):", re.MULTILINE)
PRIVATE = re.compile(r"`_[a-z]\w*`|\b_\w+\.py\b")


class Words(NamedTuple):
    """What a public thing has to explain, and where it does: by bullets, or by mentions."""

    place: str
    names: tuple[str, ...]
    text: str
    listed: bool

    def missing(self) -> set[str]:
        told = bullets(self.text) if self.listed else mentions(self.text)
        return {f"{self.place}: {name}" for name in set(self.names).difference(told)}


def bullets(text: str) -> list[str]:
    return [name for found in BULLET.findall(text) for name in re.findall(r"\w+", found)]


def mentions(text: str) -> list[str]:
    return [word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"\w+", code)]


def of_jaxip(thing) -> bool:
    return getattr(thing, "__module__", "").partition(".")[0] == "jaxip"


def is_function(thing) -> bool:
    """Whether it is one that was written: what `dataclasses` writes comes from no file."""
    bare = inspect.unwrap(thing)
    return inspect.isfunction(bare) and bare.__code__.co_filename[0] != "<"


def parameters(function) -> list[str]:
    names = inspect.signature(function).parameters
    return [name for name in names if name not in ("self", "cls") and name[0] != "_"]


def family(cls) -> list[type]:
    return [member for member in cls.__mro__ if of_jaxip(member)]


def constructed(cls) -> list[str]:
    """The parameters of a constructor that was written, then the other fields of the class."""
    own = vars(cls).get("__init__")
    names = parameters(own) if own is not None and is_function(own) and of_jaxip(own) else []
    known = [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    fields = {*known, *getattr(cls, "_fields", ())}
    for name, kind in inspect.get_annotations(cls).items():
        if name in fields or get_origin(kind) is eqx.AbstractVar:
            names += [name] if name[0] != "_" and name not in names else []
    return names


def of_methods(cls):
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)  # of a class method
        if not callable(function) or not is_function(function):
            continue
        if name == "__call__" or name[0] != "_":
            overridden = [getattr(c, name).__doc__ for c in family(cls) if name in vars(c)]
            said = [c.__doc__ for c in family(cls)] if name == "__call__" else []
            text = "\n".join(doc for doc in overridden + said if doc)
            yield Words(f"{cls.__qualname__}.{name}", tuple(parameters(function)), text, False)


def of_thing(name: str, thing):
    """All that a function or a class has to explain."""
    if inspect.isclass(thing):
        for member in family(thing):
            text = vars(member).get("__doc__") or ""
            yield Words(member.__qualname__, tuple(constructed(member)), text, True)
            yield from of_methods(member)
    elif callable(thing) and is_function(thing):
        yield Words(name, tuple(parameters(thing)), thing.__doc__ or "", True)


def words_of(room: str) -> list[Words]:
    module = importlib.import_module(room)
    elsewhere = [importlib.import_module(r) for r in ROOMS if r != room] if room == "jaxip" else []
    homes = [id(thing) for other in elsewhere for thing in vars(other).values()]
    found = {}
    for name in dir(module):
        thing = getattr(module, name)
        if name[0] != "_" and of_jaxip(thing) and id(thing) not in homes:
            found.update({words.place: words for words in of_thing(name, thing)})
    return list(found.values())


def missing(room: str) -> list[str]:
    return sorted(set().union(*(words.missing() for words in words_of(room))))


@pytest.mark.parametrize("room", DONE)
def test_everything_public_has_its_words(room):
    assert missing(room) == []


@pytest.mark.parametrize("room", DONE)
def test_bullets_are_of_what_is_there_in_its_order(room):
    for words in words_of(room):
        if words.listed:
            assert bullets(words.text) == list(words.names), words.place


@pytest.mark.parametrize("room", DONE)
def test_no_word_sends_to_what_is_private(room):
    assert [w.place for w in words_of(room) if PRIVATE.search(w.text)] == []


def test_what_is_to_do_exists_and_lacks_words():
    assert set(ROOMS) >= TO_DO
    assert [room for room in TO_DO if not missing(room)] == []


@dataclasses.dataclass
class Made:
    """Of a size: one parameter and one argument of its methods lack words."""

    size: int
    __module__ = "jaxip.made"

    def apply(self, x):
        """`A x`."""

    def turn(self, angle):
        """Turned."""


def test_a_missing_word_is_seen():
    lacks = set().union(*(words.missing() for words in of_thing("Made", Made)))
    assert lacks == {"Made: size", "Made.turn: angle"}
