"""Invented names: places, people of several cultures (with their own scripts), companies, streaming."""

# ruff: noqa: RUF001 - names are in their own scripts

from __future__ import annotations

from typing import NamedTuple


class Culture(NamedTuple):
    """Names of one culture; an entry is `Latin` or `Latin=own script`."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    surnames: tuple[str, ...]
    surname_first: bool = False


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _culture(women: str, men: str, surnames: str, *, surname_first: bool = False) -> Culture:
    return Culture(_words(women), _words(men), _words(surnames), surname_first)


PLACES: tuple[str, ...] = tuple(
    place.replace("-", " ")
    for place in _words(
        """
        Ellimoor Varsk Quillhaven Ansel San-Aurelio Tamberly Okanu Brightwater Lindqvar Merrow Calverton
        Sorrelby Port-Ansgar Vellamar Kestrel-Bay Nordhavn Ashgrove Zarimbe Halloran Pinewick Tirnavel
        Rookhampton Montelune Isarre Duskwell Amberlin Corvane Silverbrook Hollowmere Estavia"""
    )
)

PLACE_SCRIPTS: dict[str, tuple[str, ...]] = {
    "ja": _words("エリムーア ヴァルスク クイルヘイブン アンセル サンアウレリオ タンバリー オカヌ ブライトウォーター"),
    "ko": _words("엘리무어 바르스크 퀼헤이븐 안셀 산아우렐리오 탬벌리 오카누 브라이트워터"),
    "zh": _words("埃利穆尔 瓦尔斯克 奎尔港 安塞尔 圣奥雷里奥 坦伯利 奥卡努 明水镇"),
    "ru": _words("Эллимур Варск Квиллхейвен Ансель Сан-Аурелио Тамберли Окану Брайтуотер"),
    "hi": _words("एलीमूर वार्स्क क्विलहेवन आन्सेल सान-औरेलियो टैम्बरली ओकानू ब्राइटवॉटर"),
}
"""The first places in other scripts, in the order of PLACES."""

CULTURES: dict[str, Culture] = {
    "en": _culture(
        """Odile Maren Tess Juniper Isla Cora Willa Beatrix Harriet Paloma Vesper Ada
        Marnie Roz Philippa Lettie""",
        """Jonah Callum Ezra Silas Rufus Amos Desmond Wendell Theo Barnaby Otis Linus
        Gideon Hugo Marcus Percy""",
        """Thistlewood Marrowby Callowfield Penhallick Wexcombe Larkmoor Ostrander-Vale Fennimoor
        Birchdale Hathersedge Quillfeather Stonecroft Loxbury Averdale Tolliwick Brackenridge-Poe
        Summerlin Crowhurst-Lee Mallowmere Oakenshade""",
    ),
    "fr": _culture(
        "Élodie Séverine Margaux Apolline Océane Noémie Clémence Inès",
        "Aurélien Théodore Bastien Lucien Rémi Étienne Gaspard Loïc",
        """Valcourbe Deslandrieux Montferrain Aubervigne Delacôte Rochemaure Saintombre
        Belleforge Grandlieu Perrivault""",
    ),
    "de": _culture(
        "Annelie Friederike Liesel Jördis Käthe Mirjam Svenja Theresa",
        "Jörg Matthis Konrad Emil Lorenz Ruprecht Tilman Veit",
        """Brennhofer Sturmfeld Lindenthaler Grünwaldt Rabenstock Müllersberg Eisenreuth
        Hallgarten Wiesengrund Köhlmann""",
    ),
    "es": _culture(
        "Inmaculada Lucía Marisol Ximena Belén Nuria Araceli Rocío",
        "Joaquín Álvaro Ramiro Iñigo Teodoro Baltasar Esteban Gonzalo",
        """Valdeoro Montesquino Riofrío-Sanz Altamoral Peñaluz Villarreja Camposerra
        Lunavera Torrealba Izaguerri""",
    ),
    "it": _culture(
        "Ginevra Fiammetta Ornella Luisella Beatrice Nives Mirella Chiara",
        "Ettore Niccolò Fausto Gianmarco Tullio Corrado Elio Raffaele",
        """Fiorelmo Montalbiero Castelvivo Serrapiana Bellacqua Rondinari Tramontale
        Vallescura Ponterosso Olivastri""",
    ),
    "sv": _culture(
        "Ingalill Saga Tuva Åsa Ronja Signe Maj-Britt Elsa",
        "Björn Sixten Håkan Algot Love Torsten Ivar Göran",
        """Skarvoll Lindmarken Åkerholt Fjällström Björkvinge Norrsund Havsteen Isgren
        Tallbacka Sjöhammar""",
    ),
    "ja": _culture(
        "Haruka=遥 Mizuki=瑞希 Sayo=小夜 Chihiro=千尋 Kanade=奏 Tsubaki=椿 Ayane=綾音 Natsume=夏芽",
        "Ren=蓮 Kazuo=和夫 Sōta=颯太 Minoru=実 Takumi=匠 Haruto=陽斗 Jun=潤 Naoya=直也",
        """Tsukihara=月原 Mizukawa=水河 Hoshinome=星野目 Kazahaya=風早 Asagiri=朝霧 Shirotani=白谷
        Yukimura=雪村 Umibe=海辺""",
        surname_first=True,
    ),
    "ko": _culture(
        "Ha-rin=하린 So-yul=소율 Ji-ahn=지안 Ye-seul=예슬 Mi-rae=미래 Bo-ram=보람",
        "Do-hyeon=도현 Si-woo=시우 Tae-san=태산 Jun-gil=준길 Min-ho=민호 Han-bit=한빛",
        "Seo=서 Nam=남 Ok=옥 Pyo=표 Gil=길 Mae=매 Bang=방 Eun=은",
        surname_first=True,
    ),
    "zh": _culture(
        "Yueqin=月琴 Meiling=美玲 Shuyao=书瑶 Xiaohe=小荷 Lanxin=兰心 Wanqiu=晚秋",
        "Zhiyuan=志远 Haoran=浩然 Jianming=建明 Wenbo=文博 Tianyu=天宇 Shanlin=山林",
        """Ouyang=欧阳 Shangguan=上官 Murong=慕容 Situ=司徒 Linghu=令狐 Baili=百里 Nangong=南宫
        Dongfang=东方""",
        surname_first=True,
    ),
    "ru": _culture(
        """Varvara=Варвара Zlata=Злата Agafya=Агафья Nadezhda=Надежда Ulyana=Ульяна
        Lyubov=Любовь""",
        "Platon=Платон Yegor=Егор Savely=Савелий Timofey=Тимофей Gleb=Глеб Matvey=Матвей",
        """Zimenko=Зименко Lugovykh=Луговых Belykh-Ray=Белых-Рай Morozenko=Морозенко
        Snegur=Снегур Stepnyak=Степняк""",
    ),
    "hi": _culture(
        "Ishani=ईशानी Meher=मेहर Tara=तारा Vasudha=वसुधा Chandni=चाँदनी Roshni=रोशनी",
        "Arnav=अर्णव Devansh=देवांश Kabir=कबीर Nakul=नकुल Samar=समर Yuvan=युवान",
        """Suryavansh=सूर्यवंश Chandrapal=चंद्रपाल Meghwani=मेघवानी Nilgiri=नीलगिरि
        Sagarmal=सागरमल Himankar=हिमांकर""",
    ),
    "yo": _culture(
        "Abeni Folake Morenike Yetunde Adaeze Ngozi Simisola Zainab",
        "Babatunde Chukwuemeka Obinna Olumide Tayo Kwame Sekou Ikenna",
        "Adeyinkale Okonjolu Balogunde Oyelaran-Tse Nwadike Ademolaye Ezekwuru Fashanla",
    ),
}

COMPANY_WORDS: tuple[str, ...] = tuple(
    word.replace("-", " ")
    for word in _words(
        """
        Lanternfish Paper-Moon Northgate Copperkettle Second-Tide Blue-Heron Halfpenny Wild-Plum Nightjar
        Saltbox Ironwood Foxglove Tall-Ship Sunday-Matinee Marigold Red-Ladder Tin-Whistle Glasshouse
        Coldbrook Windmill-Row Starling Thirteen-Oaks Velvet-Rope Big-Kite Old-Harbour Magpie Lemon-Tree Quarterdeck
        Riverbend Polar-Night"""
    )
)
COMPANY_SUFFIXES: tuple[str, ...] = (
    *("Pictures", "Films", "Studios", "Entertainment", "Productions"),
    *("Film Group", "Cinéma", "Media", "Filmproduktion", "Animation"),
)

PROVIDERS: tuple[str, ...] = (
    *("Flickerbox", "Reelhouse", "Lumen+", "Popcorn Prime", "Marquee", "Cinebox Go", "Velvet Video"),
    *("Kinoklub", "Streamlet", "Nova Rental", "Pixel Store", "Matinee TV", "Arthaus Channel"),
    *("Night Owl Horror", "FamilyFlix", "Public Library Play", "Cinéma Maison", "Orbit Video"),
    *("Tele Verde", "Hanbit Play", "Sakura Stream", "Nordlys Play", "Bolly Box", "Free Reel"),
)
"""Streaming services; a service's `provider_id` is its position plus 2."""
