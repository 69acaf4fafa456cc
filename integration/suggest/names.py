"""What catalogues call their fields, in several languages; a name is judged by every part of its path."""

import re
import unicodedata


def words(*lines: str) -> frozenset[str]:
    """The words of these lines."""
    return frozenset(word for line in lines for word in line.split())


ROLES = {
    "title": words(
        "title titles titel titre titulo titulos titolo tytul nazev titul titlu titol naslov nimeke cim baslik",
        "hauptsachtitel заглавие название назва タイトル 書名 题名 题目 표제 عنوان",
    ),
    "creators": words(
        "author authors creator creators contributor contributors autor autoren autores autora auteur auteurs autore",
        "autori verfasser urheber beteiligte createur maker forfattare tekija szerzo yazar автор авторы",
        "著者 作者 저자 مؤلف",
    ),
    "subjects": words(
        "subject subjects topic topics keyword keywords descriptor descriptors tags schlagwort schlagworter",
        "schlagworte thema sujet sujets matiere materia materias tema temas soggetto soggetti assunto assuntos",
        "onderwerp trefwoord temat predmet amne aihe asiasana targyszo konu тема рубрика ключевые 件名 主題 주제",
    ),
    "summary": words(
        "summary abstract description annotation blurb zusammenfassung beschreibung kurzfassung resume resumen",
        "riassunto descrizione descripcion descricao sommario resumo samenvatting beschrijving opis streszczenie",
        "anotace popis sammanfattning tiivistelma kuvaus ozet аннотация описание реферат 要旨 摘要",
    ),
    "language": words(
        "language languages lang sprache sprachen langue langues idioma idiomas lingua taal jezyk jazyk sprak kieli",
        "nyelv dil язык 言語 语言",
    ),
    "identifiers": words("isbn issn identifier identifiers doi ean oclc lccn"),
    "pictures": words(
        "cover covers thumbnail thumbnails thumb image images picture pictures jacket photo poster umschlag titelbild",
        "bild couverture vignette portada imagen copertina immagine capa imagem omslag afbeelding okladka obalka",
        "omslagsbild kansikuva borito kapak обложка 表紙 封面",
    ),
}
# parts of a path that say nothing of what the field is
NEUTRAL = words(
    "metadata bib bibliographic record records data doc document dc dcterms mods work main full proper plain value",
    "values name names text txt label term display content person or org agent src original source url urls uri",
    "file files path link href list all en eng de ger deu fr fre fra es spa it ita pt por",
)
# forms made of another field, for sorting, facets and completion; and what stands beside the words
DERIVED = words(
    "sort sorted sorting index facet facets suggest suggestion autocomplete ngram phrase raw exact prefix browse",
    "letter normalized normalised stem key hash count length type scheme code role v",
    "date dates year item items holding holdings",
)
SECRET = words(
    "password passwort token secret apikey email mail phone patron borrower user users userid cardnumber staff private",
    "internal administrative admin circulation owner crosshatch",
)
_PART = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def tokens(path: str) -> list[str]:
    """The words of a path, without accents, in lower case: `dc.creatorName_txt` is dc, creator, name, txt."""
    parted = unicodedata.normalize("NFKD", _CAMEL.sub(" ", path))
    bare = "".join(sign for sign in parted if not unicodedata.combining(sign))
    return [part.lower() for part in _PART.findall(unicodedata.normalize("NFC", bare))]


def match(path: str, role: str) -> float:
    """How well a path names a role, 0 to 1. Each word that means something else takes from it."""
    parts = tokens(path)
    if not ROLES[role] & set(parts) or SECRET & set(parts):
        return 0.0
    foreign = [word for word in parts if word not in ROLES[role] and word not in NEUTRAL]
    others = frozenset[str]().union(*ROLES.values())  # a subject's title is no title
    derived = sum(word in DERIVED or word in others for word in foreign)
    return max(0.0, 1.0 - 0.3 * (len(foreign) - derived) - 0.6 * derived)


def is_secret(path: str) -> bool:
    """Whether a path speaks of persons, secrets or the staff: its values are never shown."""
    return bool(SECRET & set(tokens(path)))
