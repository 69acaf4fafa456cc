"""The `crosshatch` clause: what may stand in it, parsed and checked, with errors that name the place. Pure."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from encoders.api import PARTS
from integration.gateway.positions import NAME, Place, find
from integration.search.request import MAX_TEXT, WINDOW, Fusion
from integration.search.scoring import Scoring
from mappings.errors import RequestError

Part = Literal["text", "image", "record"]
Portion = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PLANS = ("auto", "exact", "bands", "knn", "knn-score")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Picture(_Strict):
    """The picture of a query: its bytes in base64, a URL, or the id of an upload; one of them."""

    base64: str | bytes | None = None
    url: str | None = Field(None, max_length=8192)
    upload: str | None = Field(None, max_length=100)

    @model_validator(mode="after")
    def _one(self) -> "Picture":
        if [self.base64, self.url, self.upload].count(None) != 2:
            raise ValueError("expected one of base64, url and upload")
        return self


class Like(_Strict):
    """The record that hits are like: its id, and its index where the search has several."""

    index: str | None = Field(None, alias="_index")
    id: str = Field(alias="_id", min_length=1, max_length=512)


class Given(_Strict):
    """A code that the caller has already: the space it belongs to, and what it is the code of."""

    space: str
    base64: str = Field(max_length=200)
    part: Part = "text"


class Clause(_Strict):
    """A clause. What is None is the index's own. `boost` and `_name` mean what they mean in every query."""

    text: str | None = Field(None, max_length=MAX_TEXT)
    image: Picture | None = None
    like: Like | None = None
    code: Given | None = None
    on: tuple[Part, ...] = ()
    part_weights: dict[str, Portion] = Field(default_factory=dict)
    query: dict[str, Any] | None = None
    weight: Portion | None = None
    saturation: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    min_similarity: Portion | None = None
    k: Annotated[int, Field(ge=1, le=WINDOW)] | None = None
    plan: str = "auto"
    scoring: str = "symmetric"
    fusion: str = "auto"
    budget_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    boost: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    name: str | None = Field(None, alias="_name")

    @model_validator(mode="after")
    def _sound(self) -> "Clause":
        if self.text is None and self.image is None and self.like is None and self.code is None:
            raise ValueError("nothing to search for; expected one or several of text, image, like and code")
        if self.text is not None and not self.text.strip():
            raise ValueError("text is empty; expected at least one word")
        if unknown := sorted(self.part_weights.keys() - set(PARTS)):
            raise ValueError(f"no part {unknown[0]!r} to give a weight; there are: {', '.join(PARTS)}")
        for key, known in (("plan", PLANS), ("scoring", get_args(Scoring)), ("fusion", get_args(Fusion))):
            if getattr(self, key) not in known:
                raise ValueError(f"no {key} {getattr(self, key)!r}; there are: {', '.join(known)}")
        return self


def read(place: Place) -> Clause:
    """The clause that stands there. Raises RequestError naming the place, what came and what was expected."""
    if place.role == "refused":
        raise RequestError(
            f"[{place}] a crosshatch clause can stand in searches; it came in a request that writes or stores its "
            "query: search first, and name the ids that you mean"
        )
    if not place.alone:
        raise RequestError(f"[{place}] stands beside other members; a query object holds one query: use a bool query")
    if not isinstance(place.clause, dict):
        raise RequestError(f"[{place}] is {type(place.clause).__name__}; expected an object")
    try:
        clause = Clause.model_validate(place.clause)
    except ValidationError as error:
        raise RequestError(f"[{place}] {'; '.join(_told(one) for one in error.errors(include_url=False))}") from None
    if place.role == "inside":
        _check_inside(place, clause)
    if clause.fusion == "rrf" and clause.query is None:
        raise RequestError(f"[{place}.fusion] rrf merges what a `query` finds with what codes find; give a query, too")
    if clause.query is not None and (inner := find({"query": clause.query}, "count")):
        raise RequestError(f"[{place}.{inner[0]}] stands in another crosshatch clause; put them side by side in a bool")
    return clause


def _check_inside(place: Place, clause: Clause) -> None:
    if clause.fusion == "rrf":
        raise RequestError(f"[{place}.fusion] rrf ranks only at the top of a query or in should; leave it out here")
    if clause.k is not None:
        raise RequestError(f"[{place}.k] counts only at the top of a query or in should; give min_similarity instead")
    if clause.budget_ms is not None:
        raise RequestError(
            f"[{place}.budget_ms] chooses a plan only at the top of a query or in should; leave it out here"
        )
    if clause.min_similarity is None:
        raise RequestError(
            f"[{place}.min_similarity] is required here: only at the top of a query or in should do the `k` most "
            "similar count"
        )


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        keys = ", ".join(field.alias or key for key, field in Clause.model_fields.items())
        return f"unknown key {where!r}" + (f"; there are: {keys}" if len(error["loc"]) == 1 else "")
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


__all__ = ["NAME", "PARTS", "Clause", "Given", "Like", "Picture", "read"]
