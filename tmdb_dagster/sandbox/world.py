"""The real world's small facts that movies refer to: countries, languages, certifications, image sizes."""

# ruff: noqa: RUF001 - countries and languages name themselves in their own scripts

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """An ISO 3166-1 country, its main language, and the certifications its board gives, mildest first."""

    code: str
    name: str
    language: str
    certifications: tuple[str, ...]


def _country(line: str) -> Country:
    code, name, language, marks = line.split("|")
    return Country(code, name, language, tuple(marks.split()))


COUNTRIES: tuple[Country, ...] = tuple(
    _country(line)
    for line in """US|United States of America|en|G PG PG-13 R NC-17
GB|United Kingdom|en|U PG 12A 15 18
FR|France|fr|U 10 12 16 18
DE|Germany|de|0 6 12 16 18
JP|Japan|ja|G PG12 R15+ R18+
KR|South Korea|ko|ALL 12 15 18
IT|Italy|it|T 6+ 14+ 18+
ES|Spain|es|A 7 12 16 18
SE|Sweden|sv|Btl 7 11 15
IN|India|hi|U UA A
CN|China|zh|
RU|Russia|ru|0+ 6+ 12+ 16+ 18+
CA|Canada|en|G PG 14A 18A R
AU|Australia|en|G PG M MA15+ R18+
BR|Brazil|pt|L 10 12 14 16 18
MX|Mexico|es|AA A B B15 C
NL|Netherlands|nl|AL 6 9 12 14 16
BE|Belgium|fr|AL 6 9 12 14 16
CH|Switzerland|de|0 6 12 16 18
AT|Austria|de|AA 6 10 12 14 16
DK|Denmark|da|A 7 11 15
NO|Norway|no|A 6 9 12 15 18
FI|Finland|fi|S K-7 K-12 K-16 K-18
PL|Poland|pl|
CZ|Czech Republic|cs|U 12+ 15+ 18+
HU|Hungary|hu|KN 6 12 16 18
GR|Greece|el|K K8 K12 K15 K18
PT|Portugal|pt|M/3 M/6 M/12 M/14 M/16 M/18
IE|Ireland|en|G PG 12A 15A 18
NZ|New Zealand|en|G PG M R13 R16
TR|Turkey|tr|6A 10A 13A 16A 18+
AR|Argentina|es|ATP +13 +16 +18
CL|Chile|es|TE 7 14 18
CO|Colombia|es|T 7 12 15 18
PE|Peru|es|Apt 14 18
SG|Singapore|en|G PG PG13 NC16 M18
HK|Hong Kong|zh|I IIA IIB III
TW|Taiwan|zh|0+ 6+ 12+ 15+ 18+
TH|Thailand|th|G 13 15 18
ID|Indonesia|id|SU 13+ 17+ 21+
MY|Malaysia|ms|U P12 13 16 18
PH|Philippines|tl|G PG R-13 R-16 R-18
VN|Vietnam|vi|P T13 T16 T18
ZA|South Africa|en|A PG 13 16 18
IL|Israel|he|All 12 14 16 18
AE|United Arab Emirates|ar|G PG13 PG15 18TC
SA|Saudi Arabia|ar|G PG R12 R15 R18
EG|Egypt|ar|
UA|Ukraine|uk|0+ 12+ 16+ 18+
RO|Romania|ro|AG AP-12 N-15 IM-18
BG|Bulgaria|bg|A B C D
HR|Croatia|hr|
RS|Serbia|sr|
SK|Slovakia|sk|U 7 12 15 18
SI|Slovenia|sl|
LT|Lithuania|lt|V N-7 N-13 N-16 N-18
LV|Latvia|lv|U 7+ 12+ 16+ 18+
EE|Estonia|et|L MS-6 MS-12 K-14 K-16
IS|Iceland|is|L 6 9 12 16
LU|Luxembourg|fr|EA 6 12 16 18
EC|Ecuador|es|
UY|Uruguay|es|
VE|Venezuela|es|A B C D
CR|Costa Rica|es|
GT|Guatemala|es|
PA|Panama|es|
DO|Dominican Republic|es|
BO|Bolivia|es|
PY|Paraguay|es|
KE|Kenya|en|GE PG 16 18
NG|Nigeria|en|G PG 12 15 18
GH|Ghana|en|
MA|Morocco|ar|
TN|Tunisia|ar|""".splitlines()
)

COUNTRY_BY_CODE: dict[str, Country] = {country.code: country for country in COUNTRIES}

LANGUAGES: dict[str, tuple[str, str]] = {
    "en": ("English", "English"),
    "fr": ("French", "Français"),
    "de": ("German", "Deutsch"),
    "es": ("Spanish", "Español"),
    "it": ("Italian", "Italiano"),
    "sv": ("Swedish", "svenska"),
    "ja": ("Japanese", "日本語"),
    "ko": ("Korean", "한국어/조선말"),
    "zh": ("Mandarin", "普通话"),
    "ru": ("Russian", "Pусский"),
    "hi": ("Hindi", "हिन्दी"),
    "pt": ("Portuguese", "Português"),
    "xx": ("No Language", "No Language"),
}
"""ISO 639-1 code → (English name, the language's own name), as `spoken_languages` spells them."""

ORIGINAL_COUNTRY: dict[str, str] = {
    "en": "US",
    "fr": "FR",
    "de": "DE",
    "es": "ES",
    "it": "IT",
    "sv": "SE",
    "ja": "JP",
    "ko": "KR",
    "zh": "CN",
    "ru": "RU",
    "hi": "IN",
}
"""The country in which a movie of that original language is made."""

IMAGE_LANGUAGES: tuple[str, ...] = (
    *("en", "en", "en", "en", "fr", "de", "es", "it", "ja", "ko"),
    *("zh", "ru", "pt", "pl", "hu", "cs", "tr", "uk", "nl", "sv"),
)
"""Languages of posters and logos, as often as they occur."""

CONFIGURATION_SIZES: dict[str, tuple[str, ...]] = {
    "backdrop_sizes": ("w300", "w780", "w1280", "original"),
    "logo_sizes": ("w45", "w92", "w154", "w185", "w300", "w500", "original"),
    "poster_sizes": ("w92", "w154", "w185", "w342", "w500", "w780", "original"),
    "profile_sizes": ("w45", "w185", "h632", "original"),
    "still_sizes": ("w92", "w185", "w300", "original"),
}
"""As `GET /configuration` lists them."""
