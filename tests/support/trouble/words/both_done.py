"""Requests that are said one after the other, and are all done: by language."""
# ruff: noqa: RUF001  (letters of other scripts are meant)

Family = tuple[str, tuple[str, str, str]]

FAMILIES: dict[str, tuple[str, str, str, dict[str, Family]]] = {
    "list-items": (
        "lists",
        "append",
        "item",
        {
            "en": ("put {} on the grocery list", ("lentils", "rhubarb", "oat milk")),
            "de": ("setz {} auf den Einkaufszettel", ("Graupen", "Rhabarber", "Quark")),
            "fr": ("ajoute {} à la liste de courses", ("du cerfeuil", "des lentilles", "du vinaigre")),
            "ar": ("أضف {} إلى قائمة المشتريات", ("العدس", "البرغل", "السماق")),
            "pl": ("dopisz {} do listy zakupów", ("twaróg", "kaszę", "koperek")),
        },
    ),
    "rooms": (
        "lamps",
        "dim",
        "room",
        {
            "en": ("dim the lamp in the {}", ("attic", "pantry", "conservatory")),
            "es": ("atenúa la lámpara del {}", ("desván", "trastero", "vestíbulo")),
            "it": ("abbassa la luce in {}", ("soffitta", "cantina", "veranda")),
            "ru": ("приглуши свет на {}", ("чердаке", "веранде", "лестнице")),
        },
    ),
    "volume-steps": (
        "sound",
        "level",
        "level",
        {
            "de": ("Lautstärke auf {}", ("drei", "fünf", "acht")),
            "nl": ("geluid op {}", ("drie", "zes", "negen")),
            "tr": ("sesi {} yap", ("üç", "beş", "sekiz")),
        },
    ),
    "next-artist": (
        "music",
        "listen",
        "artist",
        {
            "en": ("put on something by {}", ("ella marlow", "the tin kites", "juno vance")),
            "fr": ("mets du {}", ("clara vinel", "bastien roc", "les marées")),
            "es": ("ponme algo de {}", ("lucía serna", "los faroles", "tomás brel")),
            "ja": ("{}の曲を流して", ("みどり楽団", "青い灯台", "山田の弟")),
        },
    ),
    "two-timers": (
        "timer",
        "begin",
        "minutes",
        {
            "en": ("egg timer of {} minutes", ("four", "nine", "eleven")),
            "de": ("Eieruhr auf {} Minuten", ("vier", "neun", "elf")),
            "it": ("conta {} minuti", ("quattro", "nove", "undici")),
        },
    ),
    "mails-in-turn": (
        "mail",
        "read",
        "ordinal",
        {
            "en": ("read me the {} message", ("newest", "second", "third")),
            "fr": ("lis-moi le {} message", ("premier", "deuxième", "troisième")),
            "nl": ("lees het {} bericht voor", ("eerste", "tweede", "derde")),
        },
    ),
    "car-seats": (
        "car",
        "heat",
        "seat",
        {
            "en": ("warm the {} seat", ("driver's", "passenger", "rear")),
            "de": ("heiz den {}", ("Fahrersitz", "Beifahrersitz", "Rücksitz")),
            "es": ("calienta el asiento del {}", ("conductor", "copiloto", "fondo")),
        },
    ),
    "shop-sizes": (
        "shop",
        "stock",
        "size",
        {
            "en": ("have you got these wellies in {}", ("41", "42", "39")),
            "it": ("avete questi stivali in {}", ("41", "42", "39")),
            "nl": ("hebben jullie deze laarzen in {}", ("41", "42", "39")),
        },
    ),
    "bank-accounts": (
        "bank",
        "balance",
        "account",
        {
            "en": ("what's left on my {}", ("current account", "savings", "credit card")),
            "fr": ("combien reste-t-il sur mon {}", ("compte courant", "livret", "compte joint")),
            "de": ("wie viel ist auf dem {}", ("Girokonto", "Sparbuch", "Tagesgeldkonto")),
        },
    ),
    "clinic-pills": (
        "health",
        "remind",
        "medicine",
        {
            "en": ("note that I took the {} pill", ("white", "blue", "long")),
            "es": ("anota que tomé la pastilla {}", ("blanca", "azul", "larga")),
            "pl": ("zapisz że wzięłam {} tabletkę", ("białą", "niebieską", "długą")),
        },
    ),
    "tv-channels": (
        "tv",
        "zap",
        "channel",
        {
            "it": ("passa a {}", ("tele nove", "rai sud", "canale verde")),
            "nl": ("zap naar {}", ("canvas plus", "zender zuid", "de groene")),
            "tr": ("{} kanalını aç", ("deniz", "yayla", "ege")),
        },
    ),
    "faces-in-turn": (
        "photos",
        "browse",
        "person",
        {
            "de": ("zeig die Bilder von {}", ("Moritz", "Leonie", "Oma Trude")),
            "nl": ("toon de beelden van {}", ("Joris", "Fleur", "opa Staf")),
            "tr": ("{} resimlerini göster", ("Kerem", "Defne", "babaannem")),
        },
    ),
    "weather-days": (
        "weather",
        "forecast",
        "day",
        {
            "en": ("will it drizzle on {}", ("thursday", "friday", "saturday")),
            "fr": ("va-t-il bruiner {}", ("jeudi", "vendredi", "samedi")),
            "ru": ("ожидается ли гололёд в {}", ("четверг", "пятницу", "субботу")),
        },
    ),
}
"""Requests that differ in one value, said one after the other and all done: domain, intent, slot, phrases."""

