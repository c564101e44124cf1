//! What the demo tells: one object through three pairs of eyes, what each may list, and what the log says of it.
//!
//! Everything shown is asked of the running façade over HTTP, as any client would.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::Demo;
use super::excerpt::excerpt;
use super::idp::{PERSONAS, Persona};
use super::{HOST_NAME, certificate, seed};
use crate::audit::query::{Filter, QueryError, Row, query};
use crate::cli::audit;

/// The object that everybody asks for, as the samples are written.
const OBJECT: &str = "model-A/2026/11/19/run-004211.jsonl";

/// How often the log is looked at for the last outcome, and how long it waits in between.
const LOOKS: u32 = 40;
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Shows the main job.
pub async fn tell(demo: &Demo, now: Timestamp) -> Result<()> {
    let object = seed::of_today(OBJECT, now);
    let http = reqwest::Client::builder().no_proxy().build()?;
    println!("== One object, three pairs of eyes: s3://traces/{object} (its first record)\n");
    for persona in &PERSONAS[..3] {
        let (status, body) = get(demo, &http, persona, &format!("/traces/{object}"), now).await?;
        println!("-- {} as {}: HTTP {status}, {} bytes", persona.name, persona.role, body.len());
        println!("{}\n", excerpt(&body));
    }
    println!("== The listing of s3://traces/ holds for each of them what they may see, and nothing else\n");
    for persona in &PERSONAS {
        let (_, body) = get(demo, &http, persona, "/traces?list-type=2", now).await?;
        let keys = between(&body, "<Key>", "</Key>");
        let mut folders: Vec<&str> = keys.iter().filter_map(|key| key.split('/').next()).collect();
        folders.dedup();
        println!(
            "-- {:<5} as {:<18}: {:>2} objects, in {}/",
            persona.name,
            persona.role,
            keys.len(),
            folders.join("/ ")
        );
    }
    println!("\n== What the audit log holds of it, written before the first byte left\n");
    println!("{}", audit::HEADINGS);
    for row in closed_rows(demo).await? {
        println!("{}", audit::line(&row));
    }
    println!();
    Ok(())
}

/// The requests in the log, once the outcome of each is there: it follows the last byte by a moment.
async fn closed_rows(demo: &Demo) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..LOOKS {
        rows.clear();
        query(&demo.dir.join("log"), &mut Filter::default(), |row: &Row| {
            rows.extend(row.op.is_some().then(|| row.clone()));
            Ok::<(), QueryError>(())
        })?;
        if !rows.iter().any(|row| row.outcome.as_deref() == Some("open")) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(rows)
}

/// Prints what to paste.
pub fn invite(demo: &Demo) {
    let (http, https) = (demo.addresses.http[0], demo.addresses.https[0]);
    let (dir, certificate) = (demo.dir.display(), demo.dir.join(certificate::CERTIFICATE));
    println!("== Your turn: everything below is for another terminal; Ctrl-C here ends the demo\n");
    for persona in &PERSONAS {
        println!("# {} as {}: {}", persona.name, persona.role, persona.sees);
        println!("{}\n", environment(demo, persona));
    }
    println!("# Then any client, for example:");
    println!("aws s3 ls --recursive s3://traces/\n");
    println!("# The same over HTTPS, in any of the environments above:");
    println!("export AWS_ENDPOINT_URL=https://localhost:{} AWS_CA_BUNDLE={}\n", https.port(), certificate.display());
    println!("# curl, by a bearer token:");
    println!("curl -H \"Authorization: Bearer $(cat {dir}/alice.jwt)\" 'http://{http}/traces?list-type=2'\n");
    println!("# For the blocks of docs/CLIENTS.md (every persona's token is $DEMO/NAME.jwt):");
    println!("export DEMO={dir} URL=http://{http} HTTPS_URL=https://localhost:{}\n", https.port());
    println!("# For clients that put the bucket into the host name:");
    println!("export AWS_ENDPOINT_URL=http://{HOST_NAME}:{}\n", http.port());
    println!("# Who read what:");
    println!("tracegate audit tail --follow --log {dir}/log\n");
    println!("HTTP on http://{http}, HTTPS on https://{https}, identity provider on {}", demo.provider.issuer());
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

async fn get(
    demo: &Demo,
    http: &reqwest::Client,
    persona: &Persona,
    target: &str,
    now: Timestamp,
) -> Result<(u16, String)> {
    let url = format!("http://{}{target}", demo.addresses.http[0]);
    let token = demo.provider.token(persona, now)?;
    let response = http.get(&url).bearer_auth(token).header("x-tracegate-role", persona.role).send().await;
    let response = response.with_context(|| url.clone())?;
    Ok((response.status().as_u16(), response.text().await?))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}
