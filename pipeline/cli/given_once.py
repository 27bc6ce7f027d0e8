"""Refuses an option that is given twice and holds once, of which click would drop the first."""

from __future__ import annotations

from collections.abc import Sequence

import click


def require(ctx: click.Context, command: click.Command, args: Sequence[str]) -> None:
  """Raises `click.UsageError` if a later option would silently replace an earlier one.

  Args:
    ctx: the context of the group that the command belongs to.
    command: the command, or a group of commands.
    args: its arguments; what cannot be parsed is left for the command to refuse.
  """
  inner = command.context_class(
    command, info_name=command.name, parent=ctx, **command.context_settings
  )
  if isinstance(command, click.Group):
    found = command.get_command(inner, args[0]) if args else None
    if found is not None:
      require(inner, found, args[1:])
    return
  try:
    _, _, order = command.make_parser(inner).parse_args(list(args))
  except click.UsageError:
    return
  for each in order:
    if isinstance(each, click.Option) and _holds_one(each) and order.count(each) > 1:
      name = max(each.opts, key=len)
      raise click.UsageError(
        f"{name} is given {order.count(each)} times, and only one of them would hold. Leave one.",
        inner,
      )


def _holds_one(option: click.Option) -> bool:
  return not (option.multiple or option.is_flag or option.count)
