"""TLS on the way to the nodes, and what the client's own connection is told to verify."""

import ssl

from integration.settings import Settings
from mappings.errors import SettingsError


def towards_nodes(settings: Settings) -> ssl.SSLContext:
    """Verify the nodes by the system's authorities or by ours, and show them our certificate where one is set.

    Raises SettingsError for files that cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.upstream_ca and str(settings.upstream_ca))
        if settings.upstream_certificate:
            context.load_cert_chain(settings.upstream_certificate, settings.upstream_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"CROSSHATCH_UPSTREAM_CA, _CERTIFICATE or _KEY cannot be used: {error}; expected PEM files, readable here"
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def towards_clients(settings: Settings) -> ssl.SSLContext | None:
    """The context of the gateway's own port, None for plain HTTP. Raises SettingsError."""
    if settings.gateway_certificate is None:
        if settings.gateway_client_ca is not None:
            raise SettingsError("CROSSHATCH_GATEWAY_CLIENT_CA needs CROSSHATCH_GATEWAY_CERTIFICATE: set both or none")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.gateway_certificate, settings.gateway_key)
        if settings.gateway_client_ca is not None:
            context.load_verify_locations(settings.gateway_client_ca)
            required = settings.gateway_client_certificate == "required"
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"CROSSHATCH_GATEWAY_CERTIFICATE, _KEY or _CLIENT_CA cannot be used: {error}; expected PEM files, readable "
            "here, the key without a password"
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context
