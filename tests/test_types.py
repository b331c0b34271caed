"""What a type checker and an editor see of the public face."""

import ast
import importlib
import json
import pathlib
import subprocess
import sys

import pytest

import jaxip as ip

WRONG = {
    "ip.solve(1, 2, nonsense=3)": "reportCallIssue",
    "ip.no_such_thing": "reportAttributeAccessIssue",
    "ip.problems.TV(A, 0.1, wrong=3)": "reportCallIssue",
    "ip.problems.TV(A)": "reportCallIssue",
    "ip.unrolled.unroll(None, ip.problems.Lasso(A, 0.1), num_layers='4')": "reportArgumentType",
    "ip.operators.no_such_thing": "reportAttributeAccessIssue",
    "ip.solve(A, 2)": "reportArgumentType",
}
RIGHT = """
x = ip.solve(ip.problems.TV(A, 0.1), jnp.ones(4), gap=1e-3, throw=True).image
reconstruct = ip.Reconstruction(ip.problems.Lasso(A, 0.1))
ip.operators.Matrix(jnp.eye(4)).H @ jnp.ones(4)
"""


def test_a_type_checker_refuses_what_is_wrong_and_nothing_else(tmp_path):
    head = "import jax.numpy as jnp\nimport jaxip as ip\nA = ip.operators.Matrix(jnp.eye(4))\n"
    path = tmp_path / "used.py"
    path.write_text(head + "\n".join(WRONG) + "\n" + RIGHT)
    root = str(pathlib.Path(ip.__file__).parents[1])
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [root]}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(tmp_path)]
    said = subprocess.run(
        [*command, "--pythonpath", sys.executable], capture_output=True, text=True, cwd=tmp_path
    )
    found = {}
    for row in json.loads(said.stdout)["generalDiagnostics"]:
        if row["severity"] == "error":
            found[row["range"]["start"]["line"]] = row["rule"]
    first = head.count("\n")
    assert found == {first + k: rule for k, rule in enumerate(WRONG.values())}


def test_what_a_checker_sees_is_what_there_is():
    tree = ast.parse(pathlib.Path(ip.__file__).read_text())
    seen = next(n for n in tree.body if isinstance(n, ast.If)).body
    names = [alias.asname for node in seen for alias in node.names]
    assert sorted(names) == sorted(ip.__all__) and len(names) == len(set(names))


@pytest.mark.parametrize("name", ip.__all__)
def test_the_lazy_door_gives_it(name):
    assert getattr(ip, name) is getattr(importlib.import_module("jaxip"), name)
    assert name in dir(ip)
