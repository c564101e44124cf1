//! Every operation that S3 has, as s3s lists them, and what becomes of it here: served, forbidden, or not implemented.
//! What is not served never reaches the bucket, whatever role asks.

use std::collections::BTreeSet;
use std::process::Command;

use super::facade::{Facade, Wish, role_file};
use super::wire::Ask;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is spoken.
    Served,
    /// It is refused with this status.
    Refused(u16),
}
use Fate::{Refused, Served};

/// The operation, its request line, headers beside the usual ones, and its fate.
type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], Fate);

const NONE: &[(&str, &str)] = &[];
const COPY: &[(&str, &str)] = &[("x-amz-copy-source", "/traces/a.json")];

const TABLE: &[Row] = &[
    ("abort_multipart_upload", "DELETE", "/traces/a?uploadId=u", NONE, Served),
    ("complete_multipart_upload", "POST", "/traces/a?uploadId=u", NONE, Served),
    ("copy_object", "PUT", "/traces/copy", COPY, Served),
    ("create_bucket", "PUT", "/traces", NONE, Served),
    ("create_bucket_metadata_table_configuration", "POST", "/traces?metadataTable", NONE, Refused(501)),
    ("create_multipart_upload", "POST", "/traces/a?uploads", NONE, Served),
    ("create_session", "GET", "/traces?session", NONE, Refused(501)),
    ("delete_bucket", "DELETE", "/traces", NONE, Refused(501)),
    ("delete_bucket_analytics_configuration", "DELETE", "/traces?analytics&id=i", NONE, Refused(501)),
    ("delete_bucket_cors", "DELETE", "/traces?cors", NONE, Refused(501)),
    ("delete_bucket_encryption", "DELETE", "/traces?encryption", NONE, Refused(501)),
    (
        "delete_bucket_intelligent_tiering_configuration",
        "DELETE",
        "/traces?intelligent-tiering&id=i",
        NONE,
        Refused(501),
    ),
    ("delete_bucket_inventory_configuration", "DELETE", "/traces?inventory&id=i", NONE, Refused(501)),
    ("delete_bucket_lifecycle", "DELETE", "/traces?lifecycle", NONE, Refused(501)),
    ("delete_bucket_metadata_table_configuration", "DELETE", "/traces?metadataTable", NONE, Refused(501)),
    ("delete_bucket_metrics_configuration", "DELETE", "/traces?metrics&id=i", NONE, Refused(501)),
    ("delete_bucket_ownership_controls", "DELETE", "/traces?ownershipControls", NONE, Refused(501)),
    ("delete_bucket_policy", "DELETE", "/traces?policy", NONE, Refused(501)),
    ("delete_bucket_replication", "DELETE", "/traces?replication", NONE, Refused(501)),
    ("delete_bucket_tagging", "DELETE", "/traces?tagging", NONE, Refused(501)),
    ("delete_bucket_website", "DELETE", "/traces?website", NONE, Refused(501)),
    ("delete_object", "DELETE", "/traces/gone", NONE, Served),
    ("delete_object_tagging", "DELETE", "/traces/a.json?tagging", NONE, Served),
    ("delete_objects", "POST", "/traces?delete", NONE, Served),
    ("delete_public_access_block", "DELETE", "/traces?publicAccessBlock", NONE, Refused(501)),
    ("get_bucket_accelerate_configuration", "GET", "/traces?accelerate", NONE, Refused(501)),
    ("get_bucket_acl", "GET", "/traces?acl", NONE, Refused(501)),
    ("get_bucket_analytics_configuration", "GET", "/traces?analytics&id=i", NONE, Refused(501)),
    ("get_bucket_cors", "GET", "/traces?cors", NONE, Refused(501)),
    ("get_bucket_encryption", "GET", "/traces?encryption", NONE, Refused(501)),
    ("get_bucket_intelligent_tiering_configuration", "GET", "/traces?intelligent-tiering&id=i", NONE, Refused(501)),
    ("get_bucket_inventory_configuration", "GET", "/traces?inventory&id=i", NONE, Refused(501)),
    ("get_bucket_lifecycle_configuration", "GET", "/traces?lifecycle", NONE, Refused(501)),
    ("get_bucket_location", "GET", "/traces?location", NONE, Served),
    ("get_bucket_logging", "GET", "/traces?logging", NONE, Refused(501)),
    ("get_bucket_metadata_table_configuration", "GET", "/traces?metadataTable", NONE, Refused(501)),
    ("get_bucket_metrics_configuration", "GET", "/traces?metrics&id=i", NONE, Refused(501)),
    ("get_bucket_notification_configuration", "GET", "/traces?notification", NONE, Refused(501)),
    ("get_bucket_ownership_controls", "GET", "/traces?ownershipControls", NONE, Refused(501)),
    ("get_bucket_policy", "GET", "/traces?policy", NONE, Refused(501)),
    ("get_bucket_policy_status", "GET", "/traces?policyStatus", NONE, Refused(501)),
    ("get_bucket_replication", "GET", "/traces?replication", NONE, Refused(501)),
    ("get_bucket_request_payment", "GET", "/traces?requestPayment", NONE, Refused(501)),
    ("get_bucket_tagging", "GET", "/traces?tagging", NONE, Refused(501)),
    ("get_bucket_versioning", "GET", "/traces?versioning", NONE, Served),
    ("get_bucket_website", "GET", "/traces?website", NONE, Refused(501)),
    ("get_object", "GET", "/traces/a.json", NONE, Served),
    ("get_object_acl", "GET", "/traces/a.json?acl", NONE, Refused(501)),
    ("get_object_attributes", "GET", "/traces/a.json?attributes", &[("x-amz-object-attributes", "ETag")], Served),
    ("get_object_legal_hold", "GET", "/traces/a.json?legal-hold", NONE, Refused(501)),
    ("get_object_lock_configuration", "GET", "/traces?object-lock", NONE, Refused(501)),
    ("get_object_retention", "GET", "/traces/a.json?retention", NONE, Refused(501)),
    ("get_object_tagging", "GET", "/traces/a.json?tagging", NONE, Served),
    ("get_object_torrent", "GET", "/traces/a.json?torrent", NONE, Refused(501)),
    ("get_public_access_block", "GET", "/traces?publicAccessBlock", NONE, Refused(501)),
    ("head_bucket", "HEAD", "/traces", NONE, Served),
    ("head_object", "HEAD", "/traces/a.json", NONE, Served),
    ("list_bucket_analytics_configurations", "GET", "/traces?analytics", NONE, Refused(501)),
    ("list_bucket_intelligent_tiering_configurations", "GET", "/traces?intelligent-tiering", NONE, Refused(501)),
    ("list_bucket_inventory_configurations", "GET", "/traces?inventory", NONE, Refused(501)),
    ("list_bucket_metrics_configurations", "GET", "/traces?metrics", NONE, Refused(501)),
    ("list_buckets", "GET", "/", NONE, Served),
    ("list_directory_buckets", "GET", "/?x-id=ListDirectoryBuckets", NONE, Refused(501)),
    ("list_multipart_uploads", "GET", "/traces?uploads", NONE, Served),
    ("list_object_versions", "GET", "/traces?versions", NONE, Served),
    ("list_objects", "GET", "/traces", NONE, Served),
    ("list_objects_v2", "GET", "/traces?list-type=2", NONE, Served),
    ("list_parts", "GET", "/traces/a?uploadId=u", NONE, Served),
    ("post_object", "POST", "/traces", &[("content-type", "multipart/form-data; boundary=b")], Refused(501)),
    ("put_bucket_accelerate_configuration", "PUT", "/traces?accelerate", NONE, Refused(501)),
    ("put_bucket_acl", "PUT", "/traces?acl", NONE, Refused(501)),
    ("put_bucket_analytics_configuration", "PUT", "/traces?analytics&id=i", NONE, Refused(501)),
    ("put_bucket_cors", "PUT", "/traces?cors", NONE, Refused(501)),
    ("put_bucket_encryption", "PUT", "/traces?encryption", NONE, Refused(501)),
    ("put_bucket_intelligent_tiering_configuration", "PUT", "/traces?intelligent-tiering&id=i", NONE, Refused(501)),
    ("put_bucket_inventory_configuration", "PUT", "/traces?inventory&id=i", NONE, Refused(501)),
    ("put_bucket_lifecycle_configuration", "PUT", "/traces?lifecycle", NONE, Refused(501)),
    ("put_bucket_logging", "PUT", "/traces?logging", NONE, Refused(501)),
    ("put_bucket_metrics_configuration", "PUT", "/traces?metrics&id=i", NONE, Refused(501)),
    ("put_bucket_notification_configuration", "PUT", "/traces?notification", NONE, Refused(501)),
    ("put_bucket_ownership_controls", "PUT", "/traces?ownershipControls", NONE, Refused(501)),
    ("put_bucket_policy", "PUT", "/traces?policy", NONE, Refused(501)),
    ("put_bucket_replication", "PUT", "/traces?replication", NONE, Refused(501)),
    ("put_bucket_request_payment", "PUT", "/traces?requestPayment", NONE, Refused(501)),
    ("put_bucket_tagging", "PUT", "/traces?tagging", NONE, Refused(501)),
    ("put_bucket_versioning", "PUT", "/traces?versioning", NONE, Refused(501)),
    ("put_bucket_website", "PUT", "/traces?website", NONE, Refused(501)),
    ("put_object", "PUT", "/traces/new", NONE, Served),
    ("put_object_acl", "PUT", "/traces/a.json?acl", NONE, Refused(501)),
    ("put_object_legal_hold", "PUT", "/traces/a.json?legal-hold", NONE, Refused(501)),
    ("put_object_lock_configuration", "PUT", "/traces?object-lock", NONE, Refused(501)),
    ("put_object_retention", "PUT", "/traces/a.json?retention", NONE, Refused(501)),
    ("put_object_tagging", "PUT", "/traces/a.json?tagging", NONE, Served),
    ("put_public_access_block", "PUT", "/traces?publicAccessBlock", NONE, Refused(501)),
    ("restore_object", "POST", "/traces/a.json?restore", NONE, Refused(501)),
    ("select_object_content", "POST", "/traces/a.json?select&select-type=2", NONE, Refused(501)),
    ("upload_part", "PUT", "/traces/a?partNumber=1&uploadId=u", NONE, Served),
    ("upload_part_copy", "PUT", "/traces/a?partNumber=1&uploadId=u", COPY, Served),
    (
        "write_get_object_response",
        "POST",
        "/traces",
        &[("x-amz-request-route", "r"), ("x-amz-request-token", "t")],
        Refused(501),
    ),
];

