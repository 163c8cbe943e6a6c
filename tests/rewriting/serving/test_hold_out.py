"""The hold-out: what is kept back from whom, and what the answer says of it."""

import pytest

from rewriting.serving.arm import CONTROL_ARM, TREATMENT_ARM, Arm
from rewriting.serving.hold_out import HoldOut, ServedAnswer
from rewriting.serving.settings import SERVE_ALL, ArmSettings, ServingSettings
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LiveRewrite, LookupAnswer
from rewriting.table.rewrite import GLOBAL, Method, RewriteId, Scope, TableVersion, user_scope
from streams.turn import AssistantId, UserId

HOME, ANN = AssistantId("home"), UserId("ann")
OWN = user_scope(ANN)
GLOBAL_ONLY = Arm("global")
TWO_ARMS = ServingSettings(exploration=0, arms={"global": ArmSettings(share=0.5, scopes="global")})
NOTHING = LookupAnswer(None, AbstainReason.NO_REWRITE_KNOWN, TableVersion(3))


def rewrite(scope: Scope = GLOBAL, method: Method = "chain", name: str = "r") -> LiveRewrite:
    return LiveRewrite(RewriteId(name), "play jazz", method, scope, 0.9)


def answer(found: LiveRewrite) -> LookupAnswer:
    return LookupAnswer(found, None, TableVersion(3))


def served(
    settings: ServingSettings, arm: Arm, known: LookupAnswer, passed_over: LiveRewrite | None = None
) -> ServedAnswer:
    return HoldOut(settings).served(known, arm, HOME, ANN, "play it", 1_700_000_000_000, passed_over)


def held_out(arm: Arm, name: str = "r") -> ServedAnswer:
    kept = LookupAnswer(None, AbstainReason.HELD_OUT, TableVersion(3))
    return ServedAnswer(kept, arm, RewriteId(name))


@pytest.mark.parametrize("scope", [GLOBAL, OWN])
@pytest.mark.parametrize("method", ["chain", "answer", "rephrase", "retrieval"])
def test_control_is_served_nothing_and_told_what_it_would_have_been(scope: Scope, method: Method) -> None:
    known = answer(rewrite(scope, method))
    assert served(TWO_ARMS, CONTROL_ARM, known) == held_out(CONTROL_ARM)
    assert served(TWO_ARMS, TREATMENT_ARM, known) == ServedAnswer(known, TREATMENT_ARM)


@pytest.mark.parametrize("arm", [CONTROL_ARM, TREATMENT_ARM, GLOBAL_ONLY])
def test_what_a_user_has_taught_is_never_kept_back(arm: Arm) -> None:
    everything = ServingSettings(exploration=1, arms=TWO_ARMS.arms)
    known = answer(rewrite(OWN, "taught"))
    assert served(everything, arm, known) == ServedAnswer(known, arm)


@pytest.mark.parametrize("arm", [CONTROL_ARM, TREATMENT_ARM, GLOBAL_ONLY])
def test_where_nothing_would_have_been_rewritten_the_reason_stays(arm: Arm) -> None:
    everything = ServingSettings(exploration=1, arms=TWO_ARMS.arms)
    assert served(everything, arm, NOTHING) == ServedAnswer(NOTHING, arm)


def test_an_explored_request_stays_in_its_arm() -> None:
    everything = ServingSettings(control=0, exploration=1, arms=TWO_ARMS.arms)
    for arm in (TREATMENT_ARM, GLOBAL_ONLY):
        assert served(everything, arm, answer(rewrite())) == held_out(arm)


def test_an_arm_of_global_rows_is_served_no_row_of_the_users() -> None:
    hold_out = HoldOut(TWO_ARMS)
    assert not hold_out.takes(GLOBAL_ONLY, rewrite(OWN))
    assert hold_out.takes(GLOBAL_ONLY, rewrite(OWN, "taught"))
    assert hold_out.takes(GLOBAL_ONLY, rewrite())
    assert hold_out.takes(GLOBAL_ONLY, None)
    assert hold_out.takes(CONTROL_ARM, rewrite(OWN))  # it is to be told what was kept from it
    assert [hold_out.uses_history(arm) for arm in (CONTROL_ARM, TREATMENT_ARM, GLOBAL_ONLY)] == [
        *(True, True, False)
    ]
    assert served(TWO_ARMS, GLOBAL_ONLY, answer(rewrite(OWN))) == held_out(GLOBAL_ONLY)
    assert served(TWO_ARMS, GLOBAL_ONLY, NOTHING, rewrite(OWN, name="own")) == held_out(GLOBAL_ONLY, "own")


def test_what_is_served_in_the_place_of_a_row_that_is_passed_over_is_not_kept_back() -> None:
    known = answer(rewrite())
    assert served(TWO_ARMS, GLOBAL_ONLY, known, rewrite(OWN, name="own")) == ServedAnswer(known, GLOBAL_ONLY)


def test_settings_that_serve_all_keep_nothing_back() -> None:
    hold_out = HoldOut(SERVE_ALL)
    for number in range(2_000):
        user = UserId(f"u{number}")
        assert hold_out.arm_of(HOME, user) == TREATMENT_ARM
        known = answer(rewrite())
        assert hold_out.served(known, TREATMENT_ARM, HOME, user, "x", number).answer is known
