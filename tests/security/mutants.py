"""Checks that are taken out of the code one at a time: what a mutant is, and how it is put to work.

A mutant is one place in one module. Most of them are a changed function: the module is compiled
again with the change, and each function that lives in the process is given its new code, so
nothing has to be imported anew. The others change a class or a table of the module.

| what | becomes |
| --- | --- |
| an entry of `permission_classes`, or of what `get_permissions` returns | is gone |
| `requires(…)`, `in_scope(…)` in `permission_classes` | `SignedIn`; the scope of another area |
| `AllowAny` | nobody: the rows must say that the view is open |
| `if …: raise` a refusal | the refusal is gone |
| `require_…()`, `refuse_…()` | is not called |
| a read that refuses (`owned(…)`) | a plain read of the row |
| `.filter(user_id=…)`, `Q(…)`, `.get(…)` | without that condition |
| `has_permission` and other decisions (`-> bool`) | `True` |
| `rights.may(…)`, `user.is_superuser`, `compare_digest(…)` | `True` |
| a capability of a role | the role below has it, too |
| what a right implies | one thing more |
| a set of privileged fields | without one of them |
"""

import ast
import gc
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, TypeGuard
from uuid import UUID

from django.db.models import Model
from rest_framework.permissions import AllowAny

from apps.shared.identity.permissions import AREAS, DenyAll, SignedIn, in_scope

__all__ = ["Mutant", "mutants_of"]

_REFUSALS: Final = re.compile(
    r"PermissionDenied|NotFound|NotAuthenticated|AuthenticationFailed|Http404|AccessDenied"
    r"|InvalidToken|BadToken|TokenRejected|BadCredentials|Unknown|NoSuch\w+|\w*NotFound"
    r"|LinkRefused|LoginRefused"
)
_ASKED: Final = re.compile(r"_?(refuse|require)_\w+")
_ANSWERS: Final = {"may", "may_at", "may_submit_to", "_may", "compare_digest", "fits_user"}
_FLAGS: Final = {"is_superuser", "is_staff", "is_admin"}
_READS: Final = {"filter", "get", "exclude", "get_object_or_404", "Q"}
# Whose a row is, and whether it is in force. What one call reads for many (`…__in={… for …}`) is
# picked by key afterwards, so without the condition it reads more and tells the same.
_CONDITIONS: Final = re.compile(
    r"(\w+__)?(user|user_id|owner|job_id|service|service_id|current_jti|user_digest|active)(__in)?"
    r"|(\w+__)?(is_active|has_access)|(\w+__)?(expires_at|revoked_at)__(gt|isnull)"
    r"|jti|hash|output__hash|path"
)
_DECIDES: Final = re.compile(r"has_(\w+_)?permission|_?may\w*|_?is_\w+|_?fits_\w+")
_UNCHECKED: Final = "_unchecked_read"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One check less.

    Attributes:
        module: Dotted name.
        number: Which of the module's mutants, from 0.
        line: In the source of the module.
        what: The check, as it is written.
        functions: The code of these functions changes: qualified name and first line.
        view: The class whose attribute changes, when no function does.
        apply: Puts it to work in this process, for good.
    """

    module: str
    number: int = 0
    line: int
    what: str
    functions: frozenset[tuple[str, int]]
    view: type[Any] | None
    apply: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.what}"


def mutants_of(module: ModuleType) -> Iterator[Mutant]:
    """All mutants of one module that is imported."""
    found = chain(_of_functions(module), _of_classes(module), _of_tables(module))
    for number, mutant in enumerate(found):
        yield replace(mutant, number=number)


@dataclass(frozen=True, kw_only=True)
class _Site:
    """A place in a syntax tree; `change` changes that tree."""

    line: int
    what: str
    change: Callable[[], None]


def _of_functions(module: ModuleType) -> Iterator[Mutant]:
    _living_functions()  # looked up before anything forks
    source = _source(module)
    original = _codes(compile(source, str(module.__file__), "exec"))
    for number, site in enumerate(_sites(ast.parse(source), module)):
        tree = ast.parse(source)
        list(_sites(tree, module))[number].change()
        changed = _codes(compile(ast.fix_missing_locations(tree), str(module.__file__), "exec"))
        new = {key: code for key, code in changed.items() if code != original.get(key)}
        new.pop(("<module>", 1), None)
        if new:
            yield Mutant(
                module=module.__name__,
                line=site.line,
                what=site.what,
                functions=frozenset(_innermost(new)),
                view=None,
                apply=partial(_give, module, new),
            )


def _source(module: ModuleType) -> str:
    # `inspect.getsource` fails on the empty `__init__` of a package.
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def _codes(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """Every code object below `code`, by qualified name and first line."""
    found = {(code.co_qualname, code.co_firstlineno): code}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _codes(constant)
    return found


def _innermost(new: Mapping[tuple[str, int], CodeType]) -> Iterator[tuple[str, int]]:
    """Functions hold those that are defined in them: of both, the inner one is the changed one."""
    for name, line in new:
        if not any(other.startswith(f"{name}.") for other, _ in new):
            yield name.split(".<locals>.<")[0], line


def _give(module: ModuleType, new: Mapping[tuple[str, int], CodeType]) -> None:
    module.__dict__[_UNCHECKED] = _unchecked_read
    for function in _living_functions().get(str(module.__file__), []):
        code = new.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if code is not None:
            function.__code__ = code


@cache
def _living_functions() -> dict[str, list[FunctionType]]:
    """By file."""
    found: dict[str, list[FunctionType]] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType:  # a proxy would look itself up for isinstance()
            found.setdefault(thing.__code__.co_filename, []).append(thing)
    return found


def _unchecked_read(model: type[Model], *given: Any, **named: Any) -> Model:
    # What a row belongs to comes by name, beside its own id.
    own = [value for name, value in named.items() if name not in {"service_id", "user_id", "by"}]
    ids = [v for v in (*given, *own, *named.values()) if isinstance(v, int | str | UUID)]
    return model._default_manager.get(pk=ids[0])


def _sites(tree: ast.Module, module: ModuleType) -> Iterator[_Site]:
    """The places in functions, in the order of the source."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            if (
                _DECIDES.fullmatch(function.name)
                and _name(function.returns) == "bool"
                and not _is_true_already(function)
            ):
                yield _always_true(function)
            for node in _own_nodes(function):
                yield from _sites_at(node, function, module)


