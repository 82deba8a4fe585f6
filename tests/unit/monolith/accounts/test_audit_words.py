"""Every word that the code writes into the audit log fits its column."""

import ast
import re
from pathlib import Path

from federated_imputation.monolith.accounts.models import AuditLog

MONOLITH = Path(__file__).parents[4] / "federated_imputation" / "monolith"
# Functions of our own that take the word as a positional argument.
WRITER = re.compile(r"(^|\.)(_(audit|change|keep|record)\w*|audit)$")


def _texts(*nodes):
    """The literal texts in expressions: one each, or the two of a conditional."""
    return {
        each.value
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _words(tree):
    """What is named `action`, or is given to a function that writes the log."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="action", value=value):
                yield from _texts(value)
            case ast.Assign(targets=[ast.Name("action")], value=value):
                yield from _texts(value)
            case ast.arguments(kwonlyargs=named, kw_defaults=defaults):
                for argument, default in zip(named, defaults, strict=True):
                    if argument.arg == "action" and default is not None:
                        yield from _texts(default)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if key is not None and _texts(key) == {"action"}:
                        yield from _texts(value)
            case ast.Call(func=func, args=arguments) if WRITER.search(ast.unparse(func)):
                yield from _texts(*arguments)


def test_every_action_that_the_code_names_fits():
    words = {
        word
        for path in MONOLITH.rglob("*.py")
        if "migrations" not in path.parts
        for word in _words(ast.parse(path.read_text()))
    }
    assert words >= {
        *("admin_change", "create_job", "data_access", "login_locked", "revoke_permission"),
        *("system_config", "toggle_user_active", "update_group", "update_profile"),
    }
    longest = AuditLog._meta.get_field("action").max_length
    assert longest == 20
    assert [word for word in sorted(words) if len(word) > longest] == []
