"""The arms: the same draw everywhere and for ever, of the shares that are set."""

import subprocess
import sys

import pytest

from rewriting.errors import RewritingError, ServingSettingsError
from rewriting.serving.arm import CONTROL_ARM, TREATMENT_ARM, Arms
from rewriting.serving.settings import SERVE_ALL, ArmSettings, ServingSettings
from streams.turn import AssistantId, UserId

HOME, CAR = AssistantId("home"), AssistantId("car")
NOW_MS = 1_700_000_000_000
USERS = [UserId(f"u{number}") for number in range(20_000)]
FIRST_CONTROLS = [15, 23, 56, 73, 81, 87, 98]
"""Of the first 120 users of "home". Users who were in an arm stay in it from version to version."""


def of_arm(arms: Arms, arm: str, assistant: AssistantId = HOME) -> set[UserId]:
    return {user for user in USERS if arms.of(assistant, user) == arm}


def test_the_same_users_are_in_control_in_every_version_and_process() -> None:
    arms = Arms(ServingSettings())
    assert [n for n in range(120) if arms.of(HOME, USERS[n]) == CONTROL_ARM] == FIRST_CONTROLS
    program = (
        "from rewriting.serving.arm import Arms\n"
        "from rewriting.serving.settings import ServingSettings\n"
        "arms = Arms(ServingSettings())\n"
        "print([n for n in range(120) if arms.of('home', f'u{n}') == 'control'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(FIRST_CONTROLS)


def test_shares_are_met_and_every_user_is_in_one_arm() -> None:
    third = ArmSettings(share=0.3)
    arms = Arms(ServingSettings(control=0.1, arms={"global": third, "late": ArmSettings(share=0.2)}))
    counts = {arm: len(of_arm(arms, arm)) / len(USERS) for arm in arms.shares}
    assert counts == pytest.approx(
        {"control": 0.1, "global": 0.3, "late": 0.2, "treatment": 0.4}, abs=0.015
    )  # four standard deviations of 20,000 draws
    assert sum(counts.values()) == pytest.approx(1)
    assert arms.shares == pytest.approx({"control": 0.1, "global": 0.3, "late": 0.2, "treatment": 0.4})


def test_all_and_none_are_exact() -> None:
    assert of_arm(Arms(SERVE_ALL), CONTROL_ARM) == set()
    assert of_arm(Arms(ServingSettings(control=1)), CONTROL_ARM) == set(USERS)
    whole = ServingSettings(control=0.1, arms={"a": ArmSettings(share=0.2), "b": ArmSettings(share=0.7)})
    assert of_arm(Arms(whole), TREATMENT_ARM) == set()


def test_salt_and_assistant_draw_others() -> None:
    plain = of_arm(Arms(ServingSettings()), CONTROL_ARM)
    for other in (
        of_arm(Arms(ServingSettings(salt="autumn")), CONTROL_ARM),
        of_arm(Arms(ServingSettings()), CONTROL_ARM, CAR),
    ):
        assert len(other) == pytest.approx(1_000, abs=125)
        assert len(plain & other) < 100  # 50 by chance


def test_control_keeps_its_users_whatever_other_arms_there_are() -> None:
    arms = {"global": ArmSettings(share=0.4, scopes="global"), "all": ArmSettings(share=0.4)}
    changed = Arms(ServingSettings(arms=arms))
    assert of_arm(changed, CONTROL_ARM) == of_arm(Arms(ServingSettings()), CONTROL_ARM)


def test_the_order_in_which_arms_are_written_does_not_matter() -> None:
    one, two = ArmSettings(share=0.3), ArmSettings(share=0.4)
    forth, back = ServingSettings(arms={"a": one, "b": two}), ServingSettings(arms={"b": two, "a": one})
    assert of_arm(Arms(forth), "a") == of_arm(Arms(back), "a")


def test_ids_that_read_alike_when_joined_are_told_apart() -> None:
    half = Arms(ServingSettings(control=0.5))
    pairs = [(("ab", f"c{n}"), ("a", f"bc{n}")) for n in range(200)]
    differ = sum(
        half.of(AssistantId(one[0]), UserId(one[1])) != half.of(AssistantId(two[0]), UserId(two[1]))
        for one, two in pairs
    )
    assert differ > 50


def test_a_request_is_explored_by_user_text_and_time() -> None:
    arms = Arms(ServingSettings(exploration=0.5))
    times = range(NOW_MS, NOW_MS + 2_000)
    drawn = [arms.is_explored(HOME, USERS[0], "Play it!", ts_ms) for ts_ms in times]
    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.05)
    assert drawn == [arms.is_explored(HOME, USERS[0], " play IT", ts_ms) for ts_ms in times]
    for assistant, user, text in (
        (CAR, USERS[0], "play it"),
        (HOME, USERS[1], "play it"),
        (HOME, USERS[0], "no"),
    ):
        other = [arms.is_explored(assistant, user, text, ts_ms) for ts_ms in times]
        agree = sum(one == two for one, two in zip(drawn, other, strict=True)) / len(drawn)
        assert agree == pytest.approx(0.5, abs=0.05)  # independent draws


def test_who_is_in_control_says_nothing_of_which_requests_are_explored() -> None:
    arms = Arms(ServingSettings(control=0.5, exploration=0.5))
    explored = {user for user in USERS if arms.is_explored(HOME, user, "", NOW_MS)}
    both = len(explored & of_arm(arms, CONTROL_ARM)) / len(USERS)
    assert both == pytest.approx(0.25, abs=0.02)


def test_no_exploration_explores_nothing() -> None:
    arms = Arms(SERVE_ALL)
    assert not any(arms.is_explored(HOME, USERS[0], "play it", NOW_MS + n) for n in range(2_000))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"control": 1.5}, "control is 1.5; it must be from 0 to 1"),
        ({"control": float("nan")}, "control is nan"),
        ({"exploration": -0.1}, "exploration is -0.1"),
        ({"salt": "ä" * 33}, "salt has 66 bytes; 64 is the most"),
        ({"arms": {"control": ArmSettings(share=0.1)}}, "arms.control: there is always an arm of this name"),
        ({"arms": {"treatment": ArmSettings(share=0.1)}}, "arms.treatment: there is always"),
        ({"arms": {"A/B": ArmSettings(share=0.1)}}, "'A/B' is no name of an arm"),
        ({"arms": {"late": ArmSettings(share=-1)}}, "arms.late.share is -1"),
        (
            {"control": 0.5, "arms": {"late": ArmSettings(share=0.6)}},
            "control and the shares of arms add up to 1.1; 1 is the most",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ServingSettingsError, match=complaint) as caught:
        ServingSettings(**settings)  # type: ignore[arg-type]  # each value is of its type
    assert isinstance(caught.value, RewritingError)
    assert isinstance(caught.value, ValueError)