def _is_true_already(function: ast.FunctionDef) -> bool:
    match function.body:
        case [*_, ast.Return(value=ast.Constant(value=True))]:
            return all(isinstance(statement, ast.Expr) for statement in function.body[:-1])
    return False


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What stands in a function, but not in a function in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting += [c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.FunctionDef)]


def _sites_at(node: ast.AST, function: ast.FunctionDef, module: ModuleType) -> Iterator[_Site]:
    match node:
        case ast.If(body=[ast.Raise(exc=refusal), *_]) if refusal and _REFUSALS.fullmatch(
            _name(refusal)
        ):
            yield _never(node)
        case ast.If(body=[ast.Return(value=ast.Constant(value=False))]) if _DECIDES.fullmatch(
            function.name
        ):
            yield _never(node)
        case ast.Expr(value=ast.Call(func=asked)) if _ASKED.fullmatch(_name(asked)):
            yield _not_called(node)
        case ast.Return(value=ast.List(elts=[_, *_] as entries)) if (
            function.name == "get_permissions"
        ):
            yield _without(entries, 0, node)
        case ast.Return(value=ast.IfExp() as chosen) if function.name == "get_permissions":
            for branch in (chosen.body, chosen.orelse):
                if isinstance(branch, ast.List):
                    yield _without(branch.elts, 0, branch)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield from _sites_in(node, name, value, module)
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, ast.expr):
                    yield from _sites_in(value, index, entry, module)
    if isinstance(node, ast.Call) and _name(node.func) in _READS:
        for index, keyword in enumerate(node.keywords):
            if (
                keyword.arg
                and _CONDITIONS.fullmatch(keyword.arg)
                and not isinstance(keyword.value, ast.SetComp)
            ):
                yield _without_condition(node, index)


