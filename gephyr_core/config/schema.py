"""The whole configuration as one value."""

from typing import Annotated

import attrs

from gephyr_core.config.rules import MODEL_PATTERN, NAME
from gephyr_core.config.schema_capabilities import CapabilityOverride
from gephyr_core.config.schema_providers import (
    AccountConfig,
    ComplianceConfig,
    ModelsConfig,
    OutboundConfig,
    ProviderConfig,
    ProxyPoolConfig,
    SchedulingConfig,
    TranslationConfig,
    UpstreamConfig,
)
from gephyr_core.config.schema_server import AdminConfig, AuthConfig, CorsConfig, SecurityConfig, ServerConfig


@attrs.frozen(kw_only=True)
class Config:
    """Everything an operator can set, valid and complete. Holds no secret: only references and digests."""

    server: ServerConfig = attrs.field(factory=ServerConfig)
    auth: AuthConfig = attrs.field(factory=AuthConfig)
    admin: AdminConfig = attrs.field(factory=AdminConfig)
    cors: CorsConfig = attrs.field(factory=CorsConfig)
    security: SecurityConfig = attrs.field(factory=SecurityConfig)
    accounts: tuple[AccountConfig, ...] = ()
    models: ModelsConfig = attrs.field(factory=ModelsConfig)
    scheduling: SchedulingConfig = attrs.field(factory=SchedulingConfig)
    compliance: ComplianceConfig = attrs.field(factory=ComplianceConfig)
    proxy_pool: ProxyPoolConfig = attrs.field(factory=ProxyPoolConfig)
    outbound: OutboundConfig = attrs.field(factory=OutboundConfig)
    upstream: UpstreamConfig = attrs.field(factory=UpstreamConfig)
    translation: TranslationConfig = attrs.field(factory=TranslationConfig)
    providers: dict[Annotated[str, NAME], ProviderConfig] = attrs.field(factory=dict)
    capabilities: dict[Annotated[str, MODEL_PATTERN], CapabilityOverride] = attrs.field(factory=dict)
    """By model pattern; the more specific wins."""
