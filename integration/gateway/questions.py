"""What callers of our own endpoints may ask, checked: unknown keys are refused, and pictures stay within the rules."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from integration.gateway import json_text
from integration.gateway.query_pictures import by_url
from integration.gateway.trees import Unreadable
from integration.gateway.uploads import Uploads
from integration.pictures import read_base64
from integration.search.request import Fusion, Plan, SearchRequest
from integration.search.scoring import Scoring
from integration.settings import Settings
from mappings.errors import RecordError, RequestError

Name = Annotated[str, Field(min_length=1, max_length=512)]
Asked = TypeVar("Asked", bound=BaseModel)
_SHARED = ("size", "page", "weight", "k", "min_similarity", "on", "part_weights", "budget_ms")
_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Picture(BaseModel):
    """One of the three says where the picture is."""

    model_config = _STRICT
    base64: str | None = None
    url: str | None = Field(None, max_length=4096)
    upload: str | None = Field(None, max_length=100)

    def read(self, settings: Settings, uploads: Uploads) -> bytes:
        """Its bytes, not decoded: a worker does that, within the pixel limit. Raises RequestError."""
        given = [name for name in ("base64", "url", "upload") if getattr(self, name) is not None]
        if len(given) != 1:
            raise RequestError(f"image has {' and '.join(given) or 'nothing'}; give one of base64, url, upload")
        try:
            if self.base64 is not None:
                return read_base64(self.base64, settings)
            if self.url is not None:
                return by_url(self.url, settings)
        except (RecordError, RequestError) as error:
            raise RequestError(f"the query's picture cannot be used: {error}") from error
        return uploads.get(self.upload or "")


class Encoded(BaseModel):
    """`encode`: words, a picture, or both; by the encoder of an attached index, else by the one of the settings."""

    model_config = _STRICT
    index: Name | None = None
    text: str | None = Field(None, max_length=4000)
    image: Picture | None = None


class _Page(BaseModel):
    model_config = _STRICT
    index: Name
    filters: dict[str, str | list[str]] = Field(default_factory=dict, max_length=50)
    size: int = 10
    page: int = 1
    weight: float | None = None
    k: int | None = None
    min_similarity: float | None = None
    on: tuple[str, ...] = Field((), max_length=3)
    part_weights: dict[str, float] = Field(default_factory=dict, max_length=3)
    explain: bool = False
    budget_ms: float | None = None

    def _wanted(self, **query: Any) -> SearchRequest:
        given = {name: [held] if isinstance(held, str) else held for name, held in self.filters.items()}
        return SearchRequest(
            filters=tuple((name, value) for name, values in given.items() for value in values),
            **{n: getattr(self, n) for n in _SHARED},
            **query,
        )


class Searched(_Page):
    """`search`: words, a picture, a record that hits are like, or several of them."""

    text: str | None = None
    image: Picture | None = None
    like: str | None = None
    fusion: Fusion = "auto"
    scoring: Scoring = "symmetric"
    plan: Plan = "auto"

    def request(self, settings: Settings, uploads: Uploads) -> SearchRequest:
        """As the rest of the project asks. Raises RequestError."""
        picture = self.image.read(settings, uploads) if self.image else None
        how = {name: getattr(self, name) for name in ("scoring", "fusion", "plan")}
        return self._wanted(text=self.text, image=picture, like=self.like, **how)


class Similar(_Page):
    """`similar`: what is like one record of the index."""

    id: Name

    def request(self) -> SearchRequest:
        """As the rest of the project asks. Raises RequestError."""
        return self._wanted(like=self.id)


def read(kind: type[Asked], raw: bytes) -> Asked:
    """What a body asks. Raises RequestError naming the key, and no value: it may be a picture."""
    try:
        tree = json_text.loads(raw)
        if not isinstance(tree, dict):
            raise RequestError("a JSON object was expected as the body")
        return kind.model_validate_json(json.dumps(tree))
    except Unreadable as error:
        raise RequestError(f"the body cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise RequestError(f"the body asks for what is not there: {wrong}") from error