def _sites_in(holder: Any, place: Any, value: ast.expr, module: ModuleType) -> Iterator[_Site]:
    """Expressions that become another expression where they stand."""
    if isinstance(value, ast.Call):
        if _name(value.func) in _ANSWERS:
            yield _put(holder, place, value, ast.Constant(value=True))
        model = _model_read(value.func, module)
        if model is not None:
            unchecked = ast.Call(
                func=ast.Name(id=_UNCHECKED, ctx=ast.Load()),
                args=[_model(model), *value.args],
                keywords=value.keywords,
            )
            yield _put(holder, place, value, unchecked)
    elif isinstance(value, ast.Attribute) and value.attr in _FLAGS:
        yield _put(holder, place, value, ast.Constant(value=True))


def _model_read(called: ast.expr, module: ModuleType) -> type[Model] | None:
    """The model that a read returns, if it refuses those who may not see the row."""
    function = _resolved(called, module)
    if not isinstance(function, FunctionType):
        return None
    returned = function.__annotations__.get("return")
    return returned if _is_model(returned) and _refuses(function) else None


def _resolved(called: ast.expr, module: ModuleType) -> object:
    """What `name` or `imported.name` is in the module; `None` for anything else."""
    match called:
        case ast.Name(id=name):
            return module.__dict__.get(name)
        case ast.Attribute(value=ast.Name(id=package), attr=name):
            return getattr(module.__dict__.get(package), name, None)
    return None


@cache
def _refuses(function: FunctionType) -> bool:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(
        isinstance(node, ast.Raise) and _REFUSALS.fullmatch(_name(node.exc))
        for node in ast.walk(tree)
    )


def _is_model(returned: object) -> TypeGuard[type[Model]]:
    return inspect.isclass(returned) and issubclass(returned, Model)


def _model(model: type[Model]) -> ast.expr:
    """An expression for the model that needs no import."""
    text = f"__import__('sys').modules[{model.__module__!r}].{model.__name__}"
    return ast.parse(text, mode="eval").body


def _put(holder: Any, place: Any, old: ast.expr, new: ast.expr) -> _Site:
    # What stood there stays behind a False: the function keeps the variables that it closes over.
    kept = ast.IfExp(test=ast.Constant(value=True), body=new, orelse=old)

    def change() -> None:
        ast.copy_location(kept, old)
        if isinstance(holder, list):
            holder[place] = kept
        else:
            setattr(holder, place, kept)

    return _Site(line=old.lineno, what=f"{_short(old)} → {_short(new)}", change=change)


def _never(node: ast.If) -> _Site:
    def change() -> None:
        node.test = ast.BoolOp(op=ast.And(), values=[ast.Constant(value=False), node.test])

    return _Site(line=node.lineno, what=f"if {_short(node.test)}: refuse", change=change)


def _not_called(node: ast.Expr) -> _Site:
    def change() -> None:
        node.value = ast.BoolOp(op=ast.And(), values=[ast.Constant(value=False), node.value])

    return _Site(line=node.lineno, what=_short(node), change=change)


def _always_true(function: ast.FunctionDef) -> _Site:
    def change() -> None:
        function.body.insert(0, ast.Return(value=ast.Constant(value=True)))

    return _Site(line=function.lineno, what=f"{function.name} → True", change=change)


def _without(entries: list[ast.expr], index: int, node: ast.AST) -> _Site:
    def change() -> None:
        del entries[index]

    return _Site(
        line=getattr(node, "lineno", 0), what=f"permission {_short(entries[index])}", change=change
    )


def _without_condition(call: ast.Call, index: int) -> _Site:
    keyword = call.keywords[index]

    def change() -> None:
        if _name(call.func) == "Q":  # an empty Q vanishes; this one holds for every row
            call.keywords[index] = ast.keyword(arg="pk__isnull", value=ast.Constant(value=False))
        else:
            del call.keywords[index]

    return _Site(
        line=keyword.value.lineno,
        what=f"{_name(call.func)}({keyword.arg}={_short(keyword.value)})",
        change=change,
    )


