"""A group of commands that says which one was probably meant."""

from __future__ import annotations

import click

__all__ = ["CommandGroup"]

#: What is typed for a command, because other programs call it so: the first one that a group has
#: was meant.
_OTHER_WORDS = {
    "add": ("new",), "change": ("set",), "create": ("new",), "delete": ("revoke", "remove"),
    "get": ("list",), "help": ("--help",), "ls": ("list",), "ps": ("status",),
    "remove": ("revoke",), "renew": ("rotate",), "revoke": ("remove",),
    "rm": ("revoke", "remove"), "run": ("serve",), "setup": ("init",), "show": ("list", "status"),
    "start": ("serve",), "stats": ("usage",), "test": ("doctor",), "update": ("set",),
    "validate": ("check",), "version": ("--version",),
}  # fmt: skip


class CommandGroup(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = self._find_meant(ctx, args[0])
            if meant is None:
                raise
            message = f"{error.message.rstrip('.')}. Did you mean {meant}?"
            raise click.UsageError(message, ctx) from None

    def _find_meant(self, ctx: click.Context, typed: str) -> str | None:
        # Imported here: only a mistake needs it.
        from casedesk_proxy.config.wording import nearest

        known = self.list_commands(ctx)
        options = [name for one in self.get_params(ctx) for name in one.opts]
        others = _OTHER_WORDS.get(typed.lower(), ())
        return next((one for one in others if one in known or one in options), None) or nearest(
            typed, known
        )
