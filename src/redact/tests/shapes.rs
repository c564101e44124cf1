//! The shipped shapes, each by what it hides and what it leaves.

use super::*;
use crate::policy::mask::ValueRule;
use crate::policy::shapes;

fn masks_of(shape: &str) -> Masks {
    let rule = |pattern| ValueRule { profile: "shapes".into(), pattern };
    Masks { values: shapes::of(shape).unwrap().into_iter().map(rule).collect(), ..masks(&[]) }
}

/// A shape, what it hides as a whole, and what it leaves as it is; `$` stands for 100 letters and digits, and `#` for 16
/// capital ones.
const EXAMPLES: [(&str, &[&str], &[&str]); 15] = [
    (
        "aws",
        &[
            "AKIA#",
            "ASIA#",
            "ABIA#QQ",
            "aws_secret_access_key = ABCDEFGHIJKLMNOPQRSTUVWXYZ/+abcdefghijkl",
            "SecretAccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ/+abcdefghijkl",
        ],
        &["AKIA", "akia#", "AKIABCDEF", "aws_secret_access_key=", "EKIA#"],
    ),
    (
        "azure",
        &[
            "AccountKey=ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCD/+EF==",
            "sig=abc%2Fd$%3D",
        ],
        &["sig=short", "signature=1", "AccountKey=x=="],
    ),
    ("google", &["AIza$", "ya29.a0$", "GOCSPX-$"], &["AIza", "ya29", "ya29.", "AIzaSy-short"]),
    (
        "github",
        &["ghp_$", "gho_$", "ghu_$", "ghs_$", "ghr_$", "github_pat_$"],
        &["ghp_x", "ghx_$", "github_path", "a_ghp_"],
    ),
    ("gitlab", &["glpat-$"], &["glpat-x", "gitlab-ci"]),
    (
        "slack",
        &["xoxb-123-$", "xoxp-$", "hooks.slack.com/services/T00/$"],
        &["xoxb", "xoxq-$", "hooks.slack.com/", "xoxo-hugs"],
    ),
    ("stripe", &["sk_live_$", "rk_test_$"], &["sk_live", "pk_live_$", "task_live_x"]),
    ("anthropic", &["sk-ant-api03-$"], &["sk-ant", "sk-$"]),
    (
        "openai",
        &["sk-$", "sk-proj-$", "sk-ant-api03-$"],
        &["sk-", "a task-force of the disk-based risk-averse", "SK-$"],
    ),
    ("hugging-face", &["hf_$"], &["hf_hub_download", "half_$"]),
    ("npm", &["npm_$"], &["npm_config_registry", "npm $"]),
    ("pypi", &["pypi-AgEI$"], &["pypi-server", "pypi.org"]),
    (
        "jwt",
        &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.$_-", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."],
        &["eyJ", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.x.y"],
    ),
    (
        "private-key",
        &[
            "-----BEGIN PRIVATE KEY-----$",
            "-----BEGIN OPENSSH PRIVATE KEY-----$",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----$",
            "-----BEGIN EC PRIVATE KEY-----",
        ],
        &["-----BEGIN PUBLIC KEY-----$", "-----BEGIN CERTIFICATE-----$", "PRIVATE KEY"],
    ),
    (
        "email",
        &["ada@example.com", "a.b+c_d%e-f@mail.example.co.uk", "x@y-z.museum"],
        &["ada@example", "@example.com", "a @ b.com", "user@localhost", "1@2.3"],
    ),
];

fn written(example: &str) -> String {
    example.replace('$', &"aB3".repeat(34)[..100]).replace('#', "QWERTYUIOPASDFGH")
}

fn shown(masks: &Masks, object: &[u8], size: usize) -> String {
    let (out, ended, _) = feed(&plan(masks), Format::Json, object, || size);
    assert_eq!(ended, Ok(()));
    text(&out)
}

#[test]
fn every_shape_hides_what_it_is_for_and_leaves_the_rest() {
    let named: Vec<&str> = shapes::names().skip(1).collect();
    assert_eq!(named, EXAMPLES.map(|(name, ..)| name));
    for (name, hidden, left) in EXAMPLES {
        let masks = masks_of(name);
        for example in hidden.iter().map(|example| written(example)) {
            let stars = "*".repeat(example.len());
            for (object, expected) in [
                (format!("[\"{example}\"]"), format!("[\"{stars}\"]")),
                (format!("[\"the key: {example}\\nis\",1]"), format!("[\"the key: {stars}\\nis\",1]")),
                (format!("[\"{{\\\"k\\\":\\\"{example}\\\"}}\"]"), format!("[\"{{\\\"k\\\":\\\"{stars}\\\"}}\"]")),
            ] {
                // From its first line on a private key is all there is, until it ends.
                if name != "private-key" || !object.contains(&format!("{example}\\")) {
                    assert_eq!(shown(&masks, object.as_bytes(), usize::MAX), expected, "{name}");
                }
            }
        }
        for example in left.iter().map(|example| written(example)) {
            let object = format!("[\"{example} x\",\"{example}\"]");
            assert_eq!(shown(&masks, object.as_bytes(), usize::MAX), object, "{name}");
        }
    }
}

/// However it is escaped, and wherever a piece ends: no run of the characters that are secret in it is left.
#[test]
fn no_key_leaves_in_any_writing() {
    let masks = masks_of(shapes::ALL);
    for seed in seeds(600) {
        let mut random = Random(seed);
        let (name, hidden, _) = EXAMPLES[random.below(EXAMPLES.len())];
        let example = written(hidden[random.below(hidden.len())]);
        let mut text = format!("a \u{1F600} {example} b");
        for _ in 0..random.below(4) {
            let mut quoted = Vec::new();
            random.quoted(&mut quoted, &text);
            text = format!("{{\"k\":{}}}", String::from_utf8(quoted).unwrap());
        }
        let mut object = Vec::new();
        random.quoted(&mut object, &text);
        let most = 1 + random.below(50);
        let out = feed(&plan(&masks), Format::Json, &object, || 1 + random.below(most)).0;
        let mut rest = super::text(&out);
        // What is left is read as often as it was written.
        for _ in 0..5 {
            rest = rest.replace("\\\\", "\\").replace("\\\"", "\"");
            for letter in ('-'..='z').filter(|letter| letter.is_ascii_alphanumeric() || "-._".contains(*letter)) {
                let code = u32::from(letter);
                rest = rest.replace(&format!("\\u{code:04x}"), &letter.to_string());
                rest = rest.replace(&format!("\\u{code:04X}"), &letter.to_string());
            }
        }
        assert!(!rest.contains(&example[example.len().saturating_sub(8)..]), "seed {seed}: {name} {rest}");
        assert_eq!(out.len(), object.len());
    }
}
