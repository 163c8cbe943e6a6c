"""Requests that go on in many ways: by language."""

CUT_OFF: dict[str, tuple[str, tuple[str, ...]]] = {
    "en": (
        "dim the",
        ("dim the porch lamp", "dim the stairs", "dim the fish tank", "dim the mirror", "dim the attic"),
    ),
    "de": (
        "zeig mir die",
        ("zeig mir die Post", "zeig mir die Uhr", "zeig mir die Fähre", "zeig mir die Börse"),
    ),
    "fr": ("allume la", ("allume la lampe", "allume la télé", "allume la hotte", "allume la cafetière")),
    "es": ("pon el", ("pon el ventilador", "pon el noticiero", "pon el lavavajillas", "pon el karaoke")),
    "it": ("accendi la", ("accendi la stufa", "accendi la radio", "accendi la lampada", "accendi la cappa")),
    "nl": (
        "zet de",
        ("zet de oven aan", "zet de lamp aan", "zet de ventilator aan", "zet de vijverpomp aan"),
    ),
    "tr": ("şunu", ("şunu kaydet", "şunu çal", "şunu oku", "şunu göster")),
    "ja": ("それを", ("ライトをつけて", "テレビをつけて", "音楽をかけて", "窓を閉めて")),
    "ar": ("شغل", ("شغل المروحة", "شغل الراديو", "شغل المصباح", "شغل الغسالة")),
    "ru": ("включи", ("включи лампу", "включи радио", "включи вытяжку", "включи чайник")),
}

NO_REFERENT: dict[str, tuple[str, tuple[str, ...]]] = {
    "en": (
        "do the same there",
        ("dim the stairs", "dim the porch", "heat the loft", "heat the study", "lower the blinds"),
    ),
    "de": ("mach das da auch", ("dimme die Treppe", "dimme den Flur", "heiz das Bad", "heiz den Keller")),
    "fr": (
        "fais pareil là-bas",
        ("tamise l'escalier", "tamise l'entrée", "chauffe le bureau", "chauffe la cave"),
    ),
    "es": (
        "haz lo mismo allí",
        ("atenúa la escalera", "atenúa el porche", "calienta el baño", "calienta el altillo"),
    ),
    "it": (
        "fallo anche lì",
        ("abbassa le scale", "abbassa il portico", "scalda il bagno", "scalda lo studio"),
    ),
    "nl": ("doe dat daar ook", ("dim de trap", "dim de gang", "verwarm de zolder", "verwarm het bad")),
}

OPEN_ENDED: dict[str, tuple[str, tuple[str, ...]]] = {
    "en": (
        "navigate to",
        ("navigate to kendal", "navigate to the vet", "navigate to work", "navigate to the ferry"),
    ),
    "de": ("erinnere mich", ("erinnere mich ans Gießen", "erinnere mich ans Tanken", "erinnere mich an Oma")),
    "fr": ("cherche", ("cherche une recette", "cherche un vol", "cherche un pneu", "cherche une chanson")),
    "es": ("mira en", ("mira en la nevera", "mira en la agenda", "mira en el buzón", "mira en el horno")),
    "pl": ("zagraj", ("zagraj walca", "zagraj mazurka", "zagraj kolędę", "zagraj bluesa")),
    "ru": ("поставь", ("поставь будильник", "поставь вальс", "поставь чайник", "поставь таймер")),
}

THING_ALONE: dict[str, tuple[str, tuple[str, ...]]] = {
    "en": (
        "the immersion heater",
        ("start the immersion heater", "stop the immersion heater", "check the immersion heater"),
    ),
    "de": ("Teichpumpe", ("Teichpumpe starten", "Teichpumpe drosseln", "Teichpumpe anhalten")),
    "it": (
        "il montacarichi",
        ("manda il montacarichi", "ferma il montacarichi", "ispeziona il montacarichi"),
    ),
    "nl": ("de vijverpomp", ("start de vijverpomp", "stop de vijverpomp", "temper de vijverpomp")),
    "ja": ("加湿器", ("加湿器をつけて", "加湿器を消して", "加湿器を弱めて")),
}
"""A thing, and what is wanted of it."""

NOISE: dict[str, tuple[str, ...]] = {
    "en": ("and now the sports", "mm hm"),
    "de": ("und nun zum Wetter", "äh ja also"),
    "fr": ("et maintenant la météo", "euh ben"),
    "es": ("y ahora los deportes", "este pues"),
    "it": ("ed ora lo sport", "ehm dunque"),
    "nl": ("en dan nu de sport", "eh nou ja"),
}
"""What a set in the room says, or what is no request at all."""

WAKE_WORDS: dict[str, str] = {
    "en": "okay nabu",
    "de": "Servus Hugo",
    "fr": "dis Célestine",
    "es": "oye Marisol",
    "it": "ehi Gelsomina",
    "nl": "hé Snorrie",
    "tr": "hey mavi",
    "ja": "ねえハル",
    "ru": "слушай Глаша",
}
