"""A group of commands that knows a remedy for a name that is none."""

from typing import Any

import typer
from typer.core import TyperGroup

from fleetgrad.errors import UsageError, suggestion


class Commands(TyperGroup):
    """Commands by name; an unknown name is a `UsageError` with the nearest one."""

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The command of this name.

        Raises:
            UsageError: There is none.
        """
        found = super().get_command(ctx, cmd_name)
        if found is None and not cmd_name.startswith("-"):
            raise UsageError(
                f"`{cmd_name}` is no command of `{ctx.command_path}`; "
                f"{suggestion(cmd_name, self.commands)}"
            )
        return found
