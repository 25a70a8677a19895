"""Where well-known services take their credentials, by their own API documentation.

The table is that of the service's protocol; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WellKnownService:
    """A service with the environment variables that its own tools and SDKs read."""

    hosts: tuple[str, ...]
    substitute_in: tuple[str, ...]
    variables: tuple[str, ...]


AUTHORIZATION = ("header:authorization",)

well_known_services = (
    WellKnownService(
        ("api.anthropic.com",),
        ("header:x-api-key", "header:authorization"),
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
    ),
    WellKnownService(("api.openai.com",), AUTHORIZATION, ("OPENAI_API_KEY",)),
    WellKnownService(
        ("generativelanguage.googleapis.com",),
        ("header:x-goog-api-key", "query"),
        ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
    ),
    WellKnownService(
        ("api.github.com", "github.com", "uploads.github.com"),
        AUTHORIZATION,
        ("GITHUB_TOKEN", "GH_TOKEN"),
    ),
    WellKnownService(
        ("gitlab.com",),
        ("header:private-token", "header:authorization"),
        ("GITLAB_TOKEN", "GITLAB_PRIVATE_TOKEN"),
    ),
    WellKnownService(("registry.npmjs.org",), AUTHORIZATION, ("NPM_TOKEN", "NODE_AUTH_TOKEN")),
    WellKnownService(
        ("upload.pypi.org",), AUTHORIZATION, ("PYPI_TOKEN", "PYPI_API_TOKEN", "UV_PUBLISH_TOKEN")
    ),
    WellKnownService(
        ("huggingface.co", "router.huggingface.co"),
        AUTHORIZATION,
        ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    ),
    WellKnownService(
        ("slack.com",),
        AUTHORIZATION,
        ("SLACK_TOKEN", "SLACK_BOT_TOKEN", "SLACK_USER_TOKEN", "SLACK_APP_TOKEN"),
    ),
    WellKnownService(("api.stripe.com",), AUTHORIZATION, ("STRIPE_API_KEY", "STRIPE_SECRET_KEY")),
    WellKnownService(
        ("api.cloudflare.com",),
        ("header:authorization", "header:x-auth-key"),
        ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
    ),
    WellKnownService(("api.mistral.ai",), AUTHORIZATION, ("MISTRAL_API_KEY",)),
    WellKnownService(("api.groq.com",), AUTHORIZATION, ("GROQ_API_KEY",)),
    WellKnownService(("openrouter.ai",), AUTHORIZATION, ("OPENROUTER_API_KEY",)),
    WellKnownService(("api.deepseek.com",), AUTHORIZATION, ("DEEPSEEK_API_KEY",)),
    WellKnownService(("api.x.ai",), AUTHORIZATION, ("XAI_API_KEY",)),
    WellKnownService(("api.cohere.com",), AUTHORIZATION, ("COHERE_API_KEY", "CO_API_KEY")),
    WellKnownService(("api.together.xyz",), AUTHORIZATION, ("TOGETHER_API_KEY",)),
    WellKnownService(("api.perplexity.ai",), AUTHORIZATION, ("PERPLEXITY_API_KEY",)),
    WellKnownService(("api.replicate.com",), AUTHORIZATION, ("REPLICATE_API_TOKEN",)),
    WellKnownService(("api.elevenlabs.io",), ("header:xi-api-key",), ("ELEVENLABS_API_KEY",)),
    WellKnownService(
        ("api.search.brave.com",), ("header:x-subscription-token",), ("BRAVE_API_KEY",)
    ),
    WellKnownService(("api.notion.com",), AUTHORIZATION, ("NOTION_TOKEN",)),
    WellKnownService(("api.linear.app",), AUTHORIZATION, ("LINEAR_API_KEY",)),
    WellKnownService(("sentry.io",), AUTHORIZATION, ("SENTRY_AUTH_TOKEN",)),
    WellKnownService(("api.vercel.com",), AUTHORIZATION, ("VERCEL_TOKEN",)),
    WellKnownService(("discord.com",), AUTHORIZATION, ("DISCORD_TOKEN", "DISCORD_BOT_TOKEN")),
    WellKnownService(("api.telegram.org",), ("path",), ("TELEGRAM_BOT_TOKEN",)),
)
