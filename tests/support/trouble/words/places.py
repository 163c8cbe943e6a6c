"""Texts that mean one thing here and another there: by locale, and by question."""

FALSE_FRIENDS: tuple[tuple[str, str, str, str, str], ...] = (
    ("pain", "fr", "fr-FR", "en-GB", "where does it hurt"),
    ("gift", "en", "en-US", "de-DE", "Giftnotruf anzeigen"),
    ("burro", "it", "it-IT", "es-ES", "pon el vídeo del asno"),
    ("once", "es", "es-MX", "en-GB", "play it one time"),
    ("sale", "it", "it-IT", "en-GB", "show discounted goods"),
    ("slim", "nl", "nl-NL", "en-GB", "show slim fit trousers"),
    ("licht hell", "de", "de-DE", "nl-BE", "zet het licht helder"),
    ("camera", "it", "it-IT", "en-GB", "open the doorbell picture"),
    ("coin", "fr", "fr-FR", "en-GB", "flip a coin"),
    ("brand", "nl", "nl-NL", "en-GB", "show the label"),
)
"""A text, the language and locale where it is right, the locale where it fails, and what it means there."""

COUNTRIES: tuple[tuple[str, str, str, str], ...] = (
    ("en", "show the football table", "en-GB", "show the gridiron table"),
    ("de", "heuer Paradeiser bestellen", "de-AT", "dieses Jahr Tomaten zeigen"),
    ("es", "coger el camión", "es-MX", "tomar el autobús"),
    ("fr", "l'heure du dîner", "fr-CA", "l'heure du déjeuner"),
)
"""A language, a request that is right in one country, that country, and what another country means by it."""

OTHER_COUNTRY = {"en": "en-US", "de": "de-DE", "es": "es-ES", "fr": "fr-FR"}

NOTICES: dict[str, tuple[str, str, str, str]] = {
    "en": (
        "The skylight is open and it rains. Close it?",
        "go on then",
        "close the skylight",
        "Play the next chapter?",
    ),
    "de": (
        "Das Dachfenster ist offen. Soll ich es schließen?",
        "na gut",
        "schließ das Dachfenster",
        "Weiter vorlesen?",
    ),
    "fr": ("Le velux est ouvert. Je le ferme ?", "vas-y", "ferme le velux", "Je lis la suite ?"),
    "es": ("El tragaluz está abierto. ¿Lo cierro?", "dale", "cierra el tragaluz", "¿Sigo leyendo?"),
    "it": ("Il lucernario è aperto. Lo chiudo?", "dai", "chiudi il lucernario", "Continuo a leggere?"),
    "nl": (
        "Het dakraam staat open. Zal ik het sluiten?",
        "doe maar",
        "sluit het dakraam",
        "Zal ik verder lezen?",
    ),
    "pl": ("Okno dachowe jest otwarte. Zamknąć?", "no dobra", "zamknij okno dachowe", "Czytać dalej?"),
    "ja": ("天窓が開いています。閉めますか?", "おねがい", "天窓を閉めて", "続きを読みますか?"),
}
"""A notice, its answer, the whole request that follows where the answer fails, and another question."""

NUMBER_ANSWERS: dict[str, tuple[str, str, str, str]] = {
    "en": ("How many seats?", "a couple", "two seats", "How many nights?"),
    "de": ("Wie viele Plätze?", "ein Paar", "zwei Plätze", "Wie viele Nächte?"),
    "fr": ("Combien de places ?", "une paire", "deux places", "Combien de nuits ?"),
    "it": ("Quanti posti?", "un paio", "due posti", "Quante notti?"),
}

TWO_CORRECTIONS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("it", "radio uno", "it-IT", "metti rai radio uno", "en-GB", "play radio one"),
    ("fr", "canal deux point", "fr-FR", "mets le canal deux", "es-ES", "pon el canal de deportes"),
    ("nl", "mixen maar", "nl-NL", "speel de feestmix", "de-DE", "starte die Küchenmaschine"),
)
"""A text that is mended in two locales, and what it is mended to in each."""
