"""The parts that say how a movie is called and told elsewhere: `translations` and `alternative_titles`."""

# ruff: noqa: RUF001 - languages name themselves, and tell, in their own scripts

from __future__ import annotations

from typing import NamedTuple

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.movie import Json, Movie
from tmdb_dagster.sandbox.world import ORIGINAL_COUNTRY


class _Language(NamedTuple):
    """A language as spoken in a country, and what it calls itself; TMDB may have one for several countries."""

    language: str
    country: str
    name: str
    english_name: str


_LANGUAGES = tuple(
    _Language(*line.split("|"))
    for line in """en|US|English|English
en|GB|English|English
fr|FR|Français|French
fr|CA|Français|French
de|DE|Deutsch|German
es|ES|Español|Spanish
es|MX|Español|Spanish
it|IT|Italiano|Italian
pt|PT|Português|Portuguese
pt|BR|Português|Portuguese
sv|SE|svenska|Swedish
ja|JP|日本語|Japanese
ko|KR|한국어/조선말|Korean
zh|CN|普通话|Mandarin
zh|TW|普通话|Mandarin
zh|HK|普通话|Mandarin
ru|RU|Pусский|Russian
hi|IN|हिन्दी|Hindi
uk|UA|Український|Ukrainian
pl|PL|Polski|Polish
cs|CZ|Český|Czech
hu|HU|Magyar|Hungarian
nl|NL|Nederlands|Dutch
da|DK|Dansk|Danish
fi|FI|suomi|Finnish
el|GR|ελληνικά|Greek
tr|TR|Türkçe|Turkish
he|IL|עִבְרִית|Hebrew
bg|BG|български език|Bulgarian
sk|SK|Slovenčina|Slovak
ro|RO|Română|Romanian
ar|SA|العربية|Arabic""".splitlines()
)
_AT_HOME = {language: next(one for one in _LANGUAGES if one.language == language) for language in ORIGINAL_COUNTRY}

_TOLD = {
    "fr": "Un hiver, {name} revient à {place}, où plus rien n'est comme avant. Tandis que toute la ville prend parti, "
    "un vieux mensonge commence à se défaire. Il ne reste qu'une nuit pour découvrir ce que les autres cachaient.",
    "de": "In einem Winter kehrt {name} nach {place} zurück, wo nichts mehr ist, wie es war. Während die ganze Stadt "
    "Partei ergreift, kommt eine alte Lüge ans Licht. Bis zum Morgen muss sich entscheiden, wem man glauben kann.",
    "es": "Un invierno, {name} vuelve a {place}, donde ya nada es como antes. Mientras toda la ciudad toma partido, "
    "una vieja mentira empieza a deshacerse. Solo queda una noche para saber qué ocultaban los demás.",
    "it": "Un inverno {name} torna a {place}, dove nulla è più come prima. Mentre tutta la città prende posizione, una "
    "vecchia bugia comincia a sciogliersi. Resta una sola notte per scoprire che cosa nascondevano gli altri.",
    "pt": "Num inverno, {name} regressa a {place}, onde já nada é como era. Enquanto toda a cidade toma partido, uma "
    "velha mentira começa a desfazer-se. Resta uma só noite para descobrir o que os outros escondiam.",
    "sv": "En vinter återvänder {name} till {place}, där inget längre är sig likt. Medan hela staden tar ställning "
    "börjar en gammal lögn att nystas upp. Före gryningen måste det avgöras vem som går att lita på.",
    "ja": "ある冬、{name}は{place}に帰ってくる。そこではすべてが変わっていた。"
    "町じゅうが二つに割れるなか、古い嘘がほどけはじめる。夜が明けるまでに、誰を信じるかを決めなければならない。",
    "ko": "어느 겨울, {name}은 {place}(으)로 돌아온다. 그곳에는 예전 그대로인 것이 하나도 없다. "
    "온 마을이 편을 가르는 사이 오래된 거짓말이 풀리기 시작한다. 날이 밝기 전에 누구를 믿을지 정해야 한다.",
    "zh": "一个冬天，{name}回到{place}，那里的一切都变了。"
    "当全城的人纷纷站队时，一个古老的谎言开始瓦解。天亮之前，必须决定该相信谁。",
    "ru": "Однажды зимой {name} возвращается в {place}, где всё уже не так, как прежде. Пока весь город выбирает "
    "сторону, старая ложь начинает распутываться. До утра нужно решить, кому можно верить.",
    "nl": "Op een winter keert {name} terug naar {place}, waar niets meer is zoals het was. Terwijl de hele stad "
    "partij kiest, begint een oude leugen los te laten. Voor de ochtend moet blijken wie er te vertrouwen is.",
    "da": "En vinter vender {name} tilbage til {place}, hvor intet længere er, som det var. Mens hele byen vælger "
    "side, begynder en gammel løgn at blive trevlet op. Inden daggry må det afgøres, hvem man kan stole på.",
    "pl": "Pewnej zimy {name} wraca do {place}, gdzie nic nie jest już takie jak dawniej. Gdy całe miasto opowiada się "
    "po którejś ze stron, stare kłamstwo zaczyna się rozplątywać. Do rana trzeba zdecydować, komu można wierzyć.",
    "cs": "Jedné zimy se {name} vrací do {place}, kde už nic není jako dřív. Zatímco se celé město rozděluje na dva "
    "tábory, stará lež se začíná rozplétat. Do rána se musí rozhodnout, komu se dá věřit.",
    "uk": "Однієї зими {name} повертається до {place}, де все вже не так, як колись. Поки все місто обирає сторону, "
    "стара брехня починає розплутуватися. До ранку треба вирішити, кому можна вірити.",
    "el": "Έναν χειμώνα, {name} γυρίζει στο {place}, όπου τίποτα δεν είναι όπως πριν. Ενώ όλη η πόλη παίρνει θέση, "
    "ένα παλιό ψέμα αρχίζει να ξετυλίγεται. Πριν ξημερώσει πρέπει να κριθεί ποιον μπορεί κανείς να πιστέψει.",
    "tr": "Bir kış, {name} artık hiçbir şeyin eskisi gibi olmadığı {place} kasabasına döner. Bütün kasaba taraf "
    "tutarken eski bir yalan çözülmeye başlar. Sabah olmadan kime güvenileceğine karar vermek gerekir.",
    "ro": "Într-o iarnă, {name} se întoarce la {place}, unde nimic nu mai este ca înainte. În timp ce tot orașul ia "
    "partea cuiva, o minciună veche începe să se destrame. Până dimineață trebuie hotărât pe cine poți crede.",
    "hi": "एक सर्दी में {name} {place} लौटता है, जहाँ अब कुछ भी पहले जैसा नहीं है। पूरा शहर पक्ष लेने लगता है और एक पुराना झूठ खुलने "
    "लगता है। सुबह होने से पहले तय करना है कि किस पर भरोसा किया जाए।",
}


