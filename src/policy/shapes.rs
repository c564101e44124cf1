//! Expressions for what keys, tokens and addresses look like, shipped under names: `shapes` of a redact profile.
//!
//! They are wide rather than narrow at a key's end: what follows it without a break is hidden with it.

use std::sync::{Arc, LazyLock};

use super::values::ValuePattern;

/// The name of all of them together.
pub const ALL: &str = "key-shapes";

/// A name, and the expressions under it.
type Shape = (&'static str, &'static [&'static str]);

const SHAPES: [Shape; 15] = [
    (
        "aws",
        &[
            "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}",
            // Of a secret key nothing but its name before it tells.
            r"(?:aws_secret_access_key|AWS_SECRET_ACCESS_KEY|SecretAccessKey)[ ]?[=:][ ]?[A-Za-z0-9/+]{40}",
        ],
    ),
    ("azure", &["AccountKey=[A-Za-z0-9+/]{86}==", "sig=[A-Za-z0-9%+/]{40,}={0,2}"]),
    ("google", &["AIza[A-Za-z0-9_-]{35,}", r"ya29\.[A-Za-z0-9_-]{20,}", "GOCSPX-[A-Za-z0-9_-]{28,}"]),
    ("github", &["gh[pousr]_[A-Za-z0-9]{36,}", "github_pat_[A-Za-z0-9_]{22,}"]),
    ("gitlab", &["glpat-[A-Za-z0-9_-]{20,}"]),
    ("slack", &["xox[abeoprs]-[A-Za-z0-9-]{10,}", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}"]),
    ("stripe", &["[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"]),
    ("anthropic", &["sk-ant-[A-Za-z0-9_-]{20,}"]),
    ("openai", &["sk-[A-Za-z0-9_-]{20,}"]),
    ("hugging-face", &["hf_[A-Za-z0-9]{30,}"]),
    ("npm", &["npm_[A-Za-z0-9]{36,}"]),
    ("pypi", &["pypi-[A-Za-z0-9_-]{50,}"]),
    ("jwt", &[r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"]),
    // From its first line on up to the last one, or to the end of the string.
    (
        "private-key",
        &["(?s)-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-{1,4}[^-]|-----[^E-])*"],
    ),
    ("email", &[r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"]),
];

static COMPILED: LazyLock<Vec<Vec<Arc<ValuePattern>>>> = LazyLock::new(|| {
    let compiled = |written: &&str| Arc::new(ValuePattern::parse(written).expect("each is parsed by a test"));
    SHAPES.iter().map(|(_, all)| all.iter().map(compiled).collect()).collect()
});

/// The expressions under that name; `None` where none are.
pub fn of(name: &str) -> Option<Vec<Arc<ValuePattern>>> {
    if name == ALL {
        return Some(COMPILED.iter().flatten().cloned().collect());
    }
    let at = SHAPES.iter().position(|(shape, _)| *shape == name)?;
    Some(COMPILED[at].clone())
}

/// Every name, that of all first.
pub fn names() -> impl Iterator<Item = &'static str> {
    [ALL].into_iter().chain(SHAPES.iter().map(|(name, _)| *name))
}
