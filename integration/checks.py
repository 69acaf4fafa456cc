"""What `attach` makes sure of before it changes anything: each check passes or refuses, with what to do."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integration import account
from integration.engine.client import Cluster, part
from integration.mapping import OBJECTS
from integration.search import abilities
from mappings.bands import space_mapping as bands_mapping
from mappings.fields import space_mapping
from mappings.profile import TargetProfile
from mappings.vectors import NAMES

BLOCKS = ("read_only", "read_only_allow_delete", "write", "metadata", "read", "search_only")
_KIND = ("type", "analyzer")  # bands that the engine mapped by itself are `text` too
SNAPSHOTS = ("remote_snapshot", "snapshot")  # searchable ones: OpenSearch, Elasticsearch


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `why` tells what was found, `do` what helps where it refused."""

    name: str
    ok: bool
    why: str
    do: str = ""


def refusals(found: Iterable[Check], do: Mapping[str, str] | None = None) -> list[str]:
    """What the checks that refused say; `do` tells by a check's name what else to do about it."""
    return [f"{check.name}: {check.why}; {(do or {}).get(check.name, check.do)}" for check in found if not check.ok]


def of_index(
    cluster: Cluster,
    index: str,
    space: str,
    profile: TargetProfile,
    *,
    allow_final_pipeline: bool,
    beside: Iterable[Mapping[str, Any]] = (),
) -> Iterator[Check]:
    """Every check of one concrete index, in the order in which they are printed.

    `beside` are the bodies that will be put into its mapping beside the one of the space's codes.
    """
    answer = cluster.request("GET", f"/{part(index)}", params={"flat_settings": "true"})[index]
    settings: Mapping[str, Any] = answer["settings"]
    mapping: Mapping[str, Any] = answer["mappings"]
    yield _is_catalogue(index)
    yield _blocks(settings)
    yield _takes_changes(settings)
    yield _source(mapping)
    yield _source_stored(settings, mapping)
    yield _data_stream(answer)
    yield _follower(settings)
    yield _final_pipeline(settings, allow_final_pipeline)
    yield _own_objects(mapping, space)
    yield _field_limit(settings, mapping, [space_mapping(space), *beside])
    yield _profile_fields(mapping, profile)
    yield _whole_documents(cluster, index)
    yield scripts_allowed(cluster)


def _is_catalogue(index: str) -> Check:
    hidden = index.startswith(".")
    return Check(
        "catalogue-index",
        not hidden,
        f"{index} is {'a system or hidden index' if hidden else 'an ordinary index'}",
        "name the index that the catalogue searches",
    )


def _blocks(settings: Mapping[str, Any]) -> Check:
    found = [f"index.blocks.{name}" for name in BLOCKS if _is_on(settings, f"index.blocks.{name}")]
    found += ["a searchable snapshot"] * (settings.get("index.store.type") in SNAPSHOTS)
    found += ["being closed"] * _is_on(settings, "index.verified_before_close")
    return Check(
        "writable",
        not found,
        f"blocked by {', '.join(found)}" if found else "no write block",
        "lift the block (PUT <index>/_settings, POST <index>/_open), or free disk space, and run attach again",
    )


def _takes_changes(settings: Mapping[str, Any]) -> Check:
    """Modes in which the engine refuses a document in the place of another."""
    mode = str(settings.get("index.mode", "standard"))
    wrong = [f"index.mode is {mode}"] * (mode not in ("standard", "lookup"))
    wrong += ["index.append_only.enabled is true"] * _is_on(settings, "index.append_only.enabled")
    return Check(
        "takes-changes",
        not wrong,
        ", ".join(wrong) or "documents may be replaced",
        "codes are written into documents that are there; use an ordinary index",
    )


def _source(mapping: Mapping[str, Any]) -> Check:
    source = mapping.get("_source", {})
    wrong = [name for name in ("includes", "excludes") if source.get(name)]
    off = source.get("enabled") is False
    said = "_source is switched off" if off else f"_source is filtered by {', '.join(wrong)}"
    return Check(
        "source-whole",
        not (off or wrong),
        said if off or wrong else "_source is whole",
        "writing back would lose what _source does not hold; use an index with a whole _source",
    )


def _source_stored(settings: Mapping[str, Any], mapping: Mapping[str, Any]) -> Check:
    """`_source` as it came, not put together from doc values (OpenSearch: derived, Elasticsearch: synthetic)."""
    derived = _is_on(settings, "index.derived_source.enabled")
    modes = {str(mapping.get("_source", {}).get("mode", "stored")), str(settings.get("index.mapping.source.mode"))}
    wrong = ["derived from doc values"] * derived + sorted(modes & {"synthetic", "disabled"})
    return Check(
        "source-stored",
        not wrong,
        f"_source is {wrong[0]}" if wrong else "_source is stored as it came",
        "its bytes cannot be kept as they are; use an index with a stored _source",
    )


def _data_stream(index: Mapping[str, Any]) -> Check:
    stream = index.get("data_stream")
    return Check(
        "no-data-stream",
        not stream,
        f"it belongs to data stream {stream}" if stream else "no data stream",
        "data streams take no updates; use an ordinary index",
    )


def _follower(settings: Mapping[str, Any]) -> Check:
    follows = any(".replication.follower." in name or name.startswith("index.xpack.ccr.") for name in settings)
    return Check(
        "no-follower",
        not follows,
        "it follows another cluster's index" if follows else "it follows no other index",
        "attach to the leading index; the follower gets the codes with its documents",
    )