def _of_classes(module: ModuleType) -> Iterator[Mutant]:
    lines = _permission_lines(module)
    for view in _classes(module):
        own = view.__dict__.get("permission_classes", [])
        for index, permission in enumerate(own):
            rest = [*own[:index], *own[index + 1 :]]
            changes: dict[str, list[Any]] = {}
            if permission is AllowAny or permission.__name__ == "Anyone":
                changes["AllowAny → nobody"] = [DenyAll]
            else:
                changes[f"{permission.__name__} is gone"] = rest
            if permission.__name__ == "Requires":
                changes["Requires → SignedIn"] = [*rest, SignedIn]
            if permission.__name__ == "InScope":
                area = permission.of
                other = AREAS[(AREAS.index(area) + 1) % len(AREAS)]
                changes[f"in_scope({area}) → in_scope({other})"] = [*rest, in_scope(other)]
            for what, classes in changes.items():
                yield Mutant(
                    module=module.__name__,
                    line=lines.get(view.__qualname__, 0),
                    what=f"{view.__qualname__}: {what}",
                    functions=frozenset(),
                    view=view,
                    apply=partial(setattr, view, "permission_classes", classes),
                )


def _classes(module: ModuleType) -> Iterator[type[Any]]:
    for thing in vars(module).values():
        if inspect.isclass(thing) and thing.__module__ == module.__name__:
            yield thing


def _permission_lines(module: ModuleType) -> dict[str, int]:
    found = {}
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.ClassDef):
            for entry in node.body:
                if isinstance(entry, ast.Assign) and _name(entry.targets[0]) == (
                    "permission_classes"
                ):
                    found[node.name] = entry.lineno
    return found


def _of_tables(module: ModuleType) -> Iterator[Mutant]:
    """Tables of capabilities and rights, and sets of privileged fields."""
    for name in ("ROLE_CAPABILITIES", "_IMPLIED"):
        table = module.__dict__.get(name)
        if isinstance(table, dict) and _is_own(module, name):
            yield from _more_rights(module, name, table)
    for name in ("PRIVILEGED", "_OF_SUPERUSERS"):
        fields = module.__dict__.get(name)
        if isinstance(fields, frozenset) and _is_own(module, name):
            for field in sorted(fields):
                yield _table_mutant(
                    module,
                    name,
                    f"without {field}",
                    partial(module.__dict__.update, {name: fields - {field}}),
                )


def _is_own(module: ModuleType, name: str) -> bool:
    return any(
        isinstance(node, ast.Assign | ast.AnnAssign)
        and name in {_name(t) for t in getattr(node, "targets", None) or [node.target]}  # type: ignore[union-attr]
        for node in ast.parse(_source(module)).body
    )


def _more_rights(
    module: ModuleType, name: str, table: dict[str, frozenset[str]]
) -> Iterator[Mutant]:
    holders = list(table)
    everything = sorted(frozenset().union(*table.values()))
    for above, holder in zip([None, *holders], holders, strict=False):
        extra = everything if above is None or name == "_IMPLIED" else sorted(table[above])
        for right in extra:
            if right not in table[holder]:
                yield _table_mutant(
                    module,
                    name,
                    f"{holder} has {right}, too",
                    partial(table.update, {holder: table[holder] | {right}}),
                )


def _table_mutant(module: ModuleType, name: str, what: str, apply: Callable[[], None]) -> Mutant:
    line = next(
        (
            node.lineno
            for node in ast.parse(_source(module)).body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and name in {_name(t) for t in getattr(node, "targets", None) or [node.target]}  # type: ignore[union-attr]
        ),
        0,
    )
    readers = frozenset(
        (code.co_qualname.split(".<locals>.<")[0], code.co_firstlineno)
        for code in _codes(compile(_source(module), "m", "exec")).values()
        if name in code.co_names and code.co_qualname != "<module>"
    )
    return Mutant(
        module=module.__name__,
        line=line,
        what=f"{name}: {what}",
        functions=readers,
        view=None,
        apply=apply,
    )


def _name(node: ast.expr | None) -> str:
    """The last name of `a.b.c(…)`, `c` and the like; '' for what has none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=called):
            return _name(called)
    return ""


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    text = re.sub(r"__import__\('sys'\)\.modules\['[\w.]+'\]\.", "", text)
    return text if len(text) <= 70 else f"{text[:67]}…"