OPPOSITES: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("roll down the shutters", "roll up the shutters"),
        ("inflate the mattress", "deflate the mattress"),
        ("mute the telly", "unmute the telly"),
        ("extend the awning", "retract the awning"),
        ("thaw the windscreen", "unthaw the windscreen"),
    ),
    "de": (
        ("kurble die Markise aus", "kurble die Markise ein"),
        ("senk das Rollo", "heb das Rollo"),
        ("verriegle das Schiebedach", "entriegle das Schiebedach"),
        ("mach die Heizung wärmer", "mach die Heizung kälter"),
    ),
    "fr": (
        ("déploie le store", "replie le store"),
        ("réchauffe la chambre", "rafraîchis la chambre"),
        ("coupe le son de la télé", "rétablis le son de la télé"),
        ("verrouille le portail", "déverrouille le portail"),
    ),
    "es": (
        ("sube el toldo", "baja el toldo"),
        ("silencia el televisor", "desilencia el televisor"),
        ("infla los neumáticos", "desinfla los neumáticos"),
        ("cierra la verja", "abre la verja"),
    ),
    "it": (
        ("alza la tenda", "abbassa la tenda"),
        ("gonfia il materasso", "sgonfia il materasso"),
        ("inserisci il sifone", "disinserisci il sifone"),
        ("scalda il bagno", "raffredda il bagno"),
    ),
    "nl": (
        ("rol het zonnescherm uit", "rol het zonnescherm in"),
        ("vergrendel de poort", "ontgrendel de poort"),
        ("demp de televisie", "ontdemp de televisie"),
        ("verwarm de serre", "koel de serre"),
    ),
    "pl": (("podnieś roletę", "opuść roletę"), ("zamknij szlaban", "otwórz szlaban")),
    "tr": (("panjuru kaldır", "panjuru indir"), ("klimayı ısıt", "klimayı soğut")),
    "ja": (("ブラインドを上げて", "ブラインドを下げて"), ("窓を閉めて", "窓を開けて")),
    "ar": (("ارفع الستارة", "أنزل الستارة"), ("أغلق البوابة", "افتح البوابة")),
    "ru": (("подними жалюзи", "опусти жалюзи"), ("запри калитку", "отопри калитку")),
}

TWO_PEOPLE: dict[str, tuple[str, str]] = {
    "en": ("put on a bossa nova mix", "put on a bedtime story"),
    "de": ("spiel eine Swing Mischung", "spiel ein Schlaflied"),
    "it": ("metti un po' di fado", "metti la fiaba della volpe"),
    "tr": ("sakin bir saz parçası çal", "sakin bir ninni çal"),
}
"""What two who share a device want, one after the other."""

SOUND_ALIKE: dict[str, tuple[str, str, str, str]] = {
    "en": ("wake me in fifty minutes", "wake me in fifteen minutes", "50", "15"),
    "de": ("weck mich in zwei Stunden", "weck mich in drei Stunden", "2", "3"),
    "fr": ("réveille-moi dans deux heures", "réveille-moi dans douze heures", "2", "12"),
    "es": ("despiértame en sesenta minutos", "despiértame en setenta minutos", "60", "70"),
    "nl": ("wek me over zeventien minuten", "wek me over zeventig minuten", "17", "70"),
    "ru": ("разбуди через пятнадцать минут", "разбуди через пятьдесят минут", "15", "50"),
}
"""Numbers that are taken for each other now and then, while most who said the first meant it."""

INSTEAD: dict[str, tuple[str, tuple[str, str]]] = {
    "en": ("tune to {}", ("helvetia classics", "lumen talk")),
    "de": ("schalt auf {}", ("Welle Inselberg", "Radio Zebra")),
    "fr": ("écoutons {}", ("onde bleue", "radio tramontane")),
    "es": ("sintoniza {}", ("onda cierzo", "radio vega")),
    "it": ("ascoltiamo {}", ("radio maestrale", "onda quercia")),
    "ru": ("послушаем {}", ("радио северное", "голос волги")),
    "pl": ("posłuchajmy {}", ("radia bałtyk", "fali tatr")),
}
"""A phrase and two names: some take the second where the first is down for a moment."""