/// The operations that s3s knows, from its own source.
fn known_to_s3s() -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let s3s = packages.iter().find(|package| package["name"] == "s3s").unwrap();
    let source = std::path::Path::new(s3s["manifest_path"].as_str().unwrap()).with_file_name("src/s3_trait.rs");
    let text = std::fs::read_to_string(source).unwrap();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("async fn "));
    names.filter_map(|rest| rest.split('(').next()).map(str::to_owned).collect()
}

#[test]
fn the_table_names_every_operation_of_s3_once() {
    let named: BTreeSet<String> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(named.len(), TABLE.len(), "a row stands twice");
    assert_eq!(named, known_to_s3s());
}

/// A role that may do everything there is.
fn anything() -> Wish {
    let rule = "actions = [\"*\"]\npaths = [\"traces/*\"]";
    Wish { roles: vec![("anything", role_file("anything", "", rule))], reveal_to: vec!["anything"], ..Wish::default() }
}

#[tokio::test]
async fn every_operation_is_served_or_refused_as_the_table_says() {
    let facade = Facade::start_with(anything()).await;
    facade.put("a.json", "{}");
    for (op, method, target, headers, fate) in TABLE {
        let mut ask = Ask::new(method, *target);
        for (name, value) in *headers {
            ask = ask.with(name, *value);
        }
        if matches!(*method, "PUT" | "POST") {
            ask = ask.with("content-length", "0");
        }
        let answer = facade.as_role("anything", ask).await;
        match fate {
            // That it is spoken shows in what it says of a request that is not a whole one.
            Served => assert!(!matches!(answer.status, 405 | 500..), "{op}: {} {}", answer.status, answer.text()),
            Refused(status) => {
                assert_eq!((answer.status, answer.code()), (*status, "NotImplemented"), "{op}: {}", answer.text());
            }
        }
    }
    let asked: BTreeSet<String> = facade.stopped().await.rows.iter().filter_map(|row| row.op.clone()).collect();
    let refused = TABLE.iter().filter(|row| row.4 != Served).map(|row| row.0.replace('_', ""));
    for op in refused {
        assert!(asked.iter().all(|asked| asked.to_lowercase() != op), "{op} was decided, though it is not spoken");
    }
}

/// The page that lists what is served says what the table says.
#[test]
fn the_semantics_page_lists_what_is_served() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/SEMANTICS.md")).unwrap();
    for (op, _, _, _, fate) in TABLE {
        let name: String = op.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        let listed = page.contains(&format!("`{name}`"));
        let generic = name.ends_with("Configuration") || name.contains("Bucket") || name.contains("PublicAccessBlock");
        assert!(listed || (*fate != Served && generic), "{name} is not on the page");
    }
}
