from __future__ import annotations

from click.testing import CliRunner

from casedesk_proxy.cli import main
from tests.fixtures.table import table


@table(
    ("typed", "told"),
    [
        (["serv"], "No such command 'serv'. Did you mean serve?"),
        (["start"], "No such command 'start'. Did you mean serve?"),
        (["help"], "No such command 'help'. Did you mean --help?"),
        (["version"], "No such command 'version'. Did you mean --version?"),
        (["key", "delete", "alice"], "No such command 'delete'. Did you mean revoke?"),
        (["user", "delete", "alice"], "No such command 'delete'. Did you mean remove?"),
        (["user", "show"], "No such command 'show'. Did you mean list?"),
        (["user", "version"], "No such command 'version'."),
        (["xyzzy"], "No such command 'xyzzy'."),
    ],
)
def test_what_was_meant(typed: list[str], told: str) -> None:
    result = CliRunner().invoke(main, typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: {told}\n")
