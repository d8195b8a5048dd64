"""From a TARGET on the command line to the Workers that are defined there, and the trees they stand in."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, NoneType

from swarmage.abilities import abilities_of
from swarmage.errors import ConfigError, SwarmageError, TargetError


def load_workers(targets: Iterable[str], base: type, tree: type = NoneType) -> list[type]:
    """Import every TARGET from the current directory and return the Workers and trees they define, each once.

    Args:
        targets: modules, packages (with all their submodules), ``module:Class``, or paths such as ``actors/text.py``.
        base: what a Worker is a subclass of.
        tree: what a Supervisor is a subclass of, which may declare Workers as its children.

    Raises:
        TargetError: a TARGET cannot be imported or holds no Workers; the message says which, what and where.
    """
    here = str(Path.cwd())
    if sys.path[:1] != [here]:
        sys.path.insert(0, here)
    found: dict[type, None] = {}
    for target in targets:
        found.update(dict.fromkeys(_workers_of(target, base, tree)))
    return list(found)


def target_of(declared: type) -> list[str]:
    """Return the TARGET by which other processes find a Supervisor subclass; none for one that declares no children.

    Raises:
        ConfigError: they could not find it.
    """
    if not getattr(declared, "children", ()):
        return []
    module = sys.modules[declared.__module__]
    name = declared.__qualname__
    if getattr(module, name, None) is not declared:
        raise ConfigError(f"{name} must stand at the top of a module, where the drones can find it")
    if declared.__module__ != "__main__":
        return [f"{declared.__module__}:{name}"]
    spec, file = module.__spec__, getattr(module, "__file__", None)
    if spec is None and file is None:
        raise ConfigError(f"{name} must stand in a file, where the drones can find it")
    return [f"{file if spec is None else spec.name}:{name}"]


def own_files() -> list[str]:
    """Return the source files of all modules that are imported and belong neither to Python nor to a package of it."""
    foreign = tuple({str(Path(place).resolve()) + os.sep for place in sysconfig.get_paths().values()})
    files = {getattr(module, "__file__", None) for module in tuple(sys.modules.values())}
    sources = {str(Path(file).resolve()) for file in files if file is not None and file.endswith(".py")}
    return sorted(file for file in sources if not file.startswith(foreign))


def _workers_of(target: str, base: type, tree: type) -> list[type]:
    place, _, class_name = target.partition(":")
    name = _module_name(target, place)
    modules = list(_import_all(target, name)) if not class_name else [_import(target, name)]
    _check_place(target, place, modules[0])
    if class_name:
        return [_named(target, modules[0], class_name, base, tree)]
    workers = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and (_is_tree(value, tree) or _is_worker(target, value, base))
    ]
    if not workers:
        raise TargetError(
            f"{target}: has no Workers; a Worker is a subclass of swarmage.Worker, defined there,"
            " with a method under @ability"
        )
    return workers


def _check_place(target: str, place: str, module: ModuleType) -> None:
    """Refuse a path that Python answers with another module of the same name, such as its own ``time``."""
    found = getattr(module, "__file__", None) or "a part of Python"
    if place.endswith(".py") and Path(found).resolve() != Path(place).resolve():
        raise TargetError(f"{target}: its name, {module.__name__}, belongs to {found}; rename the file")


def _named(target: str, module: ModuleType, class_name: str, base: type, tree: type) -> type:
    value = getattr(module, class_name, None)
    if value is None:
        raise TargetError(f"{target}: the module {module.__name__} has no {class_name}")
    if isinstance(value, type) and issubclass(value, tree):
        if not _is_tree(value, tree):
            raise TargetError(f"{target}: {class_name} declares no children")
        return value
    if not isinstance(value, type) or not issubclass(value, base):
        raise TargetError(f"{target}: {class_name} is not a subclass of swarmage.Worker or swarmage.Supervisor")
    if not _is_worker(target, value, base):
        raise TargetError(f"{target}: {class_name} has no method under @ability")
    return value


def _is_tree(value: type, tree: type) -> bool:
    return issubclass(value, tree) and bool(getattr(value, "children", ()))


def _is_worker(target: str, value: type, base: type) -> bool:
    if not issubclass(value, base) or value is base or inspect.isabstract(value):
        return False
    try:
        return bool(abilities_of(value))
    except SwarmageError as error:
        raise TargetError(f"{target}: {error}") from error


def _module_name(target: str, place: str) -> str:
    """Return the dotted name of a module or of a path to one; a path elsewhere is made importable."""
    if not ("/" in place or place.endswith(".py")):
        if not place or not all(part.isidentifier() for part in place.split(".")):
            raise TargetError(f"{target}: is neither the name of a module nor a path to one")
        return place
    path = Path(place).resolve()
    if not path.exists():
        raise TargetError(f"{target}: there is no such file or folder (looked in {Path.cwd()})")
    module = path.with_suffix("") if path.is_file() else path
    if module.name == "__init__":
        module = module.parent
    root = Path.cwd()
    if not module.is_relative_to(root) or module == root:
        root = module.parent
        while (root / "__init__.py").exists():
            root = root.parent
        sys.path.insert(1, str(root))
    parts = module.relative_to(root).parts
    if not all(part.isidentifier() for part in parts) or (path.is_file() and path.suffix != ".py"):
        raise TargetError(f"{target}: cannot be imported: {'.'.join(parts)} is not the name of a module")
    return ".".join(parts)


def _import_all(target: str, name: str) -> Iterator[ModuleType]:
    module = _import(target, name)
    yield module
    for inside in pkgutil.iter_modules(getattr(module, "__path__", ()), name + "."):
        if inside.name.rpartition(".")[2] != "__main__":  # importing it would run the package's program
            yield from _import_all(target, inside.name)


def _import(target: str, name: str) -> ModuleType:
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise TargetError(f"{target}: No module named {error.name!r} (looked in {Path.cwd()})") from error
        raise TargetError(_import_failure(target, error)) from error
    except (Exception, SystemExit) as error:
        raise TargetError(_import_failure(target, error)) from error


def _import_failure(target: str, error: BaseException) -> str:
    last_line = traceback.format_exception_only(error)[-1].strip()
    return f"{target}: cannot be imported: {last_line} ({_place_of(error)})"


def _place_of(error: BaseException) -> str:
    """Return file:line of what the user wrote: the innermost frame below the current directory, else the innermost."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(Path.cwd())]
    frame = (own or frames)[-1]
    return f"{_shown(frame.filename)}:{frame.lineno}"


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
