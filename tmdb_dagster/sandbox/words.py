"""The words that movies of every genre share, and the nouns of titles in other languages."""

from __future__ import annotations


def _split(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("|"))


OPENINGS: tuple[str, ...] = _split(
    """
    In {place}, | On the last day of autumn, | Far from {place}, | After eleven years away, | One winter
    in {place}, | Against all advice, | The summer the ferry stopped running, | On the outskirts of
    {place}, | With nothing left to lose, | In the year of the great frost, | Long after midnight in
    {place}, | Under a false name,"""
)
CONSEQUENCES: tuple[str, ...] = _split(
    """
    nothing in {place} is what it was | {name} has to choose whom to believe | the whole of {place}
    takes sides | there is no way back | {name} discovers what the others were hiding | time is suddenly
    very short | an unlikely friendship is put to the test | {name} has to go on alone | old debts come
    due | the only person who can help is {name} | a lie told long ago begins to unravel | the plan has
    to change by morning"""
)
CLOSINGS: tuple[str, ...] = _split(
    """
    What begins as a favour ends as a reckoning. | By the time the bells ring, somebody will have left
    {place} for good. | It is the one night that {name} will never be able to explain. | The truth, when
    it comes, is stranger and kinder. | A story of stubborn people, long roads and small mercies. |
    Nobody in {place} will ever tell it the same way. | Only one of them knows how it has to end. | And
    the sea, as always, has the last word."""
)
TRADES: tuple[str, ...] = _split(
    """
    Clockmaker | Lamplighter | Glassblower | Bellfounder | Ferryman | Mapmaker | Beekeeper | Typesetter
    | Signalman | Puppeteer | Falconer | Locksmith"""
)
HEIRLOOMS: tuple[str, ...] = _split(
    """
    Second Daughter | Last Errand | Silver Thumb | Other House | Unsent Letter | Borrowed Horse | Third
    Apprentice | Winter Coat | Missing Hour | Long Holiday"""
)
COUNTS: tuple[str, ...] = _split(
    """
    Three | Five | Seven | Nine | Eleven | Forty | A Hundred"""
)
CHARACTER_ROLES: tuple[str, ...] = _split(
    """
    Doctor | Neighbour | Ticket Seller | Young {first} | Policeman | Barkeeper | Nurse | Dancer |
    Reporter | Waiter | Old {first} | Sergeant | Judge | Postman | Wedding Guest | Driver | Teacher |
    Ferryman | Student | Radio Voice (voice) | Self | Passenger (uncredited) | Guard #1 | Guard #2 |
    Woman at Window (uncredited)"""
)

FOREIGN_NOUNS: dict[str, tuple[str, ...]] = {
    "en": _split(
        """The Lighthouse | The River | The Letter | The Clock | The Garden | The Bridge | The Shadow
        | The Violin | The Snow | The Baker | The Key | The Island"""
    ),
    "fr": _split(
        """Le Phare | La Rivière | La Lettre | L'Horloge | Le Jardin | Le Pont | L'Ombre | Le Violon
        | La Neige | Le Boulanger | La Clé | L'Île"""
    ),
    "de": _split(
        """Der Leuchtturm | Der Fluss | Der Brief | Die Uhr | Der Garten | Die Brücke | Der Schatten
        | Die Geige | Der Schnee | Der Bäcker | Der Schlüssel | Die Insel"""
    ),
    "es": _split(
        """El faro | El río | La carta | El reloj | El jardín | El puente | La sombra | El violín |
        La nieve | El panadero | La llave | La isla"""
    ),
    "it": _split(
        """Il faro | Il fiume | La lettera | L'orologio | Il giardino | Il ponte | L'ombra | Il
        violino | La neve | Il fornaio | La chiave | L'isola"""
    ),
    "sv": _split("Fyren|Floden|Brevet|Klockan|Trädgården|Bron|Skuggan|Fiolen|Snön|Bagaren|Nyckeln|Ön"),
    "ja": _split("灯台|川|手紙|時計|庭|橋|影|ヴァイオリン|雪|パン屋|鍵|島"),
    "ko": _split("등대|강|편지|시계|정원|다리|그림자|바이올린|눈|빵집|열쇠|섬"),
    "zh": _split("灯塔|河|信|钟|花园|桥|影子|小提琴|雪|面包师|钥匙|岛"),
    "ru": _split("Маяк|Река|Письмо|Часы|Сад|Мост|Тень|Скрипка|Снег|Пекарь|Ключ|Остров"),
    "hi": _split("प्रकाशस्तंभ|नदी|चिट्ठी|घड़ी|बगीचा|पुल|परछाई|वायलिन|बर्फ़|नानबाई|चाबी|द्वीप"),
}
"""The same twelve nouns in every language, in the same order."""

FOREIGN_PATTERNS: dict[str, tuple[str, str]] = {
    "en": ("{a} of {place}", "{a} and {b}"),
    "fr": ("{a} de {place}", "{a} et {b}"),
    "de": ("{a} von {place}", "{a} und {b}"),
    "es": ("{a} de {place}", "{a} y {b}"),
    "it": ("{a} di {place}", "{a} e {b}"),
    "sv": ("{a} i {place}", "{a} och {b}"),
    "ja": ("{place}の{a}", "{a}と{b}"),
    "ko": ("{place}의 {a}", "{a} 그리고 {b}"),
    "zh": ("{place}的{a}", "{a}与{b}"),
    "ru": ("{a} — {place}", "{a} и {b}"),
    "hi": ("{place} की कहानी: {a}", "{a} और {b}"),
}
"""Two ways of joining them into a title: with a place, and with a second noun."""
