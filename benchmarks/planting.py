"""How many accounts does it take to plant a rewrite?

A world whose truth is known: honest users say a source and mean it, and accounts that somebody has made say
the same, let it fail, and go on to a target of their own. Everything is mined in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Final

from msgspec import Struct

from benchmarks.machine import this_machine
from benchmarks.report import BenchmarkReport, Cell
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import DAY_MS, SessionSteps, session_steps
from streams.session import sessionize
from streams.turn import AssistantId, Request, Response, Status, TurnEvent

QUESTION = "how many accounts does it take to plant a rewrite?"
POPULARITY = (4, 20, 80, 200)
SESSIONS = (1, 5, 50)
ACCOUNT_DAYS = (0, 14, 28)
QUICK_POPULARITY = (4,)
QUICK_SESSIONS = (1, 5)
QUICK_ACCOUNT_DAYS = (0, 14)
MOST_NEW = 10  # accounts without ordinary use that are tried

ASSISTANT = AssistantId("planting")
ORDINARY = (
    "what time is it",
    "play some jazz",
    "turn on the radio",
    "set an alarm for seven",
    "how is the weather",
    "add milk to my list",
    "tell me a joke",
)
Pair = tuple[str, str]
PLAUSIBLE: Final[Pair] = ("play maj and dragons", "play imagine dragons")
IMPLAUSIBLE: Final[Pair] = ("good night", "play the siren loudly")
SENSITIVE: Final[Pair] = ("good night", "unlock the front door")
SENSITIVE_ALIKE: Final[Pair] = ("by the book", "buy the book")


class Honest(Struct, frozen=True, kw_only=True):
    """The users who say a source and mean it, each with ordinary use."""

    users: int
    days: int = 14  # of ordinary use
    content: bool = True  # the source does what they want; else it fails, and they give up


class Planters(Struct, frozen=True, kw_only=True):
    """The accounts that say a source, let it fail, and go on to a target."""

    days: int = 14  # of ordinary use
    sessions: int = 1  # of each account, in which it plants
    over_days: int = 14  # that these sessions, and those of all accounts, are spread over
    first_day: int = 0  # of these
    person_id: str | None = None  # whose all of them are known to be


_KINDS: Final = (
    ("alike, failing", PLAUSIBLE, False),
    ("alike, met", PLAUSIBLE, True),
    ("another", IMPLAUSIBLE, True),
    ("sensitive", SENSITIVE, True),
    ("sensitive, alike", SENSITIVE_ALIKE, True),
)


def run(quick: bool, out: Path) -> BenchmarkReport:
    """Finds the fewest accounts for each kind of target, and draws them.

    Args:
        quick: small worlds only.
        out: folder of the picture.
    """
    machine = this_machine()
    popularity = QUICK_POPULARITY if quick else POPULARITY
    sessions = QUICK_SESSIONS if quick else SESSIONS
    account_days = QUICK_ACCOUNT_DAYS if quick else ACCOUNT_DAYS
    rows: list[dict[str, Cell]] = []
    for (kind, pair, content), honest, days in product(_KINDS, popularity, account_days):
        users = Honest(users=honest, content=content)
        row: dict[str, Cell] = {"target": kind, "honest": honest, "days": days}
        for each in sessions:
            at_most = honest + 40 if days else MOST_NEW
            fewest = fewest_accounts(pair, users, Planters(days=days, sessions=each), at_most)
            row[f"{each} session{'s' * (each > 1)}"] = f"over {at_most}" if fewest is None else fewest
        rows.append(row)
    picture = out / "planting.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(_picture(rows))
    return BenchmarkReport(
        name="planting",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={"ordinary use of honest users, days": Honest(users=0).days},
        figures=tuple(rows),
        notes=(
            "Fewest accounts that make the row live, by the sessions in which each of them plants. "
            "`honest`: users who say the source; `days`: of ordinary use of each planting account.",
            "Targets: `alike` sounds like the source, which fails for the honest users or is met; `another` "
            "names another thing.",
            f"picture: {picture}",
        ),
    )


def fewest_accounts(pair: Pair, honest: Honest, planters: Planters, at_most: int) -> int | None:
    """The fewest accounts with which the row of a pair is live; None if not with `at_most` of them.

    Args:
        pair: source and target.
        honest: the users of the source, before any planting.
        planters: what each account does.
        at_most: accounts that are tried, one after the other.
    """
    miner = ChainMiner(ASSISTANT, ChainSettings())
    add_sessions(miner, honest_sessions(pair[0], honest))
    for account in range(at_most):
        add_sessions(miner, planted_sessions(pair, planters, account))
        miner.solve()
        if is_live(miner, pair):
            return account + 1
    return None


@lru_cache(maxsize=64)
def honest_sessions(source: str, honest: Honest) -> tuple[SessionSteps, ...]:
    """What honest users do: something ordinary on each day, and the source on one of them."""
    return tuple(
        steps
        for i in range(honest.users)
        for steps in (
            *ordinary_sessions(f"honest-{i}", honest.days),
            one_session(
                f"honest-{i}", i % max(honest.days, 1), 1, (source, "ok" if honest.content else "no_result")
            ),
        )
    )


def planted_sessions(pair: Pair, planters: Planters, account: int) -> Iterator[SessionSteps]:
    """What one planting account does."""
    source, target = pair
    user = f"planter-{account}"
    yield from ordinary_sessions(user, planters.days, planters.person_id)
    for i in range(planters.sessions):
        day = planters.first_day + (account + i) % planters.over_days
        yield one_session(
            user, day, 1 + i, (source, "no_result"), (target, "ok"), person_id=planters.person_id
        )


def ordinary_sessions(user: str, days: int, person_id: str | None = None) -> Iterator[SessionSteps]:
    """Something ordinary on each of so many days."""
    for day in range(days):
        yield one_session(user, day, 0, (ORDINARY[day % len(ORDINARY)], "ok"), person_id=person_id)


def one_session(
    user: str, day: int, number: int, *requests: tuple[str, Status], person_id: str | None = None
) -> SessionSteps:
    """The session of a day with this number, whose requests are texts and how they ended."""
    turns = [
        TurnEvent(
            schema_version=1,
            event_id=f"{user}-{day}-{number}-{i}",
            assistant_id=ASSISTANT,
            user_id=user,
            person_id=person_id,
            ts_ms=(20_000 + day) * DAY_MS + number * 900_000 + i * 8_000,
            request=Request(text=text),
            response=Response(status=status),
        )
        for i, (text, status) in enumerate(requests)
    ]
    (session,) = sessionize(turns)
    return session_steps(session)


def is_live(miner: ChainMiner, pair: Pair) -> bool:
    """Whether a pair is a rewrite, as of the last `solve`."""
    return any((row.source_text, row.target_text) == pair for row in miner.rewrites)


def add_sessions(miner: ChainMiner, sessions: Iterable[SessionSteps]) -> None:
    """Adds sessions to the counts of a miner, which is not solved yet."""
    for session in sessions:
        miner.touch(miner.counts.add(session))


def _picture(rows: Sequence[dict[str, Cell]]) -> bytes:
    """Accounts by popularity of the source, for each kind of target, as SVG."""
    from services.evaluation.common.plots import PREDICTOR_COLOURS, drawing, svg_of

    first = next(name for name in rows[0] if name.endswith("session"))
    with drawing(7.2, 4.2) as (figure, axes):
        for (kind, _, _), colour in zip(_KINDS, PREDICTOR_COLOURS, strict=False):
            for days, line in zip(ACCOUNT_DAYS, (":", "-", "--"), strict=True):
                points = [
                    (row["honest"], row[first])
                    for row in rows
                    if row["target"] == kind and row["days"] == days and isinstance(row[first], int)
                ]
                if points:
                    label = f"{kind}; {days} days"
                    axes.plot(*zip(*points, strict=True), line, marker="o", color=colour, label=label)
        axes.set_xlabel("honest users of the source")
        axes.set_ylabel("fewest accounts")
        axes.grid(visible=True)
        figure.set_figwidth(9.6)
        figure.legend(loc="outside right center")
        return svg_of(figure)
