"""The configuration: what can be set, what is refused, and the environment's say in it."""

from gephyr_core.config.contradictions import ProviderFacts, is_loopback, provider_kind
from gephyr_core.config.environment import VARIABLES, variable_of
from gephyr_core.config.load import load_config
from gephyr_core.config.problems import ConfigError, ConfigProblem
from gephyr_core.config.schema import Config
from gephyr_core.config.schema_capabilities import CapabilityOverride
from gephyr_core.config.schema_providers import (
    AccountConfig,
    ComplianceConfig,
    ModelsConfig,
    OAuthConfig,
    OutboundConfig,
    ProviderConfig,
    ProxyConfig,
    ProxyPoolConfig,
    SchedulingConfig,
    TranslationConfig,
    UpstreamConfig,
)
from gephyr_core.config.schema_server import (
    AdminConfig,
    AuthConfig,
    CorsConfig,
    SecurityConfig,
    ServerConfig,
)

__all__ = [
    "VARIABLES",
    "AccountConfig",
    "AdminConfig",
    "AuthConfig",
    "CapabilityOverride",
    "ComplianceConfig",
    "Config",
    "ConfigError",
    "ConfigProblem",
    "CorsConfig",
    "ModelsConfig",
    "OAuthConfig",
    "OutboundConfig",
    "ProviderConfig",
    "ProviderFacts",
    "ProxyConfig",
    "ProxyPoolConfig",
    "SchedulingConfig",
    "SecurityConfig",
    "ServerConfig",
    "TranslationConfig",
    "UpstreamConfig",
    "is_loopback",
    "load_config",
    "provider_kind",
    "variable_of",
]
