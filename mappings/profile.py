"""Target profiles: which fields of somebody else's documents make the text and name the pictures."""

import hashlib
import importlib.resources
import json
import os
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mappings.errors import ProfileError

SHIPPED = importlib.resources.files("mappings") / "profiles"


class _Strict(BaseModel):
    """Unknown keys are refused: a misspelt key must not silently change what is encoded."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _unset(value: object) -> bool:
    """Keys that are younger than the digest do not enter it where they are not used: no record becomes stale."""
    return value in (None, ())


class PictureField(_Strict):
    """What names pictures: a document field, or `marc`, a place in the MARC record inside the document.

    `856$u` gives the links that lead to pictures (`integration.sources.marc_fields` says which), `020$a` the ISBNs.
    `template` turns an ISBN into a URL: `{isbn}` stands for its digits.
    """

    field: str | None = None
    marc: Literal["856$u", "020$a"] | None = Field(default=None, exclude_if=_unset)
    kind: Literal["url", "file", "base64", "isbn"]
    template: str | None = None

    @model_validator(mode="after")
    def _has_one_place(self) -> "PictureField":
        if (self.field is None) == (self.marc is None):
            raise ValueError("a picture names either `field` or `marc`")
        if self.marc and self.kind != _MARC_KINDS[self.marc]:
            raise ValueError(f"marc {self.marc} holds pictures of kind {_MARC_KINDS[self.marc]}; {self.kind} came")
        return self

    @model_validator(mode="after")
    def _template_goes_with_isbn(self) -> "PictureField":
        fits = "{isbn}" in (self.template or "") if self.kind == "isbn" else self.template is None
        if not fits:
            raise ValueError("kind isbn needs a `template` with {isbn} in it; the other kinds take none")
        return self


_MARC_KINDS = {"856$u": "url", "020$a": "isbn"}


class MarcField(_Strict):
    """MARC inside the document: `field` holds the record, `format_field` says in which form.

    `array_field` is where a document without `field` holds it as MARC-in-JSON (Koha's `ARRAY`).
    """

    field: str
    format_field: str | None = None
    array_field: str | None = Field(default=None, exclude_if=_unset)


class TargetProfile(_Strict):
    """How one kind of catalogue stores its records. Field names use dots into objects and lists.

    `html` are those `text` fields whose tags are to be left out. `captions` and `subjects` serve training and measuring
    on the catalogue itself: fields of which each value says, in some language, what the record is, and fields of its
    subject headings; out of `marc` both come by themselves. `indices` are patterns of the names that such a system
    gives its indices (`*` for a prefix or a tenant): they tell which profile may fit, and decide nothing.
    """

    name: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    versioning: Literal["internal", "external"] = "external"
    text: tuple[str, ...] = ()
    html: tuple[str, ...] = Field(default=(), exclude_if=_unset)
    search: tuple[str, ...] = ()
    captions: tuple[str, ...] = Field(default=(), exclude_if=_unset)
    subjects: tuple[str, ...] = Field(default=(), exclude_if=_unset)
    marc: MarcField | None = None
    pictures: tuple[PictureField, ...] = ()
    language: str | None = None
    title: str | None = None
    indices: tuple[str, ...] = Field(default=(), exclude_if=_unset)

    @model_validator(mode="after")
    def _has_something_to_encode(self) -> "TargetProfile":
        if not (self.text or self.marc or self.pictures):
            raise ValueError("a profile names at least one of `text`, `marc`, `pictures`")
        if set(self.html) - set(self.text):
            raise ValueError("`html` names fields that are not in `text`")
        if any(picture.marc for picture in self.pictures) and not self.marc:
            raise ValueError("pictures out of MARC need `marc`, which says where the record lies")
        return self

    @property
    def sha256(self) -> str:
        """Digest of what decides a record's content: a change of it makes every record stale."""
        return _sha256(self)

    @property
    def shown(self) -> str | None:
        """The field that a hit list shows."""
        return self.title or next(iter(self.text), None)

    @property
    def searched(self) -> tuple[str, ...]:
        """Fields of the BM25 side."""
        return self.search or self.text


@lru_cache(maxsize=256)  # asked for with every record; not kept in the profile, whose copies would take it along
def _sha256(profile: TargetProfile) -> str:
    content = profile.model_dump(include={"text", "html", "marc", "pictures", "language"}, mode="json")
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def shipped() -> list[str]:
    """Names of the profiles that come with the project."""
    return sorted(entry.name.removesuffix(".yaml") for entry in SHIPPED.iterdir() if entry.name.endswith(".yaml"))


def called_like(index: str) -> list[str]:
    """The shipped profiles whose systems give their indices such a name."""
    return [name for name in shipped() if any(fnmatchcase(index, pattern) for pattern in load(name).indices)]


def load(name_or_file: str) -> TargetProfile:
    """Read a shipped profile by name, or a YAML file. Raises ProfileError."""
    if name_or_file in shipped():
        return parse((SHIPPED / f"{name_or_file}.yaml").read_text("utf-8"), name_or_file)
    path = Path(name_or_file)
    if not os.path.isfile(path):  # noqa: PTH113 - `Path.is_file` raises for a name that is too long
        raise ProfileError(
            f"no target profile {name_or_file!r}: neither a file nor one of the shipped ones ({', '.join(shipped())})"
        )
    try:
        return parse(path.read_text("utf-8"), name_or_file)
    except UnicodeDecodeError as error:
        raise ProfileError(f"target profile {name_or_file} is no UTF-8 text") from error
    except OSError as error:
        raise ProfileError(f"target profile {name_or_file} cannot be read: {error.strerror}") from error


def parse(text: str, name: str) -> TargetProfile:
    """Read a profile from YAML. Raises ProfileError naming each wrong key, what came and what was expected."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ProfileError(f"target profile {name} uses YAML aliases (`*name`); write the values out")  # or: bombs
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
        raise ProfileError(f"target profile {name} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ProfileError(f"target profile {name} must be a mapping of keys; {type(content).__name__} came")
    try:
        return TargetProfile.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'profile'}: {e['msg']}" for e in error.errors())
        raise ProfileError(f"target profile {name} is wrong: {wrong}") from error
