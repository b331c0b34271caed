"""A function of the user's, named `pkg.mod:name`."""

import importlib
import os
import sys
from collections.abc import Callable


def load_entry(entry: str) -> Callable:
    """The callable `name` of module `pkg.mod`, which may stand in the current folder.

    Raises: ValueError with one line where the text, the module or the name is wrong.
    """
    module_name, _, name = entry.partition(":")
    if not module_name or not name:
        raise ValueError(f"--entry takes pkg.mod:name, but got {entry!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a script that ends itself
        raise ValueError(f"--entry: cannot import {module_name}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"--entry: {module_name} has no function {name}")
    return function
