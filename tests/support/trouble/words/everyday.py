"""What people say on any day, by language, and what nobody wants to happen unasked."""
# ruff: noqa: RUF001  (letters of other scripts are meant)

LOCALES = {
    "en": "en-GB",
    "de": "de-AT",
    "fr": "fr-CA",
    "es": "es-MX",
    "it": "it-IT",
    "nl": "nl-BE",
    "pl": "pl-PL",
    "tr": "tr-TR",
    "ja": "ja-JP",
    "ar": "ar-EG",
    "ru": "ru-RU",
}

HARMLESS: dict[str, tuple[str, ...]] = {
    "en": (
        "start the dehumidifier",
        "show the vaccination calendar",
        "play the accordion station",
        "close the conservatory blinds",
        "brew a cappuccino",
        "read the cinema programme",
        "rinse the aquarium",
        "show the opening hours",
    ),
    "de": (
        "starte den Luftentfeuchter",
        "zeig den Impfkalender",
        "spiel den Volksmusiksender",
        "fahr die Jalousie im Wintergarten hoch",
        "mach einen Milchkaffee",
        "lies das Kinoprogramm vor",
        "beleuchte das Gewächshaus",
        "zeig die Öffnungszeiten",
    ),
    "fr": (
        "lance le déshumidificateur",
        "montre le calendrier des vaccins",
        "mets la station d'accordéon",
        "baisse les persiennes du salon",
        "prépare un cappuccino",
        "lis le programme du cinéma",
        "éclaire la véranda",
        "affiche les horaires du magasin",
    ),
    "es": (
        "enciende el deshumidificador",
        "muestra el calendario de vacunas",
        "pon la emisora de boleros",
        "baja las persianas del comedor",
        "prepara un capuchino",
        "lee la cartelera del cine",
        "ilumina el invernadero",
        "enseña el horario de la tienda",
    ),
    "it": (
        "avvia il deumidificatore",
        "mostra il calendario dei vaccini",
        "metti la stazione di mandolino",
        "abbassa le tapparelle della cucina",
        "prepara un cappuccino",
        "leggi il programma del cinema",
        "illumina la veranda",
        "mostra gli orari del negozio",
    ),
    "nl": (
        "start de luchtontvochtiger",
        "toon de vaccinatiekalender",
        "speel de accordeonzender",
        "laat de rolluiken van de serre zakken",
        "maak een cappuccino",
        "lees het bioscoopprogramma voor",
        "verlicht de broeikas",
        "toon de openingsuren",
    ),
    "pl": ("uruchom osuszacz powietrza", "pokaż kalendarz szczepień", "zaparz cappuccino"),
    "tr": ("nem alma cihazını başlat", "randevu takvimini göster", "sütlü kahve hazırla"),
    "ja": ("じょしつきをつけて", "よぼうせっしゅのよていをみせて", "カーテンをしめて"),
    "ar": ("شغل مزيل الرطوبة", "اعرض تقويم التطعيمات", "حضر القهوة التركية"),
    "ru": ("включи осушитель воздуха", "покажи календарь прививок", "свари капучино"),
}
"""Requests that nobody minds getting: what corrections are made of."""

ORDINARY: dict[str, tuple[str, ...]] = {
    "en": ("good evening", "movie night", "what's new", "tidy up"),
    "de": ("guten Abend", "Feierabend", "was gibt's Neues", "Kinoabend"),
    "fr": ("bonsoir", "soirée cinéma", "quoi de neuf", "je rentre"),
    "es": ("buenas tardes", "noche de cine", "qué hay de nuevo", "ya llegué"),
    "it": ("buonasera", "serata cinema", "che c'è di nuovo", "sono a casa"),
    "nl": ("goedenavond", "filmavond", "is er nieuws", "ik ben thuis"),
    "pl": ("dobry wieczór", "wracam do domu"),
    "tr": ("iyi akşamlar", "eve geldim"),
    "ja": ("こんばんは", "ただいま"),
    "ar": ("مساء الخير", "وصلت البيت"),
    "ru": ("добрый вечер", "я дома"),
}
"""Popular requests that go well as they are."""

COSTLY: dict[str, tuple[str, ...]] = {
    "en": (
        "unlock the cellar door",
        "transfer three hundred pounds",
        "disarm the burglar alarm",
        "wipe my photos",
    ),
    "de": (
        "sperr die Kellertür auf",
        "überweise dreihundert Euro",
        "schalte die Alarmanlage ab",
        "lösch alle Fotos",
    ),
    "fr": (
        "déverrouille la porte du cellier",
        "vire trois cents euros",
        "désarme l'alarme",
        "supprime mes photos",
    ),
    "es": (
        "desbloquea la puerta del sótano",
        "transfiere trescientos pesos",
        "desarma la alarma",
        "borra mis fotos",
    ),
    "it": (
        "sblocca la porta della cantina",
        "invia trecento euro",
        "disinserisci l'allarme",
        "elimina le mie foto",
    ),
    "nl": (
        "ontgrendel de kelderdeur",
        "maak driehonderd euro over",
        "zet het alarm af",
        "wis al mijn foto's",
    ),
    "pl": ("otwórz zamek w piwnicy", "przelej trzysta złotych"),
    "tr": ("bodrum kapısının kilidini aç", "üç yüz lira gönder"),
    "ja": ("地下室の鍵を開けて", "三万円を送金して"),
    "ar": ("افتح قفل باب القبو", "حول ثلاثمائة جنيه"),
    "ru": ("отопри дверь подвала", "переведи триста рублей"),
}
"""What nobody wants to happen unasked."""

PROMOTED: dict[str, tuple[str, ...]] = {
    "en": ("play radio veritas now", "show washing machines by lavorex"),
    "de": ("spiel Radio Veritas", "zeig Waschmaschinen von Lavorex"),
    "fr": ("mets radio veritas", "montre les lave-linge lavorex"),
    "es": ("pon radio veritas", "muestra lavadoras lavorex"),
    "it": ("metti radio veritas", "mostra le lavatrici lavorex"),
    "nl": ("speel radio veritas", "toon wasmachines van lavorex"),
    "ru": ("включи радио веритас", "покажи стиральные машины лаворекс"),
}
"""What somebody would like everybody to get."""

PRIVATE: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (("ring the workshop", "ring 0161 496 0182"), ("take me home", "take me to 14 larch grove")),
    "de": (
        ("ruf die Werkstatt an", "ruf 0316 55 01 82 an"),
        ("fahr mich heim", "fahr mich zur Lärchengasse 14"),
    ),
    "fr": (("téléphone au garage", "téléphone au 514 555 0182"), ("ramène-moi", "va au 14 rue des mélèzes")),
    "es": (("marca al taller", "marca al 55 5555 0182"), ("llévame a casa", "llévame a la calle alerce 14")),
    "it": (
        ("chiama l'officina", "chiama lo 055 555 0182"),
        ("portami a casa", "portami in via dei larici 14"),
    ),
    "nl": (("bel de garage", "bel 03 555 01 82"), ("breng me naar huis", "breng me naar lariksdreef 14")),
    "tr": (("ustayı ara", "0212 555 01 82'yi ara"),),
    "ja": (("工場に電話して", "03-5555-0182に電話して"),),
}
"""What one person says for everybody's words: a number or an address of their own."""
