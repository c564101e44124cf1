//! What the demo tells: one object through three pairs of eyes, what each may list, and what the log says of it.
//!
//! Everything shown is asked of the running façade over HTTP, as any client would.

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::Demo;
use super::idp::{PERSONAS, Persona};
use super::seed;
use crate::audit::query::{Filter, QueryError, Row, query};
use crate::cli::audit;

/// The object that everybody asks for, as the samples are written.
const OBJECT: &str = "model-A/2026/11/19/run-004211.jsonl";
/// How much of it is shown, in characters.
const SHOWN: usize = 460;

/// How many rows of the log are shown.
const ROWS: usize = 8;

/// Shows the main job.
pub async fn tell(demo: &Demo, now: Timestamp) -> Result<()> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let object = seed::moved(OBJECT, (today - jiff::civil::date(2026, 11, 20)).get_days());
    let http = reqwest::Client::builder().no_proxy().build()?;
    println!("== One object, three pairs of eyes: traces/{object}\n");
    for persona in &PERSONAS[..3] {
        let (status, body) = get(demo, &http, persona, &format!("/traces/{object}"), now).await?;
        println!("-- {} ({}): HTTP {status}", persona.title, persona.name);
        println!("{}\n", excerpt(&body));
    }
    println!("== The listing of `traces/`, for each of them\n");
    for persona in &PERSONAS {
        let (_, body) = get(demo, &http, persona, "/traces?list-type=2&delimiter=%2F", now).await?;
        let top = between(&body, "<CommonPrefixes><Prefix>", "</Prefix>");
        let (_, body) = get(demo, &http, persona, "/traces?list-type=2", now).await?;
        let keys = between(&body, "<Key>", "</Key>").len();
        println!("-- {} ({}): {keys} objects below {}", persona.title, persona.name, top.join(" "));
    }
    println!("\n== What the log says of it (`tracegate audit tail --log {}`)\n", demo.dir.join("log").display());
    let mut rows: Vec<Row> = Vec::new();
    query(&demo.dir.join("log"), &mut Filter::default(), |row| {
        rows.push(row.clone());
        Ok::<(), QueryError>(())
    })?;
    for row in &rows[rows.len().saturating_sub(ROWS)..] {
        println!("{}", audit::line(row));
    }
    println!();
    Ok(())
}

/// Prints what to paste.
pub fn invite(demo: &Demo) {
    let (http, https) = (demo.addresses.http[0], demo.addresses.https[0]);
    println!("== Your turn. HTTP on http://{http}, HTTPS on https://{https}");
    println!("   certificate: {}   identity provider: {}\n", demo.dir.join("certificate.pem").display(), demo.provider.issuer());
    for persona in &PERSONAS {
        println!("# {} ({}): paste, then `aws s3 ls --recursive s3://traces/`", persona.title, persona.name);
        println!("{}\n", environment(demo, persona));
    }
    let token = demo.dir.join("alice.jwt");
    println!("# curl: the same by a bearer token");
    println!("curl -H \"Authorization: Bearer $(cat {})\" 'http://{http}/traces?list-type=2'\n", token.display());
    println!("Ctrl-C ends the demo.");
}

/// The environment of a persona, for every AWS SDK: the token is exchanged by the SDK itself.
fn environment(demo: &Demo, persona: &Persona) -> String {
    format!(
        "unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n\
         export AWS_ENDPOINT_URL=http://{} AWS_REGION=tracegate AWS_DEFAULT_REGION=tracegate\n\
         export AWS_ROLE_ARN=arn:aws:iam::000000000000:role/{} AWS_WEB_IDENTITY_TOKEN_FILE={}",
        demo.addresses.http[0],
        persona.role,
        demo.dir.join(format!("{}.jwt", persona.name)).display(),
    )
}

async fn get(demo: &Demo, http: &reqwest::Client, persona: &Persona, target: &str, now: Timestamp) -> Result<(u16, String)> {
    let url = format!("http://{}{target}", demo.addresses.http[0]);
    let token = demo.provider.token(persona, now)?;
    let response = http.get(&url).bearer_auth(token).header("x-tracegate-role", persona.role).send().await;
    let response = response.with_context(|| url.clone())?;
    Ok((response.status().as_u16(), response.text().await?))
}

fn excerpt(body: &str) -> String {
    let short: String = body.chars().take(SHOWN).collect();
    if short.len() < body.len() { format!("{short} …") } else { short }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}
