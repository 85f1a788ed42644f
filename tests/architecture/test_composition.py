"""The service is put together once: who needs all of it asks for it, so that a new part can be forgotten nowhere."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICERS = "billing_service/api/services.py"


def calls(*folders):
    """(file, name of what is called)."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield str(path.relative_to(ROOT)), ast.unparse(node.func).rpartition(".")[2]


def test_one_module_lists_the_servicers():
    servicers = {
        node.name
        for path in (ROOT / "billing_service/api/servicers").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and "_environment" in ast.unparse(node)
    }
    made = {(path, name) for path, name in calls("billing_service", "tests") if name in servicers}
    assert servicers
    assert {name for path, name in made if path == SERVICERS} == servicers
    alone = {("tests/simulation/test_customers_keep_up.py", "Selling")}
    assert {each for each in made if each[0] != SERVICERS} == alone, "all of them come from services_of"


def test_two_modules_make_an_environment():
    made = {path for path, name in calls("billing_service", "tests") if name == "Environment"}
    assert made == {"billing_service/bootstrap.py", "tests/support/environments.py"}


def test_an_environment_makes_its_own_writer_and_reader():
    made = {path for path, name in calls("billing_service") if name in {"LedgerWriter", "BalanceReader"}}
    assert made == {"billing_service/commands/environment.py"}