def translations_of(movie: Movie) -> Json:
    """`translations`: many have a title alone, and the title is "" where it is the original one."""
    draw = Draw(movie.seed, "translations", movie.id)
    fame = movie.outline.fame
    always = (_LANGUAGES[0], *(() if movie.obscure else (_AT_HOME[movie.language],)))
    others = draw.sample(_LANGUAGES, int(fame * draw.whole(len(_LANGUAGES) // 3, len(_LANGUAGES))))
    return {"translations": [_translation(movie, draw, one) for one in dict.fromkeys((*always, *others))]}


def _translation(movie: Movie, draw: Draw, one: _Language) -> Json:
    story, english = movie.story, one.language == "en"
    told = story.overview if english else _TOLD.get(one.language, "").format(name=story.hero, place=story.place)
    is_main = one in (_LANGUAGES[0], _AT_HOME[movie.language])
    original = one.language == movie.language or draw.chance(0.2)
    return {
        "iso_3166_1": one.country,
        "iso_639_1": one.language,
        "name": one.name,
        "english_name": one.english_name,
        "data": {
            "homepage": "",
            "overview": told if story.overview and (is_main or draw.chance(0.8)) else "",
            "runtime": 0,
            "tagline": story.tagline if one is _LANGUAGES[0] else "",
            "title": "" if original else story.title,
        },
    }


def alternative_titles_of(movie: Movie) -> Json:
    """`alternative_titles` by country, more than one for some; `type` says little, and mostly nothing."""
    draw = Draw(movie.seed, "alternative_titles", movie.id)
    story = movie.story
    choices = (story.original_title, f"{story.title}: {story.place}", f"{story.hero} – {story.title}", story.title)
    kinds = ("", "", "", "", "romanization", "working title", "DVD title")
    return {
        "titles": [
            {"iso_3166_1": draw.pick(_LANGUAGES).country, "title": draw.pick(choices), "type": draw.pick(kinds)}
            for _ in range(int(movie.outline.fame**2 * draw.whole(0, 24)))
        ]
    }
