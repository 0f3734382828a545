"""What secrets look like: one table of formats that issuers document, and the words around secrets that have none.

Here: data for `redaction`. Not here: how text is searched (`redaction`) and whether a value after a word is a secret
(`credibility`).

A pattern is RE2 syntax over bytes, starts with a literal (that keeps the automaton small) and needs no boundaries: a
match counts only where no letter or digit touches it.
"""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """A secret: its kind, and the bytes or characters from `start` up to `end`."""

    kind: str
    start: int
    end: int


class Format(NamedTuple):
    """One known form. `before`: what must stand directly before the match and belongs to it."""

    kind: str
    pattern: str
    before: str = ""


_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

FORMATS: tuple[Format, ...] = (
    # Clouds
    Format("aws-access-key", "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
    Format("aws-bedrock-key", "ABSK[A-Za-z0-9+/]{60,}={0,2}|bedrock-api-key-[A-Za-z0-9+/=]{20,}"),
    Format("aws-mws-token", f"amzn\\.mws\\.{_UUID}"),
    Format("gcp-api-key", "AIza[A-Za-z0-9_-]{35}"),
    Format("gcp-oauth-token", "ya29\\.[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{40,}"),
    Format("gcp-client-secret", "GOCSPX-[A-Za-z0-9_-]{20,}"),
    Format("azure-client-secret", "Q~[A-Za-z0-9_~.-]{31,34}", before="[A-Za-z0-9_~.-]{3}[0-9]"),
    Format("azure-key", "JQQJ99[A-Za-z0-9]{26}", before="[A-Za-z0-9]{52}"),
    Format("azure-key", "(?:AzCa|AzSe|AzFu)[A-Za-z0-9+/]{5,6}={0,2}", before="[A-Za-z0-9+/]{32,76}"),
    Format("alibaba-access-key", "LTAI[A-Za-z0-9]{16,20}"),
    Format("tencent-access-key", "AKID[A-Za-z0-9]{32}"),
    Format("yandex-key", "AQVN[A-Za-z0-9_-]{35,38}|YC[A-Za-z0-9_-]{38}"),
    Format("digitalocean-token", "do[opr]_v1_[0-9a-f]{64}"),
    Format("heroku-key", "HRKU-[A-Za-z0-9_-]{36,}"),
    Format("fly-token", "FlyV1 fm[12]_[A-Za-z0-9+/=_,-]{20,}|fo1_[A-Za-z0-9_-]{43}"),
    Format("netlify-token", "nf[pcu]_[A-Za-z0-9]{36,}"),
    Format("vercel-token", "vc[pikar]_[A-Za-z0-9]{24,}"),
    Format("cloudflare-key", "v1\\.0-[0-9a-f]{24}-[0-9a-f]{146}|cf(?:k|ut|at)_[A-Za-z0-9]{40,}"),
    Format("render-key", "rnd_[A-Za-z0-9]{28,}"),
    Format("scaleway-key", "SCW[A-Z0-9]{17}"),
    # Code hosting
    Format("github-token", "gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255}"),
    Format(
        "gitlab-token",
        "gl(?:pat|dt|rt|rtr|cbt|ptt|ft|soat|imt|agent|oas|ffct|wt)-[A-Za-z0-9_.-]{20,}|GR1348941[A-Za-z0-9_-]{20,}",
    ),
    Format("bitbucket-token", "ATBB[A-Za-z0-9]{32}|BBDC-[A-Za-z0-9+/]{30,}"),
    Format("atlassian-token", "AT(?:ATT3|CTT3|STT3|OTT3)[A-Za-z0-9_=-]{60,}"),
    Format("buildkite-token", "bk(?:ua|aj|ct|pt|r|ua)_[0-9a-f]{40}"),
    Format("circleci-token", "CCI(?:PAT|PRJ)_[A-Za-z0-9_]{20,}"),
    Format("sonar-token", "sq[pua]_[0-9a-f]{40}"),
    Format("sourcegraph-token", "sg(?:p|d|ph)_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
    # Package registries
    Format("npm-token", "npm_[A-Za-z0-9]{36,}"),
    Format("pypi-token", "pypi-Ag(?:EIcHlwaS5vcmc|ENdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,}"),
    Format("rubygems-key", "rubygems_[0-9a-f]{48}"),
    Format("nuget-key", "oy2[a-z0-9]{43}"),
    Format("crates-token", "cio[A-Za-z0-9]{32}"),
    Format("docker-token", "dckr_(?:pat|oat)_[A-Za-z0-9_-]{24,}"),
    Format("clojars-token", "CLOJARS_[0-9a-z]{60}"),
    Format("artifactory-key", "AKCp[A-Za-z0-9]{60,75}|cmVmdGtuOjAxOj[A-Za-z0-9+/=]{40,}"),
    # Models
    Format("anthropic-key", "sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{20,}"),
    Format(
        "openai-key",
        "sk-(?:proj|svcacct|admin|None|service)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    ),
    Format("openrouter-key", "sk-or-(?:v1-)?[0-9a-f]{64}"),
    Format("langfuse-key", f"sk-lf-{_UUID}"),
    Format("api-key", "sk-[A-Za-z0-9]{32,64}"),
    Format("huggingface-token", "hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}"),
    Format("replicate-token", "r8_[A-Za-z0-9]{37,}"),
    Format("groq-key", "gsk_[A-Za-z0-9]{40,}"),
    Format("xai-key", "xai-[A-Za-z0-9]{60,}"),
    Format("perplexity-key", "pplx-[A-Za-z0-9]{40,}"),
    Format("nvidia-key", "nvapi-[A-Za-z0-9_-]{40,}"),
    Format("cerebras-key", "csk-[a-z0-9]{40,}"),
    Format("together-key", "tgp_v1_[A-Za-z0-9_-]{40,}"),
    Format("fireworks-key", "fw_[A-Za-z0-9]{22,}"),
    Format("langsmith-key", "lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Format("pinecone-key", "pcsk_[A-Za-z0-9_]{50,}"),
    Format("tavily-key", "tvly-(?:[a-z]{3,4}-)?[A-Za-z0-9_-]{24,}"),
    Format("jina-key", "jina_[A-Za-z0-9_-]{40,}"),
    Format("voyage-key", "pa-[A-Za-z0-9_-]{43}"),
    Format("firecrawl-key", "fc-[0-9a-f]{32}"),
    Format("wandb-key", "wandb_v1_[A-Za-z0-9_]{40,}"),
    Format("databricks-token", "dapi[0-9a-f]{32}(?:-[0-9])?"),
    # Messages and mail
    Format(
        "slack-token",
        "xox[abeoprs](?:-[A-Za-z0-9.]+)+-[A-Za-z0-9]{8,}|xoxe\\.xox[bp]-[A-Za-z0-9-]{20,}|xapp-[0-9]-[A-Za-z0-9-]{20,}",
    ),
    Format("slack-webhook", "hooks\\.slack\\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_+-]{30,}"),
    Format("discord-webhook", "discord(?:app)?\\.com/api/(?:v[0-9]+/)?webhooks/[0-9]{15,}/[A-Za-z0-9_-]{40,}"),
    Format("teams-webhook", "webhook\\.office\\.com/webhookb2/[A-Za-z0-9@/-]{60,}"),
    Format("telegram-token", ":AA[A-Za-z0-9_-]{33}", before="[0-9]{8,10}"),
    Format("twilio-key", "SK[0-9a-f]{32}"),
    Format("sendgrid-key", "SG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}"),
    Format("mailgun-key", "key-[0-9a-f]{32}"),
    Format("mailchimp-key", "-us[0-9]{1,2}", before="[0-9a-f]{32}"),
    Format("brevo-key", "x(?:keysib|smtpsib)-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    Format("resend-key", "re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"),
    # Money and shops
    Format("stripe-key", "(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,}|sk_org_(?:live|test)_[A-Za-z0-9_]{10,}"),
    Format("webhook-secret", "whsec_[A-Za-z0-9+/=]{24,}"),
    Format("square-token", "sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{60}"),
    Format("shopify-token", "shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{32}"),
    Format("braintree-token", "access_token\\$(?:production|sandbox)\\$[0-9a-z]{16}\\$[0-9a-f]{32}"),
    Format("plaid-token", f"access-(?:sandbox|development|production)-{_UUID}"),
    Format("easypost-key", "EZ[AT]K[A-Za-z0-9]{54}"),
    Format("shippo-token", "shippo_(?:live|test)_[0-9a-f]{40}"),
    Format("flutterwave-key", "FLWSECK(?:_TEST)?-[0-9a-zA-Z]{12,}"),
    Format("razorpay-key", "rzp_(?:live|test)_[A-Za-z0-9]{14,}"),
    Format("duffel-token", "duffel_(?:test|live)_[A-Za-z0-9_=-]{40,}"),
    # Operations
    Format("datadog-key", "dd(?:app|api)_[A-Za-z0-9]{34,}"),
    Format("newrelic-key", "NR(?:AK|AA|II|IQ|RA|SP)-[A-Za-z0-9_-]{27,32}"),
    Format("sentry-token", "sntrys_[A-Za-z0-9_+/=]{40,}|sntry[ua]_[0-9a-f]{64}"),
    Format("grafana-token", "glc_[A-Za-z0-9+/]{32,}={0,2}|glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    Format("dynatrace-token", "dt0[a-z][0-9]{2}\\.[A-Z0-9]{8,24}\\.[A-Z0-9]{64}"),
    Format("honeycomb-key", "hc[abx][ilm]k_[a-z0-9]{58,64}"),
    Format("posthog-key", "phx_[A-Za-z0-9]{40,}"),
    Format("launchdarkly-key", f"(?:sdk|api)-{_UUID}"),
    Format("doppler-token", "dp\\.(?:pt|st|ct|sa|scim|audit|said)\\.[A-Za-z0-9._-]{40,}"),
    Format("vault-token", "hv[sbr]\\.[A-Za-z0-9_-]{24,}"),
    Format("terraform-token", "\\.atlasv1\\.[A-Za-z0-9_=-]{60,}", before="[A-Za-z0-9]{14}"),
    Format("pulumi-token", "pul-[0-9a-f]{40}"),
    Format("onepassword-token", "ops_eyJ[A-Za-z0-9+/=_-]{100,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,6}-){4,5}[A-Z0-9]{5}"),
    Format("tailscale-key", "tskey-[a-z]+-[A-Za-z0-9]+-[A-Za-z0-9]{20,}|tskey-[A-Za-z0-9]{16,}"),
    Format("age-key", "AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    Format("prefect-key", "pn[ub]_[A-Za-z0-9]{36}"),
    # Databases
    Format("supabase-key", "sbp_(?:v0_)?[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20,}"),
    Format("planetscale-token", "pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}"),
    Format("neon-password", "npg_[A-Za-z0-9]{10,}"),
    Format("mongodb-token", "mdb_sa_sk_[A-Za-z0-9_-]{30,}"),
    # Products
    Format("notion-token", "ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}"),
    Format("linear-key", "lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    Format("figma-token", "fig(?:d|u|o)_[A-Za-z0-9_-]{40,}"),
    Format("airtable-token", "pat[A-Za-z0-9]{14}\\.[0-9a-f]{64}"),
    Format("hubspot-token", f"pat-(?:na|eu|ap)[0-9]-{_UUID}"),
    Format("dropbox-token", "sl\\.(?:u\\.)?[A-Za-z0-9_-]{100,}"),
    Format("facebook-token", "EAA[A-Za-z0-9]{90,}"),
    Format("twitter-token", "AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9%]{60,}"),
    Format("firebase-key", ":APA91b[A-Za-z0-9_-]{100,}", before="[A-Za-z0-9_-]{7,22}"),
    Format("typeform-token", "tfp_[A-Za-z0-9_.=-]{40,}"),
    Format("postman-key", "PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    Format("contentful-token", "CFPAT-[A-Za-z0-9_-]{43}"),
    Format("readme-key", "rdme_[a-z0-9]{70}"),
    Format("adafruit-key", "aio_[A-Za-z0-9]{28}"),
    Format("frameio-token", "fio-u-[A-Za-z0-9_=-]{64}"),
    Format("mapbox-token", "sk\\.eyJ[A-Za-z0-9_-]{40,}\\.[A-Za-z0-9_-]{16,}"),
    Format("zapier-webhook", "hooks\\.zapier\\.com/hooks/catch/[0-9]{5,}/[A-Za-z0-9]{5,}"),
    # Any issuer
    Format("jwt", "eyJ[A-Za-z0-9_-]{10,}\\.(?:eyJ[A-Za-z0-9_-]{8,}|[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]+)[A-Za-z0-9_.-]*"),
)

# Words that name a secret, as they stand in identifiers, headers and flags; `_`, `-`, `.` or nothing between their
# parts.
_P = "[_.-]?"
SECRET_WORDS: dict[str, tuple[str, ...]] = {
    "password": ("passwords?", "passwd", "passphrase", "passcode", "pwd", "\\bpass", "_pass"),
    "api-key": (f"(?:api|app|application|subscription|license|functions){_P}key",),
    "secret": (
        "secret",
        "(?:private|signing|encrypt|encryption|master|account|storage|access|service|deploy|webhook|session|hmac)"
        f"{_P}key",
        f"shared{_P}access{_P}(?:key|signature)",
        "credentials?",
    ),
    "token": ("token", f"auth{_P}key", "sessid", "jwt", "_auth", "\\bsig"),
}
# What may follow such a word without a separator and leave its meaning.
ATTACHED = "(?:key|value|val|string|str|text|plain|secret|token|base|b64|prod|dev|test|live|[0-9]{1,3})*"
# Last part of an identifier that makes it speak *about* a secret: `token_type`, `password-field`, `secretName`.
ABOUT_WORDS = (
    "algorithm|alias|arn|attempts|attribute|available|budget|callback|char|chars|class|cls|column|"
    "config|count|counter|created|date|delimiter|description|dir|directory|disabled|duration|enabled|"
    "encoder|endpoint|enum|env|environ|error|event|exists|expiration|expired|expires|expiry|factory|"
    "field|file|filename|flag|fn|folder|form|format|func|function|generator|group|handler|hash|"
    "header|help|hint|host|id|ids|idx|index|input|is|issuer|issues|kind|label|len|length|level|"
    "limit|link|list|loader|location|manager|mask|max|message|method|min|mode|model|name|names|"
    "number|page|param|parameter|parser|path|pattern|placeholder|policy|position|prefix|prompt|"
    "provider|ratio|ref|reference|regex|regexp|region|required|rule|rules|schema|scope|separator|"
    "service|set|size|source|start|state|status|store|strategy|suffix|svc|table|title|ttl|type|"
    "types|uri|url|usage|used|user|username|valid|validation|validator|var|variable|version|visible"
)
# Values that stand for a secret and are none, alone or with a few digits behind: what documentation, tests and type
# annotations say.
PLACEHOLDER_STEMS = (
    "my|your|the|a|an|some|new|old|our|user|test|fake|dummy|mock|sample|example|demo|default|"
    "admin|root|invalid|wrong|bad|good|real|super|top|very|db|database|api|app|access|"
    "auth|client|private|public|foo|bar|baz|qux|abc|xyz|secret|password|passwd|passwords|"
    "passphrase|pass|pwd|pw|token|key|value|string|str|text|here|change|changeme|me|replace|"
    "replaceme|insert|enter|this|it|todo|tbd|none|null|nil|undefined|empty|true|false|yes|no|"
    "unknown|missing|required|optional|hidden|masked|redacted|placeholder|removed|omitted|secure|"
    "guest|login|username|email|name|bearer|basic|credential|credentials|oauth|jwt|int|bool|boolean|"
    "bytes|number|object|any|qwerty|letmein|hello|world|something|anything|whatever|stuff|data|"
    "tester|testing"
)
