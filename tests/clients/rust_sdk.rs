//! The AWS SDK for Rust as a client.

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use futures::future::try_join_all;

use super::own::{Brought, PART, step, var};

/// The argument that makes this binary the client.
pub(crate) const ARGUMENT: &str = "be-the-aws-sdk-for-rust";

/// Takes the steps that `probe.rs` tells.
pub(crate) async fn probe() {
    let s3 = client().await;
    let (key, first, last) = (var("KEY"), var("FIRST"), var("LAST"));
    step("version", Ok(aws_sdk_s3::meta::PKG_VERSION.into()));
    step("list", list(&s3, &var("PAGES")).await);
    step("get", get(&s3, &key, None).await);
    step("range", get(&s3, &key, Some(format!("bytes={first}-{last}"))).await);
    step("big", big(&s3, &var("BIG")).await);
    step("put 6 MiB", put(&s3, &format!("{}/six.jsonl", var("TO"))).await);
    step("multipart", multipart(&s3, &format!("{}/large.jsonl", var("TO"))).await);
}

/// As the environment says; only the certificate to trust must be told.
async fn client() -> Client {
    let trust = TrustStore::empty().with_pem_certificate(std::fs::read(var("CA")).unwrap());
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(TlsContext::builder().with_trust_store(trust).build().unwrap())
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
}

async fn list(s3: &Client, prefix: &str) -> Brought {
    let mut pages = s3.list_objects_v2().bucket("traces").prefix(prefix).into_paginator().send();
    let mut lines = String::new();
    while let Some(page) = pages.next().await {
        for item in page.map_err(why)?.contents() {
            lines.push_str(&format!("{}\t{}\n", item.size().unwrap(), item.key().unwrap()));
        }
    }
    Ok(lines.into())
}

async fn get(s3: &Client, key: &str, range: Option<String>) -> Brought {
    let answer = s3.get_object().bucket("traces").key(key).set_range(range).send().await.map_err(why)?;
    Ok(answer.body.collect().await.map_err(why)?.to_vec())
}

async fn big(s3: &Client, key: &str) -> Brought {
    let head = s3.head_object().bucket("traces").key(key).send().await.map_err(why)?;
    let size = u64::try_from(head.content_length().unwrap()).unwrap();
    let ranges = (0..size.div_ceil(PART)).map(|part| part * PART);
    let ranges = ranges.map(|first| format!("bytes={first}-{}", (first + PART).min(size) - 1));
    Ok(try_join_all(ranges.map(|range| get(s3, key, Some(range)))).await?.concat())
}

async fn put(s3: &Client, key: &str) -> Brought {
    // From the disk as a stream, whose checksum is a trailer.
    let body = ByteStream::from_path(var("SIX")).await.map_err(why)?;
    s3.put_object().bucket("plain").key(key).body(body).send().await.map_err(why)?;
    Ok(Vec::new())
}

async fn multipart(s3: &Client, key: &str) -> Brought {
    let body = std::fs::read(var("LARGE")).map_err(why)?;
    let upload = s3.create_multipart_upload().bucket("plain").key(key).send().await.map_err(why)?;
    let id = upload.upload_id().unwrap_or_default();
    let parts = body.chunks(usize::try_from(PART).map_err(why)?).zip(1..).map(async |(bytes, number)| {
        let part = s3.upload_part().bucket("plain").key(key).upload_id(id).part_number(number);
        let sent = part.body(bytes.to_vec().into()).send().await.map_err(why)?;
        Ok::<_, String>(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
    });
    let parts = CompletedMultipartUpload::builder().set_parts(Some(try_join_all(parts).await?)).build();
    let done = s3.complete_multipart_upload().bucket("plain").key(key).upload_id(id).multipart_upload(parts);
    done.send().await.map_err(why)?;
    Ok(Vec::new())
}

fn why(error: impl std::error::Error) -> String {
    DisplayErrorContext(error).to_string()
}
