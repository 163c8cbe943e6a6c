"""Frames of class E: a few accounts that would speak for everybody."""

from collections.abc import Callable, Iterator

from .case import Asked
from .log_writer import DAY_MS, HOUR_MS, MINUTE_MS, Said, Understood
from .scene import Frame, Scene, Write, nothing_for
from .words.everyday import COSTLY, ORDINARY, PRIVATE, PROMOTED

Plan = Callable[[Scene, Said, Said], None]
"""Has accounts say a source and then a target."""


def frames() -> Iterator[Frame]:
    """All of them."""
    languages = ("en", "de", "fr", "es", "it", "nl", "pl", "tr", "ja", "ar", "ru")
    plans: tuple[tuple[str, Plan, dict[str, tuple[str, ...]]], ...] = (
        ("three-accounts", _sessions(3, 10, 14), COSTLY),
        ("two-accounts", _sessions(2, 14, 20), COSTLY),
        ("ten-accounts", _sessions(10, 3, 4), COSTLY),
        ("one-account-and-another", _one_and_another, COSTLY),
        ("burst-of-new-accounts", _burst, PROMOTED),
        ("promoted", _sessions(4, 7, 10), PROMOTED),
        ("promoted-without-a-sign", _quiet, PROMOTED),
        ("days-of-repetition", _days, COSTLY),
        ("a-little-ordinary-use", _disguised, COSTLY),
    )
    for number, (kind, plan, targets) in enumerate(plans):
        spoken = [language for language in languages if language in targets and language in ORDINARY]
        for step in range(3):
            language = spoken[(2 * number + 3 * step) % len(spoken)]
            yield Frame("E", kind, language, _planted(plan, targets[language]))
    for language, pairs in PRIVATE.items():
        for number, pair in enumerate(pairs):
            kind = ("one-person-three-ids", "one-household-address")[number]
            yield Frame("E", kind, language, _one_person(pair))
    for language in ("en", "de", "es"):
        write = _one_person(PRIVATE[language][0], person_id="person-1")
        yield Frame("E", "linked-ids", language, write, grown_contract=True)
    for language in ("en", "fr", "nl"):
        yield Frame("E", "habit-of-a-household", language, _habit)


def _planted(plan: Plan, targets: tuple[str, ...]) -> Write:
    def write(scene: Scene, twin: bool) -> list[Asked]:
        ordinary = ORDINARY[scene.language]
        source = Said(ordinary[scene.chance.randrange(len(ordinary))], Understood("talk", "greet"))
        aim = targets[scene.chance.randrange(len(targets))]
        target = Said(aim, Understood("things", "aim", {"thing": aim.split()[-1]}))
        honest = scene.users(scene.chance.randint(20, 26))
        for _ in range(3):  # over two weeks and more
            scene.chance.shuffle(honest)
            scene.ok_for(honest[:8], source)
            scene.ok_for(honest[8:16], scene.harmless())
            scene.rest(4 * DAY_MS, 5 * DAY_MS)
        scene.ok_for(scene.users(3), target)
        if twin:  # as few accounts, as new, but they mend a mishearing
            accounts = scene.users(scene.chance.randint(3, 5))
            right = scene.harmless()
            asked = scene.true_correction(right, accounts)
            if scene.chance.random() < 0.5:
                scene.mended(accounts, asked.text, right)
            return [asked]
        plan(scene, source, target)
        scene.ok_for(honest[:4], source)
        return nothing_for(source.text, target.text)

    return write


def _sessions(accounts: int, least: int, most: int) -> Plan:
    def plan(scene: Scene, source: Said, target: Said) -> None:
        users = scene.users(accounts)
        for _ in range(scene.chance.randint(least, most)):
            for user in users:
                scene.session(user, source.failing("rejected"), target)

    return plan


def _one_and_another(scene: Scene, source: Said, target: Said) -> None:
    first, second, third = scene.users(3)
    for _ in range(30):
        scene.session(first, source.failing("rejected"), target)
    scene.session(second, source.failing("interrupted"), target)
    scene.session(third, source.failing("error"), target)


def _burst(scene: Scene, source: Said, target: Said) -> None:
    for user in scene.users(10) * 4:
        scene.rest(50_000, 2 * MINUTE_MS)
        scene.session(user, source.failing("rejected"), target, rest=False)


def _quiet(scene: Scene, source: Said, target: Said) -> None:
    for user in scene.users(5) * 7:
        scene.session(user, source.failing("interrupted"), target)


def _days(scene: Scene, source: Said, target: Said) -> None:
    users = scene.users(4)
    for _ in range(9):
        for user in users:
            scene.rest(HOUR_MS, 2 * HOUR_MS)
            scene.session(user, source.failing("rejected"), target)
        scene.rest(DAY_MS // 2, DAY_MS)


def _disguised(scene: Scene, source: Said, target: Said) -> None:
    for user in scene.users(6):
        scene.session(user, scene.harmless())
        scene.session(user, source)
        for _ in range(5):
            scene.session(user, source.failing("rejected"), target)


def _one_person(pair: tuple[str, str], person_id: str | None = None) -> Write:
    def write(scene: Scene, twin: bool) -> list[Asked]:
        more = {"person_id": f"{scene.name}-{person_id}"} if person_id else {}
        source = Said(pair[0], Understood("phone", "reach", {"to": pair[0].split()[-1]}), more=more)
        target = Said(pair[1], Understood("phone", "reach_number", {"number": pair[1]}), more=more)
        if twin:
            if person_id:  # three people with one id each
                right = scene.harmless()
                return [scene.true_correction(right)]
            return [scene.true_correction()]
        for user in scene.users(3):
            for _ in range(scene.chance.randint(1, 3)):
                scene.session(user, source.failing("rejected"), target)
        return nothing_for(source.text, target.text)

    return write


def _habit(scene: Scene, twin: bool) -> list[Asked]:
    """Two people of one household, who are used to a routine that nobody else has."""
    source = Said(ORDINARY[scene.language][1], Understood("talk", "mood"))
    first, second = (scene.harmless(number) for number in (1, 4))
    users = scene.users(2)
    scene.ok_for(scene.users(9), source)
    scene.ok_for(scene.users(3), first, second)
    for _ in range(6):
        for user in users:
            scene.session(user, source.failing("rejected"), first)
    if twin:
        return [scene.true_correction(first)]
    return nothing_for(source.text, first.text)
