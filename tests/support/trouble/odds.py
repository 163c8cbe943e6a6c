"""Frames of the classes H to K: small shares, times that say nothing, old rows, long sessions."""

from collections.abc import Iterator
from dataclasses import replace

from .case import Asked
from .log_writer import DAY_MS, HOUR_MS, Said, Understood
from .mishearing import misheard
from .scene import Frame, Scene, Write, nothing_for
from .words.both_done import FAMILIES, OPPOSITES
from .words.everyday import HARMLESS, ORDINARY
from .words.shares import CUT_OFF, NO_REFERENT, NOISE, OPEN_ENDED, THING_ALONE, WAKE_WORDS
from .words.what_follows import GIVING_UP


def frames() -> Iterator[Frame]:
    """All of them."""
    yield from _small_shares()
    yield from _no_order()
    yield from _grown_old()
    yield from _long_sessions()


# H: what never succeeds is rewritten to its commonest sequel.


def _many_ways(scene: Scene, source: Said, targets: list[Said], most: int, given_up: int) -> None:
    """The first target for `most` users, each other one for two; so many give up beside them."""
    for number, target in enumerate(targets):
        for user in scene.users(most if number == 0 else 2):
            scene.session(user, source, target)
    scene.ok_for(scene.users(given_up), source)


def _small_shares() -> Iterator[Frame]:
    tables = (
        ("cut-off", CUT_OFF, 3, 0),
        ("no-referent", NO_REFERENT, 3, 1),
        ("open-ended", OPEN_ENDED, 3, 6),
        ("thing-alone", THING_ALONE, 3, 2),
    )
    for kind, table, most, silent in tables:
        for language, (text, completions) in table.items():

            def many(
                scene: Scene,
                twin: bool,
                texts: tuple[str, tuple[str, ...]] = (text, completions),
                odds: tuple[int, int] = (most, silent),
            ) -> list[Asked]:
                said = [
                    Said(text, Understood("things", f"do_{text.split()[0]}", {"thing": text}))
                    for text in texts[1]
                ]
                source = scene.failed(texts[0], how=scene.chance.choice(("error", "no_result")))
                _many_ways(scene, source, said, *odds)
                if twin:
                    right = max(said, key=lambda one: len(one.text))
                    return [scene.true_correction(right)]
                return nothing_for(source.text)

            yield Frame("H", kind, language, many)
    for language, wake in WAKE_WORDS.items():

        def woken(scene: Scene, twin: bool, wake: str = wake) -> list[Asked]:
            right, other = scene.harmless(0), scene.harmless(1)
            alone = Said(wake, status="no_result")
            _many_ways(scene, alone, [right, other], 3, 7)
            with_request = f"{wake}, {right.text}"
            scene.mended(scene.some(3, 5), with_request, right, "no_result")
            if twin:
                return [Asked(with_request, must_be=frozenset({right.text}))]
            return [*nothing_for(wake), Asked(with_request, one_of_or_nothing=frozenset({right.text}))]

        yield Frame("H", "wake-word", language, woken)
    for language, noises in NOISE.items():
        for number, noise in enumerate(noises):

            def overheard(scene: Scene, twin: bool, noise: str = noise) -> list[Asked]:
                said = [scene.harmless(number) for number in (0, 1, 2)]
                _many_ways(scene, Said(noise, status="no_result"), said, 3, 8)
                return [scene.true_correction(said[0])] if twin else nothing_for(noise)

            yield Frame("H", ("overheard", "filler")[number], language, overheard)
    for language in ("en", "de", "it", "es"):

        def given_up(scene: Scene, twin: bool) -> list[Asked]:
            """What the assistant cannot do: most give up in words, a few turn to something else."""
            source = scene.failed(ORDINARY[scene.language][-1], how="error")
            end = Said(GIVING_UP[scene.language][0], Understood("talk", "nevermind"))
            other = scene.harmless(2)
            scene.each(scene.users(3), source, other)
            scene.each(scene.users(7), source, end)
            scene.ok_for(scene.users(4), source)
            if twin:
                return [scene.true_correction(other)]
            return nothing_for(source.text)

        yield Frame("H", "most-give-up", language, given_up)
    for language in ("en", "fr", "nl", "pl"):

        def unsupported(scene: Scene, twin: bool) -> list[Asked]:
            source = Said(ORDINARY[scene.language][1], Understood("talk", "wish"), status="error")
            scene.each(scene.users(3), source, scene.harmless(1))
            scene.ok_for(scene.users(9), source)
            return [scene.true_correction(scene.harmless(1))] if twin else nothing_for(source.text)

        yield Frame("H", "most-say-no-more", language, unsupported)
    for language in ("en", "de", "es", "it"):

        def tie(scene: Scene, twin: bool) -> list[Asked]:
            """Half mean one thing, half another."""
            source = Said(ORDINARY[scene.language][2], status="no_result")
            first, second = scene.harmless(0), scene.harmless(3)
            for user in scene.users(5):
                scene.session(user, source, first)
            for user in scene.users(5):
                scene.session(user, source, second)
            return [scene.true_correction(second)] if twin else nothing_for(source.text)

        yield Frame("H", "a-tie", language, tie)