def _final_pipeline(settings: Mapping[str, Any], allowed: bool) -> Check:
    name = settings.get("index.final_pipeline", "_none")
    has = name not in ("_none", "")
    return Check(
        "no-final-pipeline",
        not has or allowed,
        f"final_pipeline {name} runs on every write, ours too" if has else "no final_pipeline",
        "make sure that it may run again on a document it made; then add --allow-final-pipeline",
    )


def _own_objects(mapping: Mapping[str, Any], space: str) -> Check:
    """Fields of our names must be ours."""
    foreign = [name for name, wanted in _wanted(space).items() if _is_foreign(mapping, name, wanted)]
    names = " and ".join(repr(name) for name in foreign or OBJECTS)
    said = f"the index has a field {names} that is not ours" if foreign else f"the fields {names} are free or ours"
    return Check("field-name-free", not foreign, said, f"rename that field; {names} is what Crosshatch writes to")


def _wanted(space: str) -> dict[str, Mapping[str, Any]]:
    """What a space's own object has as members, by the name of our object that it lies in."""
    bodies = zip(OBJECTS, (space_mapping(space), bands_mapping(space)), strict=True)
    return {name: body["properties"][name]["properties"][space]["properties"] for name, body in bodies}


def _is_foreign(mapping: Mapping[str, Any], name: str, wanted: Mapping[str, Any]) -> bool:
    """Whether the field `name` is no object of objects whose members are our kind of fields.

    Beside bands, or alone, vectors for the k-NN plugin may lie.
    """
    field = mapping.get("properties", {}).get(name)
    if field is None:
        return False
    entries = [entry.get("properties", {}) for entry in field.get("properties", {"": {}}).values()]
    needed = [wanted] * len(entries)
    if name == OBJECTS[1]:
        needed = [{} if entry and set(entry) <= set(NAMES) else wanted for entry in entries]
    return not all(
        entry
        and set(parts) <= set(entry)
        and all(entry[part].get(key) == parts[part].get(key) for part in parts for key in _KIND)
        for entry, parts in zip(entries, needed, strict=True)
    )


def _field_limit(settings: Mapping[str, Any], mapping: Mapping[str, Any], added: Iterable[Mapping[str, Any]]) -> Check:
    """Whether there is room for the fields that these bodies add."""
    limit = int(settings.get("index.mapping.total_fields.limit", 1000))
    new = {name for body in added for name in _names(body)} - _names(mapping)
    after = _fields(mapping) + len(new)
    return Check(
        "field-limit",
        after <= limit,
        f"{after} fields with ours, of index.mapping.total_fields.limit {limit}",
        f"raise index.mapping.total_fields.limit to {after} or more",
    )


def _names(mapping: Mapping[str, Any], within: str = "") -> set[str]:
    """Full names of objects and fields."""
    properties = mapping.get("properties", {}).items()
    return {f"{within}{name}" for name, _ in properties}.union(
        *(_names(field, f"{within}{name}.") for name, field in properties)
    )


def _fields(mapping: Mapping[str, Any]) -> int:
    """Fields as the engine counts them: objects, fields and their sub-fields."""
    count = 0
    for field in mapping.get("properties", {}).values():
        count += 1 + len(field.get("fields", {})) + _fields(field)
    return count


def _profile_fields(mapping: Mapping[str, Any], profile: TargetProfile) -> Check:
    """Fields of the profile that the mapping lacks: none at all found means the wrong profile."""
    names = [*profile.text, *(picture.field for picture in profile.pictures if picture.field)]
    names += [place for place in (profile.marc.field, profile.marc.array_field) if place] if profile.marc else []
    missing = [name for name in names if not _mapped(mapping, name)]
    others = set(mapping.get("properties", {})) - set(OBJECTS)  # an index without any field yet tells nothing
    hidden = str(mapping.get("dynamic")).lower() == "false"  # fields may lie in _source alone
    wrong = len(missing) == len(names) and bool(others) and not hidden
    said = f"not in the mapping: {', '.join(missing)}" if missing else "every field of the profile is in the mapping"
    return Check("profile-fits", not wrong, said, "choose the profile of this catalogue: --target NAME|FILE")


def _mapped(mapping: Mapping[str, Any], name: str) -> bool:
    properties = mapping.get("properties", {})
    if name in properties:
        return True
    head, _, rest = name.partition(".")
    while rest:
        if head in properties:
            return _hides(properties[head]) or _mapped(properties[head], rest)
        more, _, rest = rest.partition(".")
        head = f"{head}.{more}"
    return False


def _hides(field: Mapping[str, Any]) -> bool:
    """Whether an object may hold members that stand in no mapping."""
    dynamic = str(field.get("dynamic")).lower() == "false"
    return field.get("enabled") is False or dynamic or field.get("type") in ("flat_object", "flattened")


def _whole_documents(cluster: Cluster, index: str) -> Check:
    why = account.limits(cluster, index)
    return Check("account-sees-all", not why, why or "nothing limits what the account sees of a document", account.DO)


def _is_on(settings: Mapping[str, Any], name: str) -> bool:
    return str(settings.get(name)).lower() == "true"


def scripts_allowed(cluster: Cluster) -> Check:
    """Searches need a stored Painless script; a cluster may forbid them."""
    settings = abilities.settings_of(cluster)
    if settings is None:
        return Check("scripts-allowed", True, "the account may not read the cluster's settings; not checked")
    why = abilities.Abilities(**abilities.scripts_in(settings)).no_scripts
    return Check(
        "scripts-allowed",
        not why,
        why or "stored scripts are allowed",
        "allow stored scripts (script.allowed_types: stored, script.allowed_contexts: score, field) and "
        "search.allow_expensive_queries: true",
    )
