//! `secrets`: keys, tokens and passwords that were left in code.

mod assigned;
mod pem;
mod scan;
#[cfg(test)]
mod tests;
mod token;

use serde::{Deserialize, Serialize};

use crate::Filter;
use crate::mask::{self, Action, Class, Masker};
use crate::rules::Effect;
use crate::spec::{Options, SpecError};

/// Options of `secrets`: what to do with each class. Default of each: `mask`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SecretsConfig {
    /// Access key ids of Amazon Web Services.
    pub aws: Action,
    /// Tokens of GitHub.
    pub github: Action,
    /// Tokens of GitLab.
    pub gitlab: Action,
    /// Tokens and hooks of Slack.
    pub slack: Action,
    /// API keys and client secrets of Google.
    pub google: Action,
    /// Keys of Stripe.
    pub stripe: Action,
    /// Keys of services that run models: OpenAI, Anthropic, Hugging Face.
    pub models: Action,
    /// Tokens of package registries: npm, PyPI, Cargo, RubyGems, Docker Hub.
    pub registries: Action,
    /// Signed JSON web tokens.
    pub jwt: Action,
    /// Private keys in PEM armour.
    pub private_key: Action,
    /// Passwords and tokens that are assigned, and passwords in URLs.
    pub password: Action,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

/// The classes, by their index in [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Aws,
    Github,
    Gitlab,
    Slack,
    Google,
    Stripe,
    Models,
    Registries,
    Jwt,
    PrivateKey,
    Password,
}

/// In the order of [`Kind`].
#[rustfmt::skip]
const CLASSES: &[Class] = &[
    Class { option: "aws", metric: "secrets-aws", rule: "secrets/aws", placeholder: "<AWS-KEY>" },
    Class { option: "github", metric: "secrets-github", rule: "secrets/github", placeholder: "<GITHUB-TOKEN>" },
    Class { option: "gitlab", metric: "secrets-gitlab", rule: "secrets/gitlab", placeholder: "<GITLAB-TOKEN>" },
    Class { option: "slack", metric: "secrets-slack", rule: "secrets/slack", placeholder: "<SLACK-TOKEN>" },
    Class { option: "google", metric: "secrets-google", rule: "secrets/google", placeholder: "<GOOGLE-KEY>" },
    Class { option: "stripe", metric: "secrets-stripe", rule: "secrets/stripe", placeholder: "<STRIPE-KEY>" },
    Class { option: "models", metric: "secrets-models", rule: "secrets/models", placeholder: "<MODELS-KEY>" },
    Class { option: "registries", metric: "secrets-registries", rule: "secrets/registries", placeholder: "<REGISTRY-TOKEN>" },
    Class { option: "jwt", metric: "secrets-jwt", rule: "secrets/jwt", placeholder: "<JWT>" },
    Class { option: "private-key", metric: "secrets-private-key", rule: "secrets/private-key", placeholder: "<PRIVATE-KEY>" },
    Class { option: "password", metric: "secrets-password", rule: "secrets/password", placeholder: "<PASSWORD>" },
];

impl SecretsConfig {
    /// In the order of [`Kind`].
    fn actions(&self) -> [Action; 11] {
        [
            self.aws,
            self.github,
            self.gitlab,
            self.slack,
            self.google,
            self.stripe,
            self.models,
            self.registries,
            self.jwt,
            self.private_key,
            self.password,
        ]
    }
}

impl Options for SecretsConfig {
    const NAME: &'static str = "secrets";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.actions().iter().all(|action| *action == Action::Off) {
            return Err(SpecError::NothingToDo {
                filter: Self::NAME,
                key: CLASSES[0].option,
                keys: "the classes to `mask`, `drop` or `count`",
            });
        }
        Ok(())
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Masker::new(Self::NAME, CLASSES, &self.actions(), scan::find))
    }

    fn effect(&self) -> Effect {
        mask::effect(&self.actions())
    }
}