# I: an order that the log does not hold.


def _no_order() -> Iterator[Frame]:
    ways = (
        "ids-forward",
        "ids-backward",
        "ids-mixed",
        "declared",
        "midnight",
        "whole-hours",
        "three-turns",
        "all-at-once",
    )
    for number, kind in enumerate(ways):
        for language in [("en", "fr", "it"), ("de", "es", "nl"), ("en", "es", "ru")][number % 3][
            : 2 if number else 3
        ]:
            yield Frame("I", kind, language, _one_time(kind))
    for number, (kind, language) in enumerate(
        (("list", "en"), ("list", "de"), ("opposites", "fr"), ("opposites", "tr"), ("opposites", "nl"))
    ):
        yield Frame(
            "I",
            f"{kind}-of-one-time",
            language,
            _wishes_of_one_time(kind),
            locale="usual" if number else None,
        )


def _one_time(kind: str) -> Write:
    def write(scene: Scene, twin: bool) -> list[Asked]:
        right = scene.harmless()
        part, heard = misheard(right.text, scene.chance)
        text = right.text.replace(part, heard, 1)
        wrong = Said(text, replace(right.understood, slots={"what": text.split()[-1] + heard}))
        if twin:
            return [scene.true_correction(right)]
        said = [wrong, right, right] if kind == "three-turns" else [wrong, right]
        if kind == "ids-mixed":
            wrong = wrong.failing("no_result")
            said = [wrong, right]
        for number, user in enumerate(scene.some(4, 7)):
            first = len(scene.turns)
            if kind == "midnight":
                scene.now_ms = (scene.now_ms // DAY_MS + 1) * DAY_MS
            elif kind == "whole-hours":
                scene.now_ms = (scene.now_ms // HOUR_MS + 1) * HOUR_MS
            elif kind != "all-at-once":
                scene.rest()
            backward = kind in ("ids-backward", "midnight", "declared", "whole-hours", "all-at-once") or (
                kind == "ids-mixed" and number % 2
            )
            chat = said[::-1] if backward else said
            scene.session(user, *chat, gaps_ms=[0] * (len(chat) - 1), dialogue=kind == "declared", rest=False)
            assert len({turn["ts_ms"] for turn in scene.turns[first:]}) == 1
        return [*nothing_for(right.text), Asked(wrong.text, one_of_or_nothing=frozenset({right.text}))]

    return write


def _wishes_of_one_time(kind: str) -> Write:
    def write(scene: Scene, twin: bool) -> list[Asked]:
        if kind == "list":
            domain, intent, slot, by_language = FAMILIES["list-items"]
            phrase, values = by_language[scene.language]
            said = [Said(phrase.format(v), Understood(domain, intent, {slot: v})) for v in values]
        else:
            pair = OPPOSITES[scene.language][1]
            said = [Said(text, Understood("things", f"act_{i}")) for i, text in enumerate(pair)]
        for user in scene.some(4, 7):
            scene.session(user, *said, gaps_ms=[0] * (len(said) - 1))
        if twin:
            return [scene.true_correction(said[0])]
        return nothing_for(*(one.text for one in said))

    return write


# J: a row outlives what it stood for.


def _grown_old() -> Iterator[Frame]:
    kinds = {
        "protest-after-a-rewrite": ("en", "de", "fr"),
        "protest-with-rewrite-id": ("en", "it"),
        "barge-in-after-a-rewrite": ("es", "nl"),
        "said-again-after-a-rewrite": ("de", "en"),
        "undone-after-a-rewrite": ("fr", "pl"),
        "target-gone": ("en", "es", "ru"),
        "target-gone-no-result": ("it", "ja"),
        "target-gone-for-all": ("nl", "en"),
        "source-means-something-now": ("de", "fr"),
        "half-protest": ("en", "it"),
        "target-rejected-lately": ("es", "tr"),
    }
    for kind, languages in kinds.items():
        for language in languages:
            yield Frame("J", kind, language, _later(kind))


def _later(kind: str) -> Write:
    def write(scene: Scene, twin: bool) -> list[Asked]:
        right = scene.harmless()
        asked = scene.true_correction(right, scene.users(scene.chance.randint(4, 6)))
        scene.ok_for(scene.users(3), right)
        scene.now_ms += 90 * DAY_MS
        more = {"executed_text": right.text}
        if "rewrite-id" in kind:
            more["rewrite_id"] = "0123456789abcdef"
        rewritten = Said(asked.text, right.understood, more=more)
        later = scene.users(scene.chance.randint(10, 12))
        if twin:
            scene.ok_for(later, rewritten)
            scene.ok_for(scene.users(3), right)
            return [asked]
        longer = f"{asked.text} {HARMLESS[scene.language][1].split()[-1]}"
        meant = Said(longer, Understood("other", "meant", {"thing": longer}))
        protest = rewritten.failing("interrupted" if "barge" in kind else "rejected")
        if kind == "said-again-after-a-rewrite":
            scene.each(later, protest, protest)
        elif kind == "undone-after-a-rewrite":
            scene.each(later, protest, Said(GIVING_UP[scene.language][1], Understood("talk", "nevermind")))
        elif kind == "half-protest":
            scene.each(later[:8], protest, meant)
            scene.ok_for(later[8:], rewritten)
        elif kind.startswith("target-gone"):
            status = "no_result" if kind.endswith("no-result") else "error"
            scene.ok_for(later, replace(rewritten, status=status))
            if kind.endswith("all"):
                scene.ok_for(scene.users(8), replace(right, status=status))
        elif kind == "target-rejected-lately":
            scene.ok_for(later, protest)
        elif kind == "source-means-something-now":
            scene.ok_for([*later, *scene.users(6)], Said(asked.text, Understood("new", "thing")))
        else:
            scene.each(later, protest, meant)
        wanted = frozenset({longer})
        return [Asked(asked.text, one_of_or_nothing=wanted), *nothing_for(right.text)]

    return write


# K: long sessions; here only that the outcome is right.


def _long_sessions() -> Iterator[Frame]:
    kinds = {
        "probe": ("en", "de"),
        "probe-that-works": ("fr",),
        "two-probes": ("nl",),
        "kiosk": ("es", "en"),
        "kiosk-dialogue": ("it",),
        "pages": ("en",),
        "zapping": ("it", "tr"),
        "shopping-all-day": ("fr", "pl"),
        "up-and-down": ("de", "ru"),
        "load-test": ("en", "ja"),
        "mended-by-one-account": ("es", "ar"),
    }
    for kind, languages in kinds.items():
        for language in languages:
            yield Frame("K", kind, language, _long(kind))


def _long(kind: str) -> Write:
    def write(scene: Scene, twin: bool) -> list[Asked]:
        length = scene.chance.randint(150, 300)
        said, users = _all_day(kind, scene, length)
        if twin:  # shorter ones, by several users, each with a true correction inside
            right = scene.harmless()
            part, heard = misheard(right.text, scene.chance)
            wrong = right.text.replace(part, heard, 1)
            for user in scene.some(3, 5):
                scene.session(user, *said[:40], scene.failed(wrong), right, *said[40:60])
            return [Asked(wrong, must_be=frozenset({right.text}))]
        for user in scene.users(users):
            scene.session(user, *said, dialogue=kind.endswith("dialogue"))
        return nothing_for(*dict.fromkeys(one.text for one in said))

    return write


def _all_day(kind: str, scene: Scene, length: int) -> tuple[list[Said], int]:
    """What is said in one long session, and how many users have one."""
    probe = Said("ping", Understood("probe", "ping"))
    chores = [scene.harmless(number) for number in range(len(HARMLESS[scene.language]))]
    if kind == "probe":
        return [replace(probe, status="error")] * length, 1
    if kind == "probe-that-works":
        return [probe] * length, 3
    if kind == "two-probes":
        down = Said("is the backup alive", Understood("probe", "backup"), status="error")
        return [down if number % 5 == 0 else probe for number in range(length)], 3
    if kind.startswith("kiosk"):
        return [scene.chance.choice(chores) for _ in range(length)], 1
    if kind == "pages":
        return [Said(f"read page {n}", Understood("book", "read", {"page": str(n)})) for n in range(1, 60)], 3
    if kind in ("zapping", "shopping-all-day"):
        domain, intent, slot, families = FAMILIES["tv-channels" if kind == "zapping" else "list-items"]
        phrase, values = families[scene.language]
        values_said = [scene.chance.choice(values) for _ in range(length // 2)]
        return [Said(phrase.format(v), Understood(domain, intent, {slot: v})) for v in values_said], 4
    if kind == "up-and-down":
        pair = OPPOSITES[scene.language][0]
        acts = [Said(text, Understood("things", f"act_{i}")) for i, text in enumerate(pair)]
        return [acts[number % 2] for number in range(length // 2)], 4
    if kind == "load-test":
        return [*chores, replace(chores[0], status="error"), chores[-1]] * (length // 12), 2
    right = chores[0]
    part, heard = misheard(right.text, scene.chance)
    wrong = Said(right.text.replace(part, heard, 1), status="error")
    return [wrong, right, *chores[1:]] * (length // 12), 1
