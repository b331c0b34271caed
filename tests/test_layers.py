"""The layers of the package: who may import whom, and which third party lives where."""

import ast
import pathlib
import sys

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "jaxip"
LAYERS = {
    "operators": 1, "functionals": 1, "problems": 2, "solvers": 3, "unrolled": 4, "networks": 4,
    "metrics": 5, "data": 5, "certificates": 5, "audit": 6, "training": 7, "plotting": 7,
    "interop": 8, "recipes": 8, "cli": 9, "testing": 9,
}  # fmt: skip
FOUNDATION = {"_types", "_tree", "_numerics", "_rounding", "_checks", "_module", "_arguments",
              "_signature"}  # fmt: skip
# folders of one layer do not see each other, but for these arrows
ARROWS: set[tuple[str, str]] = set()
HOMES = {
    "flax": {"networks", "interop"},
    "optax": {"training", "audit"},
    "matplotlib": {"plotting"},
    "h5py": {"data"},
    "nibabel": {"data"},
    "pydicom": {"data"},
    "ismrmrd": {"data"},
    "torch": {"interop"},
    "typer": {"cli"},
    "rich": {"cli", "training"},
    "chex": set(),
    "lineax": set(),
    "scipy": {"interop"},
    "pylops": {"interop"},
    "sigpy": {"interop"},
    "scico": {"interop"},
    "deepinv": {"interop"},
    "pywt": set(),
    "skimage": set(),
}
LAZY = {"h5py", "nibabel", "pydicom", "ismrmrd", "torch", "scipy", "pylops", "sigpy",
        "scico", "deepinv"}  # fmt: skip  # extras: imported inside functions
FORBIDDEN = ("jax._src", "equinox.internal", "jaxlib")
FILES = sorted(p for p in PACKAGE.rglob("*.py") if "templates" not in p.parts)


def _imports(path: pathlib.Path):
    """`(module, names, at module level)` of every import in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, (), id(node) not in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield node.module or "", tuple(a.name for a in node.names), id(node) not in inside


def _modules(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def _home(path: pathlib.Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _targets(module: str, names: tuple[str, ...]):
    """The parts of jaxip that an import reaches, as `(part, goes past its public face)`."""
    parts = module.split(".")
    if parts[0] != "jaxip":
        return
    if len(parts) > 1:
        yield parts[1], len(parts) > 2 or (parts[1] in LAYERS and any(n[0] == "_" for n in names))
    else:
        for name in names:
            if name in LAYERS or name in FOUNDATION:
                yield name, False


def _complaints(path: pathlib.Path):
    home = _home(path)
    for module, names, _ in _imports(path):
        for target, private in _targets(module, names):
            if target == home or target in FOUNDATION:
                continue
            if home in FOUNDATION:
                yield f"{home} (L0) imports {target}"
            elif target not in LAYERS:
                yield f"imports jaxip.{target}, which has no layer"
            elif LAYERS[target] >= LAYERS.get(home, 99) and (home, target) not in ARROWS:
                yield f"{home} (L{LAYERS[home]}) imports {target} (L{LAYERS[target]})"
            elif private:
                yield f"reaches into {module} past its public face"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    if path == PACKAGE / "__init__.py":  # beside what a type checker alone imports
        modules = [m for node in ast.parse(path.read_text()).body for m in _modules(node)]
        assert all(module in sys.stdlib_module_names for module in modules), modules
        return
    home = _home(path)
    assert home in LAYERS or home in FOUNDATION, f"{home} is in no layer"
    assert not list(_complaints(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_parties_stay_at_home(path):
    found = []
    for module, names, outside in _imports(path):
        root = module.split(".")[0]
        reached = [module, *(f"{module}.{name}" for name in names)]
        found += [m for m in reached if m.startswith(FORBIDDEN)]
        if root in HOMES and _home(path) not in HOMES[root]:
            found.append(f"{module} outside {sorted(HOMES[root])}")
        if root in LAZY and outside:
            found.append(f"{module} at module level")
    assert not found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_size_and_name(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem != "utils"
    inside = path.parent != PACKAGE and path.parent.name in LAYERS
    assert not inside or path.name == "__init__.py" or path.name[0] == "_"


def test_no_configuration_in_the_library():
    for path in FILES:
        if _home(path) != "cli":
            assert "jax.config.update" not in path.read_text(encoding="utf-8"), path.name


def test_the_checker_sees_a_wrong_import(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    folder = tmp_path / "operators"
    folder.mkdir()
    bad = folder / "_bad.py"
    bad.write_text("from jaxip.solvers import solve\nfrom jaxip import functionals\n")
    assert len(list(_complaints(bad))) == 2
    higher = tmp_path / "solvers"
    higher.mkdir()
    deep = higher / "_deep.py"
    deep.write_text("from jaxip.operators._fourier import centred_fft\nimport jaxip._tree\n")
    assert len(list(_complaints(deep))) == 1
