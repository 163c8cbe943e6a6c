"""What sounds like what."""

from services.simulator.world.chance import pick, stream

NEIGHBOURS = {
    "a": "eo", "e": "ia", "i": "ey", "o": "ua", "u": "oi",
    "b": "pv", "d": "tb", "f": "vs", "g": "kd", "k": "gt", "l": "rn", "m": "nb",
    "n": "ml", "p": "bt", "r": "lw", "s": "zf", "t": "dk", "v": "fb", "z": "sd",
}  # fmt: skip
"""Letters of invented words, and those that they are taken for."""

SOUND_ALIKES = {
    "play": ("pray", "place"), "song": ("sung", "long"), "music": ("muse it", "musing"),
    "hear": ("here", "ear"), "weather": ("whether", "feather"), "forecast": ("four cast", "for cats"),
    "turn": ("tern", "learn"), "switch": ("which", "stitch"), "lights": ("likes", "nights"),
    "lamp": ("lamb", "lump"), "heater": ("header", "eater"), "fan": ("van", "fun"),
    "radio": ("ready oh", "ratio"), "blinds": ("blind", "lines"), "kettle": ("cattle", "metal"),
    "kitchen": ("chicken", "kitten"), "bedroom": ("bathroom", "bed from"), "hall": ("hole", "all"),
    "study": ("steady", "sturdy"), "garage": ("carriage", "garbage"), "garden": ("guard in", "harden"),
    "attic": ("addict", "antic"), "bathroom": ("bedroom", "bath from"), "timer": ("time her", "dimer"),
    "minutes": ("minute", "mints"), "hours": ("ours", "powers"), "call": ("cool", "tall"),
    "phone": ("fawn", "foam"), "ring": ("bring", "wing"), "set": ("sad", "said"), "start": ("stark", "art"),
    "on": ("own", "gone"), "off": ("of", "cough"), "five": ("fine", "nine"), "nine": ("five", "line"),
    "ten": ("den", "then"), "thirteen": ("thirty", "third in"), "thirty": ("thirteen", "dirty"),
    "fourteen": ("forty", "four teens"), "forty": ("fourteen", "sporty"), "fifteen": ("fifty", "if teen"),
    "fifty": ("fifteen", "nifty"), "sixteen": ("sixty", "six teens"), "sixty": ("sixteen", "six tea"),
    "order": ("older", "border"), "pizza": ("piece of", "pisa"), "taxi": ("tax see", "taxes"),
    "horoscope": ("horror scope", "microscope"), "tomorrow": ("to more", "tomorrows"),
}  # fmt: skip
"""Words of everyday requests, and what they are taken for; the likelier first."""


def sound_alike(seed: int, word: str, kind: int) -> str:
    """What a word is taken for, other than itself and always the same for the same arguments.

    `kind` numbers the possibilities from 0, the likeliest: sounds replaced, or the word cut in two.
    """
    known = SOUND_ALIKES.get(word, ())
    if kind < len(known):
        return known[kind]
    rng = stream(seed, "sound", word, kind)
    letters = list(word)
    places = [place for place, letter in enumerate(letters) if letter in NEIGHBOURS]
    if not places:
        return word + "s"
    for _ in range(1 + kind % 2):
        place = pick(rng, places)
        letters[place] = pick(rng, NEIGHBOURS.get(letters[place], letters[place]))
    heard = "".join(letters)
    if heard == word:  # two replacements that undo each other
        heard = word + "n"
    if len(heard) >= 6 and rng.random() < 0.25:
        heard = f"{heard[: len(heard) // 2]} {heard[len(heard) // 2 :]}"
    return heard
