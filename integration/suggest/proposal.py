"""From the chosen fields to a target profile in YAML, each line with its evidence as a comment."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration.suggest import shapes
from integration.suggest.choice import WORDS, Choice, choose
from integration.suggest.fields import Field
from integration.suggest.versions import versioning
from mappings import profile as profiles
from mappings.errors import DataError
from mappings.profile import TargetProfile

_FORMS = {"base64iso2709", "iso2709", "marcxml", "array", "marc-in-json"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile for the administrator to confirm: `yaml` is what `attach --target FILE` takes."""

    index: str
    sampled: int
    profile: TargetProfile
    yaml: str
    evidence: tuple[tuple[str, str, str], ...]  # (key of the profile, field, why)
    notes: tuple[str, ...]


def propose(
    index: str, fields: Mapping[str, Field], hits: Sequence[tuple[int, int]], notes: Sequence[str] = ()
) -> Proposal:
    """The profile that fits `fields`. Raises DataError where no field holds words, pictures or MARC."""
    sampled = len(hits)
    chosen = choose(fields, sampled)
    marc, why, records_have_pictures = _marc(fields, sampled)
    versions, versions_why = versioning(hits, fields)
    evidence = [("versioning", versions, versions_why)]
    content: dict[str, Any] = {"name": _name(index), "versioning": versions}
    words = [choice for role in WORDS for choice in chosen[role]]
    if marc:  # the words are those of the record itself
        content["marc"] = marc
        evidence.append(("marc", marc["field"], why))
    elif words:
        content["text"] = [choice.path for choice in words]
        evidence += [("text", choice.path, choice.evidence) for choice in words]
        if html := [choice.path for choice in words if choice.html]:
            content["html"] = html
            evidence += [("html", path, "its values hold tags") for path in html]
    searched = [choice for choice in (*words, *chosen["identifiers"]) if choice.search]
    boosts = dict.fromkeys(f"{one.search}^2" if words[:1] == [one] else str(one.search) for one in searched)
    if boosts:
        content["search"] = list(boosts)
        evidence += [("search", str(one.search), one.evidence) for one in searched]
    pictures = [{"field": one.path, "kind": one.kind} for one in chosen["pictures"]]
    pictures += [{"marc": "856$u", "kind": "url"}] if records_have_pictures else []
    if pictures:
        content["pictures"] = pictures
        evidence += [("pictures", one.path, one.evidence) for one in chosen["pictures"]]
        evidence += [("pictures", "856$u", "links in the MARC records lead to pictures")] * records_have_pictures
    for key in ("language", "title"):
        if chosen[key]:
            content[key] = chosen[key][0].path
            evidence.append((key, chosen[key][0].path, chosen[key][0].evidence))
    if not content.keys() & {"text", "marc", "pictures"}:
        raise DataError(
            f"no field of index {index} could be recognised as a title, a name, a subject, a summary, a picture or a "
            f"MARC record ({len(fields)} fields, {sampled} documents sampled); write a profile by hand, see "
            "docs/library-systems.md"
        )
    fitting = [f"the shipped profile {name} fits: consider `--target {name}`" for name in _shipped(fields)]
    said = (*notes, *fitting, *_hint(chosen["identifiers"]))
    text = _rendered(index, sampled, content, evidence, said)
    return Proposal(index, sampled, profiles.parse(text, index), text, tuple(evidence), said)


def _marc(fields: Mapping[str, Field], sampled: int) -> tuple[dict[str, str] | None, str, bool]:
    """Where MARC lies that nearly every document has, why, and whether it links to pictures."""
    found: list[tuple[float, str, int, int, bool, bool]] = []
    for field in fields.values():
        values = [value for held in field.values.values() for value in held[:1]][: shapes.TRIED]
        records = shapes.marc_records(values)
        if records and len(records) * 2 > len(values):
            pictured, as_array = any(one.picture_urls for one in records), isinstance(values[0], Mapping)
            found.append((field.share(sampled), field.path, len(records), len(values), pictured, as_array))
    found.sort(key=lambda one: (one[5], -one[0], one[1]))
    if not found or sum(one[0] for one in found[:2]) < 0.5:
        return None, "", False
    share, path, read, tried, pictured, as_array = found[0]
    marc = {"field": path}
    for name, field in fields.items():
        if field.texts() and {text.lower() for text in field.texts()} <= _FORMS:
            marc["format_field"] = name
    if not as_array and (others := [one[1] for one in found[1:] if one[5]]):
        marc["array_field"] = others[0]
    said = f"{share:.0%} of the sample, {read} of {tried} tried were read as MARC21 with a title"
    return marc, said, pictured


def _hint(identifiers: Sequence[Choice]) -> list[str]:
    isbn = next((one.path for one in identifiers if "isbn" in one.path.lower()), None)
    if isbn is None:
        return []
    return [f"covers by ISBN: {{field: {isbn}, kind: isbn, template: 'https://.../{{isbn}}.jpg'}}, your choice"]


def _shipped(fields: Mapping[str, Field]) -> list[str]:
    """Shipped profiles most of whose encoded fields are there: systems leave fields out that nobody filled."""
    return [name for name in profiles.shipped() if _fits(profiles.load(name), fields)]


def _fits(profile: TargetProfile, fields: Mapping[str, Field]) -> bool:
    wanted = [profile.marc.field, profile.marc.format_field] if profile.marc else list(profile.text)
    wanted += [picture.field for picture in profile.pictures if picture.field]
    there = sum(name in fields for name in wanted if name)
    return there >= max(2, 0.6 * len(wanted))


def _name(index: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", index.lower()).strip("-")[:40] or "mine"


def _rendered(
    index: str, sampled: int, content: Mapping[str, Any], evidence: Sequence[tuple[str, str, str]], notes: Sequence[str]
) -> str:
    """YAML in which every value is JSON, so that no name of a field can be taken for anything else."""
    lines = [f"# Proposed for index {index} from its mapping and {sampled} documents. Look through it, then:"]
    lines += [f"#   crosshatch attach {index} --target FILE --check"]
    lines += [_comment(note) for note in notes]
    for key, value in content.items():
        whys = [(field, why) for about, field, why in evidence if about == key]
        if isinstance(value, list):
            lines.append(f"{key}:")
            for number, one in enumerate(value):
                lines += [f"  {_comment(whys[number][1])}"] if number < len(whys) and key != "search" else []
                lines.append(f"  - {json.dumps(one, ensure_ascii=True)}")
        else:
            lines += [_comment(why) for _, why in whys] + [f"{key}: {json.dumps(value, ensure_ascii=True)}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """One line, whatever came in."""
    return "# " + "".join(sign if sign.isprintable() else " " for sign in text)
