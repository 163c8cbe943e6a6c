"""The file of the loop's world is read whole, and refused where it says what it cannot."""

from importlib.resources import files
from pathlib import Path

import pytest

from services.errors import SimulationError
from services.simulator.loop.settings import load_world

SHIPPED = (files("services.simulator.loop") / "world.toml").read_text("utf-8")


def test_a_copy_of_the_file_that_ships_is_the_same_world(tmp_path: Path) -> None:
    (tmp_path / "world.toml").write_text(SHIPPED)

    assert load_world(tmp_path / "world.toml") == load_world()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("songs = 10", "song = 10", "song"),
        (
            "leaves = 0.3",
            "leaves = 1.3",
            "users.leaves of the loop's world is 1.3: give",
        ),
        ("[released]", "[released", "world.toml"),
        ("accounts = 0.01", "", "accounts"),
    ],
)
def test_a_world_that_cannot_be_is_refused_with_the_name_of_what_is_wrong(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    (tmp_path / "world.toml").write_text(SHIPPED.replace(before, after, 1))

    with pytest.raises(SimulationError, match=told):
        load_world(tmp_path / "world.toml")


def test_a_world_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"nowhere\.toml"):
        load_world(tmp_path / "nowhere.toml")
