"""When a hyperparameter matters at all: its conditions on others, checked, ordered, evaluated."""

def _check_conditions(space: Space, name: str, span: Range) -> None:
    for parent, allowed in (span.when or {}).items():
        if parent not in NAMES:
            raise SpaceError(
                f"the condition of `{name}` names `{parent}`, which is no hyperparameter; "
                f"{suggestion(parent, NAMES)}"
            )
        for value in allowed:
            if not _can_be(space, parent, value):
                raise SpaceError(
                    f"the condition of `{name}` needs `{parent}` = {value!r}, which it can never "
                    f"be here; add {value!r} to the range of `{parent}`, or drop the condition."
                )


def _can_be(space: Space, name: str, value: Any) -> bool:
    if name in space.ranges:
        return space.ranges[name].has(value)
    return bool(space.fixed.get(name, getattr(_DEFAULTS, name)) == value)


def _parents_first(ranges: Mapping[str, Range]) -> tuple[str, ...]:
    """Names so that whatever a condition asks about comes before it."""
    order: list[str] = []
    waiting = list(ranges)
    while waiting:
        ready = [
            name
            for name in waiting
            if not any(parent in waiting for parent in (ranges[name].when or {}))
        ]
        if not ready:
            raise SpaceError(
                f"conditions must not run in a circle, got one through {', '.join(waiting)}; "
                "drop one of them."
            )
        order += ready
        waiting = [name for name in waiting if name not in ready]
    return tuple(order)
