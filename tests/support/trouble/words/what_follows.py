"""What people say after a failure, other than the request again: by language."""
# ruff: noqa: RUF001  (letters of other scripts are meant)

GIVING_UP: dict[str, tuple[str, ...]] = {
    "en": ("oh forget about it", "whatever", "leave it then", "scratch that"),
    "de": ("ach lass gut sein", "vergiss es", "egal", "dann eben nicht"),
    "fr": ("laisse tomber", "bon tant pis", "oublie ça", "c'est pas grave"),
    "es": ("déjalo así", "olvídalo", "ya da igual", "no importa"),
    "it": ("lascia perdere", "fa niente", "vabbè", "come non detto"),
    "nl": ("laat maar zitten", "maakt niet uit", "vergeet het maar", "dan niet"),
    "pl": ("a zresztą nieważne", "daj spokój"),
    "tr": ("boş ver", "neyse kalsın"),
    "ja": ("もういいや", "やっぱりいい"),
    "ar": ("خلاص انسى", "مش مهم"),
    "ru": ("ладно забудь", "да ну тебя"),
}

PEOPLE_PLEASE: dict[str, tuple[str, str]] = {
    "en": ("track my parcel", "get me a real person"),
    "de": ("verfolge mein Paket", "ich will einen Mitarbeiter"),
    "fr": ("suis mon colis", "passez-moi un conseiller"),
    "es": ("rastrea mi paquete", "quiero hablar con alguien"),
    "nl": ("volg mijn pakje", "verbind me met een medewerker"),
    "pl": ("śledź moją paczkę", "połącz z konsultantem"),
}

OUTBURSTS: dict[str, tuple[str, ...]] = {
    "en": ("you useless tin can", "are you even listening"),
    "de": ("du Blechtrottel", "hörst du mir überhaupt zu"),
    "fr": ("espèce de casserole", "tu m'écoutes au moins"),
    "es": ("qué trasto más inútil", "pero me oyes o no"),
    "it": ("sei proprio un tostapane", "ma mi senti"),
    "nl": ("stom apparaat", "luister je wel"),
    "ru": ("бестолковая железка",),
}

FRAGMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("show the tides", "nah I was after sunday"),
        ("switch on the fan heater", "not that one the other one"),
    ),
    "de": (
        ("zeig die Gezeiten", "nein ich wollte Sonntag"),
        ("schalte den Heizlüfter ein", "nicht den, den anderen"),
    ),
    "fr": (
        ("montre les marées", "mais non je voulais dimanche"),
        ("allume le radiateur", "pas celui-là, l'autre"),
    ),
    "es": (("muestra las mareas", "que no, digo el domingo"), ("enciende el calefactor", "ese no, el otro")),
    "it": (("mostra le maree", "ma no intendevo domenica"), ("accendi la stufetta", "non quella, l'altra")),
    "nl": (("toon de getijden", "nee ik bedoelde zondag"), ("zet de kachel aan", "niet die, de andere")),
    "pl": (("pokaż pływy", "nie, chodziło mi o niedzielę"),),
    "tr": (("gelgiti göster", "hayır pazar demek istedim"),),
    "ja": (("しおのじかんをみせて", "ちがう日曜日"),),
    "ar": (("اعرض المد والجزر", "لا قصدت الأحد"),),
    "ru": (("покажи приливы", "да нет, я про воскресенье"),),
}
"""A request, and a correction of it that cannot stand alone."""

QUALIFIERS: dict[str, tuple[str, str]] = {
    "en": ("play the evening bulletin", "on the upstairs speaker"),
    "de": ("spiel die Abendnachrichten", "oben im Flur"),
    "it": ("metti il notiziario", "sulla cassa di sopra"),
    "nl": ("speel het avondnieuws", "op de luidspreker boven"),
}

