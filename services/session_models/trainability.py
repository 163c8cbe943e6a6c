"""Trainability: whether a model can be trained here at all."""

import importlib.util


def why_not_trained(section: str, *, train: bool) -> str | None:
    """Why nothing can be trained; None: it can.

    Args:
        section: of the settings.
        train: what it says there.
    """
    if not train:
        return f"[{section}] train is false"
    if importlib.util.find_spec("torch") is None:
        return "install rehear with the extra `train`"
    return None
