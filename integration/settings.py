"""All settings in one frozen object, read once at the edge from CROSSHATCH_* and crosshatch.toml, and passed down."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from integration.gateway.widening.rules import Rule
from integration.quiet_hours import Span
from mappings.errors import SettingsError


def _split(value: object, separator: str) -> object:
    """A list as an administrator writes it: JSON, or words between separators; a list of the file passes."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(separator) if part.strip()]


def _spans(value: object) -> object:
    """Spans of the day out of their texts."""
    return [Span.read(one) if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


def _rules(value: object) -> object:
    """Rules of widening out of their texts, or out of a table of the file."""
    texts = [f"{name}={mode}" for name, mode in value.items()] if isinstance(value, dict) else value
    return [Rule.read(one) if isinstance(one, str) else one for one in texts] if isinstance(texts, list) else texts


Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(lambda value: _split(value, ","))]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(lambda value: _split(value, os.pathsep))]

Hours = Annotated[tuple[Span, ...], NoDecode, BeforeValidator(lambda value: _spans(_split(value, ",")))]
Rules = Annotated[tuple[Rule, ...], NoDecode, BeforeValidator(lambda value: _rules(_split(value, ",")))]


class Settings(BaseSettings):
    """Each field is CROSSHATCH_<NAME> in the environment and `<name>` in crosshatch.toml; the environment wins."""

    model_config = SettingsConfigDict(
        env_prefix="CROSSHATCH_", toml_file="crosshatch.toml", frozen=True, extra="forbid", env_ignore_empty=True
    )

    opensearch_url: str | None = Field(None, description="the cluster; user and password may stand in the URL")
    redis_url: str | None = Field(None, description="the broker")
    data: Path = Field(Path(".crosshatch"), description="folder of the embedded engine, caches and fitted bundles")
    encoder: str = Field("default-128", description="bundle: its name, a folder, or clip:<folder or name>")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    picture_roots: Folders = Field((), description="folders, parted by `:`, that pictures of kind `file` may lie in")
    picture_hosts: Hosts = Field(
        (), description="hosts, parted by `,`, that pictures may come from and that may be private; empty: any public"
    )
    picture_max_bytes: int = Field(20_000_000, description="largest picture file that is read", gt=0)
    picture_max_pixels: int = Field(50_000_000, description="largest picture that is decoded, in pixels", gt=0)
    picture_timeout: float = Field(
        10.0, description="seconds for one picture, all redirects included", gt=0, allow_inf_nan=False
    )
    batch: int = Field(64, description="records in one job", gt=0, le=1000)
    follow_interval: float = Field(
        1.0, description="seconds between two looks of `update --follow` at what changed", ge=0.1, allow_inf_nan=False
    )
    follow_scan: float = Field(
        24.0, description="hours between two full digest scans of `update --follow`", gt=0, allow_inf_nan=False
    )
    log: Literal["text", "json"] = Field("text", description="how workers and `update --follow` log: text or json")
    write_rate: float | None = Field(
        None, description="documents written a second, over all workers of a cluster", gt=0, allow_inf_nan=False
    )
    quiet_hours: Hours = Field(
        (), description="spans of the day, local time, in which nothing is written: `08:00-18:00,22:00-23:30`"
    )
    heap_limit: float = Field(85.0, description="percent of a data node's heap from which nothing is written", gt=0)
    disk_limit: float | None = Field(
        None, description="the same of its disk, beside the cluster's own high watermark", gt=0, allow_inf_nan=False
    )
    metrics_port: int | None = Field(
        None, description="port on which `update --follow` answers Prometheus; none: it does not", gt=0, le=65535
    )
    metrics_host: str = Field("127.0.0.1", description="address of that port; 0.0.0.0: every one of this machine")

    gateway_host: str = Field("127.0.0.1", description="address that `serve` listens at; 0.0.0.0: every one")
    gateway_port: int = Field(9280, description="port that `serve` listens at", gt=0, le=65535)
    gateway_nodes: Hosts = Field(
        (),
        description="URLs of the cluster's nodes, parted by `,`, that requests pass to; none: the cluster",
    )
    gateway_address: str | None = Field(
        None, description="host:port that clients who sniff nodes are told; none: the host that they asked"
    )
    gateway_certificate: Path | None = Field(
        None, description="PEM file of the gateway's own certificate: it speaks TLS"
    )
    gateway_key: Path | None = Field(None, description="PEM file of its key, where that is not in the same file")
    gateway_client_ca: Path | None = Field(
        None, description="PEM file of the authorities that clients' certificates are verified by"
    )
    gateway_client_certificate: Literal["optional", "required"] = Field(
        "required", description="whether clients must show such a certificate"
    )
    gateway_certificate_header: str | None = Field(
        None,
        description="header that tells the nodes the subject of a client's certificate; clients cannot send it",
        pattern=r"^[A-Za-z0-9-]+$",
    )
    upstream_ca: Path | None = Field(
        None, description="PEM file of the authorities that the nodes' certificates are verified by; none: the system's"
    )
    upstream_certificate: Path | None = Field(
        None, description="PEM file of the certificate that the gateway shows the nodes, for all its clients alike"
    )
    upstream_key: Path | None = Field(None, description="PEM file of its key, where that is not in the same file")
    gateway_connect_timeout: float = Field(
        3.0, description="seconds that a node has to take a connection", gt=0, allow_inf_nan=False
    )
    gateway_timeout: float = Field(
        600.0, description="seconds of silence that a node's answer may have", gt=0, allow_inf_nan=False
    )
    gateway_client_timeout: float = Field(
        60.0, description="seconds that a client may stop within its request or the answer", gt=0, allow_inf_nan=False
    )
    gateway_idle_timeout: float = Field(
        3600.0, description="seconds that a client's connection stays open between requests", gt=0, allow_inf_nan=False
    )
    gateway_body_limit: int = Field(
        1_000_000_000, description="bytes of a request's body; the cluster has a limit of its own", gt=0
    )
    gateway_drain: float = Field(
        30.0, description="seconds in which requests may end when the gateway is stopped", ge=0, allow_inf_nan=False
    )
    query_timeout: float = Field(
        1.0, description="seconds that a search through the gateway waits for a worker's code", gt=0, le=60
    )
    without_code: Literal["words", "fail"] = Field(
        "words", description="such a search when no worker answers: `words` goes on with the words alone, `fail` is 503"
    )
    widen: Rules = Field(
        (),
        description="searches that `serve` widens, as `INDEX=MODE` parted by `,`; the first that fits counts, `*` for "
        "any letters; `shadow` only counts what would change, `rerank` ranks an OPAC's own hits anew, `expand` adds "
        "records found by the code alone",
    )
    widen_timeout: float = Field(
        0.5, description="seconds that such a search waits for a worker's code before it passes as it was", gt=0, le=60
    )
    query_urls: Literal["listed", "public", "off"] = Field(
        "listed",
        description="whether the gateway fetches a query's `image.url`: from hosts that CROSSHATCH_PICTURE_HOSTS "
        "lists, where it lists none from any public one too (public), or never (off)",
    )
    own_endpoints: Literal["callers", "open", "off"] = Field(
        "callers",
        description="who may use `/_crosshatch/` of the gateway: callers with credentials that the cluster takes, "
        "everybody (open), or nobody (off)",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the program sets, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _shown(error: ErrorDetails) -> str:
    """What came; of URLs only their type, for a password may stand in them."""
    came, name = error["input"], str(error["loc"][0])
    return type(came).__name__ if name.endswith("_url") or name == "gateway_nodes" else repr(came)


def load() -> Settings:
    """Read the settings. Raises SettingsError naming the setting, what came and what was expected."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"CROSSHATCH_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']} (came: {_shown(e)})" for e in error.errors()
        )
        raise SettingsError(f"wrong settings: {wrong}") from error
    except ValueError as error:  # pydantic-settings: a list that is no JSON, a broken TOML file
        raise SettingsError(f"settings cannot be read: {error}") from error
