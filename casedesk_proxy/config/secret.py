"""Where a secret is that the file needs and should not contain."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictStr, model_validator

from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import AbsolutePath, complain

__all__ = ["Secret"]


class Secret(Section):
    """Where a key is: exactly one of env, file and credential or, with a warning, the key
    itself."""

    env: StrictStr | None = setting("Name of the environment variable that holds it.", None)
    file: AbsolutePath | None = setting("Absolute path of a file that holds nothing else.", None)
    credential: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$")] | None = (
        setting("Name of a systemd credential (LoadCredential=, LoadCredentialEncrypted=).", None)
    )
    inline: StrictStr | None = setting(
        "The key itself; whoever reads the file has it, so loading warns.", None, shown=False
    )

    @model_validator(mode="before")
    @classmethod
    def _take_text(cls, value: Any) -> Any:
        return {"inline": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_one(self) -> Secret:
        given = [name for name in ("env", "file", "credential", "inline") if getattr(self, name)]
        if len(given) != 1:
            message = (
                f"names more than one source: {', '.join(given)}"
                if given
                else "does not say where the key is"
            )
            raise complain(message, "write exactly one of env, file and credential")
        return self