I_SAID: dict[str, tuple[str, str, str]] = {
    "en": ("turn on the van", "turn on the fan", "for heaven's sake I said {}"),
    "de": ("mach das Ratio an", "mach das Radio an", "ich hab doch gesagt {}"),
    "fr": ("allume le four à bains", "allume le four à pain", "mais j'ai dit {}"),
    "es": ("pon la ratio", "pon la radio", "he dicho {}"),
    "it": ("accendi il fento", "accendi il vento", "ti ho detto {}"),
    "nl": ("zet de ratio aan", "zet de radio aan", "ik zei toch {}"),
}

ASKED_BACK: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "en": ("find me a dentist", "Which part of town?", ("riverside", "old mill", "northgate")),
    "de": ("such mir einen Zahnarzt", "In welchem Viertel?", ("Nordend", "Altstadt", "Hafen")),
    "fr": ("trouve-moi un dentiste", "Dans quel quartier ?", ("la vieille ville", "le port", "les halles")),
    "es": ("búscame un dentista", "¿En qué barrio?", ("el ensanche", "la ribera", "chueca")),
    "it": ("trovami un dentista", "In quale quartiere?", ("borgo vecchio", "la darsena", "san siro")),
    "nl": ("zoek een tandarts", "In welke wijk?", ("zurenborg", "het eilandje", "deurne")),
    "tr": ("bana bir dişçi bul", "Hangi semtte?", ("moda", "balat", "karaköy")),
    "ja": ("歯医者を探して", "どの町ですか?", ("浅草", "上野", "品川")),
}

OFFERED: dict[str, tuple[str, str, str]] = {
    "en": ("what about my thing", "Sorry. Try saying: show the starter menu.", "show the starter menu"),
    "de": ("was ist mit dem Dings", "Wie bitte? Sag zum Beispiel: zeig das Startmenü.", "zeig das Startmenü"),
    "fr": ("et mon machin alors", "Pardon. Essayez : ouvre le menu d'accueil.", "ouvre le menu d'accueil"),
    "es": ("qué pasa con lo mío", "Perdón. Prueba con: muestra el menú inicial.", "muestra el menú inicial"),
    "it": ("e la mia cosa", "Scusa. Prova a dire: mostra il menù iniziale.", "mostra il menù iniziale"),
    "nl": ("hoe zit het met mijn ding", "Sorry. Zeg bijvoorbeeld: toon het startmenu.", "toon het startmenu"),
}
"""What the assistant itself proposes after it did not understand."""

CONFIRMED: dict[str, tuple[str, str, str]] = {
    "en": ("Do you mean: {}?", "yep that one", "affirmative"),
    "de": ("Meinst du: {}?", "ja genau das", "jawohl"),
    "fr": ("Vous voulez dire : {} ?", "oui voilà", "tout à fait"),
    "es": ("¿Quieres decir: {}?", "eso mismo", "así es"),
    "it": ("Intendi: {}?", "sì proprio quello", "esatto"),
    "nl": ("Bedoel je: {}?", "ja die", "klopt helemaal"),
}

PARDON: dict[str, tuple[str, ...]] = {
    "en": ("come again", "what else can you do"),
    "de": ("wie war das", "was kannst du denn"),
    "fr": ("tu peux répéter", "tu sais faire quoi"),
    "es": ("cómo dices", "qué sabes hacer"),
    "it": ("puoi ripetere", "cosa sai fare"),
    "nl": ("zeg dat nog eens", "wat kun je wel"),
}

GOODBYE: dict[str, tuple[str, ...]] = {
    "en": ("cheers bye", "I'll do it myself"),
    "de": ("servus", "dann mach ich es selber"),
    "fr": ("allez salut", "je le fais moi-même"),
    "es": ("venga adiós", "ya lo hago yo"),
    "it": ("ciao ciao", "faccio da solo"),
    "nl": ("dag hoor", "ik doe het zelf wel"),
    "tr": ("hadi eyvallah",),
}
