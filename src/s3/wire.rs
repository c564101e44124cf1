//! Which operation a request line names: the pure checks of S3's wire form, before anything else reads it.
//!
//! An allow-list: a method, a resource and query parameters that do not stand here are refused, never forwarded. The
//! operation follows from method, resource and sub-resource alone; the SDKs' `x-id` may confirm it, not choose it.

use http::{HeaderMap, Method, Uri, header};

use super::checksum::{Algorithm, Checksum};
use super::error::{Code, Refusal};
use super::operation::OpName;
use super::payload::head::several_checksums;
use super::shape::{Carries, shape};
use crate::limits;

/// The resource that a path names, by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Service,
    Bucket,
    Object,
}

/// Parameters that presigning puts into a query; they are the signature's matter.
const PRESIGN: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// Parameters that presigning SDKs add and that ask for nothing.
const HARMLESS: [&str; 4] = ["X-Amz-Content-Sha256", "X-Amz-User-Agent", "x-amz-checksum-mode", "x-amz-request-payer"];

const LIST_V1: [&str; 5] = ["delimiter", "encoding-type", "marker", "max-keys", "prefix"];
const LIST_V2: [&str; 8] = [
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "max-keys",
    "prefix",
    "start-after",
];
const OBJECT: [&str; 7] = [
    "partNumber",
    "versionId",
    "response-cache-control",
    "response-content-disposition",
    "response-content-language",
    "response-content-type",
    "response-expires",
];
const ATTRIBUTES: [&str; 2] = ["attributes", "versionId"];
const VERSIONS: [&str; 7] =
    ["delimiter", "encoding-type", "key-marker", "max-keys", "prefix", "version-id-marker", "versions"];
const LOCATION: [&str; 1] = ["location"];
const VERSIONING: [&str; 1] = ["versioning"];
const BUCKETS: [&str; 2] = ["max-buckets", "prefix"];
const UPLOADS: [&str; 7] =
    ["delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker", "uploads"];
const PARTS: [&str; 3] = ["max-parts", "part-number-marker", "uploadId"];
const PART: [&str; 2] = ["partNumber", "uploadId"];
const UPLOAD: [&str; 1] = ["uploadId"];
const BEGIN: [&str; 1] = ["uploads"];
const VERSION: [&str; 1] = ["versionId"];
const TAGGING: [&str; 2] = ["tagging", "versionId"];
const DELETE: [&str; 1] = ["delete"];

/// The operation of S3 that a request's line and framing headers name. `host_bucket` says that the host name already
/// names the bucket. Paths below `/-/` and `POST /` are not S3's, and come elsewhere.
///
/// Refuses what [`crate::limits`] bounds, a body where none belongs, methods and parameters that we do not speak.
pub fn operation(method: &Method, uri: &Uri, headers: &HeaderMap, host_bucket: bool) -> Result<OpName, Refusal> {
    check_target(uri)?;
    let parameters = parameters(uri)?;
    if method == Method::OPTIONS {
        return Err(Refusal::new(
            Code::AccessDenied,
            "Cross-origin requests are not served: there is no CORS configuration.",
        ));
    }
    known_wishes(headers)?;
    let copies = headers.contains_key("x-amz-copy-source");
    let (op, allowed) = named(method, resource(uri.path(), host_bucket), &parameters, copies)?;
    let carries = shape(op).carries;
    if carries == Carries::Nothing {
        no_body(headers)?;
    }
    let presigned = parameters.iter().any(|(name, _)| name == "X-Amz-Signature");
    for (name, value) in &parameters {
        let hoisted = presigned && carries == Carries::Bytes && is_checksum(name);
        let harmless = hoisted || PRESIGN.contains(&name.as_str()) || HARMLESS.contains(&name.as_str());
        let confirmed = name == "x-id" && value == op.as_str();
        if !(harmless || confirmed || allowed.contains(&name.as_str())) {
            return Err(unknown_parameter(name));
        }
    }
    Ok(op)
}

/// Whether it says something of the body's checksum, as SDKs put it into a presigned query: that of Go in title case.
fn is_checksum(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "x-amz-sdk-checksum-algorithm" || Algorithm::from_header(&name).is_some()
}

/// The checksum that a presigned query states of the body to come; `None` where it states none.
///
/// S3 looks at none of them there. But whoever signed one meant it, so it counts here as it does in a header. One is an
/// exception: that of no bytes at all, which the AWS SDK for JavaScript (3.729 and later) puts into every presigned upload,
/// since it does not know the body yet. It says nothing.
pub fn presigned_checksum(uri: &Uri) -> Result<Option<Checksum>, Refusal> {
    let mut found = None;
    for (name, value) in parameters(uri)? {
        let Some(algorithm) = Algorithm::from_header(&name.to_ascii_lowercase()) else { continue };
        let stated = Checksum::of_body(algorithm, &value)
            .ok_or_else(|| Refusal::new(Code::InvalidRequest, format!("Value for {name} in the query is invalid.")))?;
        if stated != Checksum::computed(algorithm, b"") && found.replace(stated).is_some() {
            return Err(several_checksums());
        }
    }
    Ok(found)
}

/// Refuses headers that ask for what we would have to ignore, where ignoring is not harmless.
fn known_wishes(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key("x-amz-expected-bucket-owner") {
        let text = "x-amz-expected-bucket-owner cannot be checked here: leave it out.";
        return Err(Refusal::new(Code::AccessDenied, text));
    }
    if headers.keys().any(|name| name.as_str().starts_with("x-amz-server-side-encryption-customer-")) {
        return Err(Refusal::new(Code::NotImplemented, "Encryption with the caller's own keys (SSE-C) is not served."));
    }
    Ok(())
}

/// Refuses a body, or the announcement of one.
pub fn no_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let length_is_zero = headers.get_all(header::CONTENT_LENGTH).iter().all(|length| length.as_bytes() == b"0");
    if headers.contains_key(header::TRANSFER_ENCODING) || !length_is_zero {
        return Err(Refusal::new(Code::InvalidRequest, "This request must not have a body."));
    }
    Ok(())
}

/// Where a call of the token service has its parameters: in one place, like STS itself. The AWS SDKs send a form,
/// object_store (polars, deltalake) and MinIO's clients a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIn {
    /// In the body.
    Form,
    /// In the target.
    Query,
}

/// Refuses every body but the form of the token service, and one beside a query; a browser's upload form is buffered
/// by nobody.
pub fn token_call(uri: &Uri, headers: &HeaderMap) -> Result<CallIn, Refusal> {
    if uri.query().is_some_and(|query| !query.is_empty()) {
        check_target(uri)?;
        no_body(headers)?;
        return Ok(CallIn::Query);
    }
    let form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"));
    if form {
        Ok(CallIn::Form)
    } else {
        Err(Refusal::new(Code::InvalidRequest, "A POST to / must be a form of the token service."))
    }
}

fn check_target(uri: &Uri) -> Result<(), Refusal> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > limits::URI_BYTES_MAX {
        return Err(Refusal::new(Code::InvalidUri, "The request target is too long."));
    }
    if !uri.path().starts_with('/') {
        return Err(Refusal::new(Code::InvalidUri, "The request target is not a path."));
    }
    Ok(())
}

/// The query's parameters, decoded once, each name at most once.
fn parameters(uri: &Uri) -> Result<Vec<(String, String)>, Refusal> {
    let mut found: Vec<(String, String)> = Vec::new();
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        if found.iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(&name)) {
            return Err(Refusal::new(Code::InvalidArgument, "A query parameter stands twice."));
        }
        found.push((name, value));
        if found.len() > limits::QUERY_PARAMS_MAX {
            return Err(Refusal::new(Code::InvalidUri, "There are too many query parameters."));
        }
    }
    Ok(found)
}

fn decoded(text: &str) -> Result<String, Refusal> {
    percent_encoding::percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::new(Code::InvalidUri, "A query parameter is not UTF-8."))
}

fn resource(path: &str, host_bucket: bool) -> Resource {
    let path = &path[1..];
    let (bucket, key) =
        if host_bucket { ("", Some(path)) } else { path.split_once('/').map_or((path, None), |(b, k)| (b, Some(k))) };
    match key {
        Some(key) if !key.is_empty() => Resource::Object,
        _ if host_bucket || !bucket.is_empty() => Resource::Bucket,
        _ => Resource::Service,
    }
}

type Named = (OpName, &'static [&'static str]);

fn named(method: &Method, resource: Resource, parameters: &[(String, String)], copies: bool) -> Result<Named, Refusal> {
    let has = |name: &str| parameters.iter().any(|(given, _)| given == name);
    let is = |name: &str, value: &str| parameters.iter().any(|(n, v)| n == name && v == value);
    match (resource, method) {
        (Resource::Service, &Method::GET) => Ok((OpName::ListBuckets, &BUCKETS)),
        (Resource::Bucket, &Method::HEAD) => Ok((OpName::HeadBucket, &[])),
        (Resource::Bucket, &Method::GET) if has("location") => Ok((OpName::GetBucketLocation, &LOCATION)),
        (Resource::Bucket, &Method::GET) if has("versioning") => Ok((OpName::GetBucketVersioning, &VERSIONING)),
        (Resource::Bucket, &Method::GET) if has("versions") => Ok((OpName::ListObjectVersions, &VERSIONS)),
        (Resource::Bucket, &Method::GET) if has("uploads") => Ok((OpName::ListMultipartUploads, &UPLOADS)),
        (Resource::Bucket, &Method::GET) if is("list-type", "2") => Ok((OpName::ListObjectsV2, &LIST_V2)),
        (Resource::Bucket, &Method::GET) => Ok((OpName::ListObjects, &LIST_V1)),
        (Resource::Bucket, &Method::POST) if has("delete") => Ok((OpName::DeleteObjects, &DELETE)),
        (Resource::Object, &Method::HEAD) => Ok((OpName::HeadObject, &OBJECT)),
        (Resource::Object, &Method::GET) if has("attributes") => Ok((OpName::GetObjectAttributes, &ATTRIBUTES)),
        (Resource::Object, &Method::GET) if has("tagging") => Ok((OpName::GetObjectTagging, &TAGGING)),
        (Resource::Object, &Method::GET) if has("uploadId") => Ok((OpName::ListParts, &PARTS)),
        (Resource::Object, &Method::GET) => Ok((OpName::GetObject, &OBJECT)),
        (Resource::Object, &Method::PUT) if has("tagging") => Ok((OpName::PutObjectTagging, &TAGGING)),
        (Resource::Object, &Method::PUT) if has("uploadId") && copies => Ok((OpName::UploadPartCopy, &PART)),
        (Resource::Object, &Method::PUT) if has("uploadId") => Ok((OpName::UploadPart, &PART)),
        (Resource::Object, &Method::PUT) if copies => Ok((OpName::CopyObject, &[])),
        (Resource::Object, &Method::PUT) => Ok((OpName::PutObject, &[])),
        (Resource::Object, &Method::POST) if has("uploads") => Ok((OpName::CreateMultipartUpload, &BEGIN)),
        (Resource::Object, &Method::POST) if has("uploadId") => Ok((OpName::CompleteMultipartUpload, &UPLOAD)),
        (Resource::Object, &Method::DELETE) if has("tagging") => Ok((OpName::DeleteObjectTagging, &TAGGING)),
        (Resource::Object, &Method::DELETE) if has("uploadId") => Ok((OpName::AbortMultipartUpload, &UPLOAD)),
        (Resource::Object, &Method::DELETE) => Ok((OpName::DeleteObject, &VERSION)),
        (Resource::Bucket, &Method::PUT) => Ok((OpName::CreateBucket, &[])),
        (Resource::Bucket, &Method::DELETE) => Err(Refusal::new(
            Code::NotImplemented,
            "DELETE on a bucket is not served: buckets are made, set up and deleted in the real store.",
        )),
        (Resource::Bucket | Resource::Object, &Method::POST) => Err(Refusal::new(
            Code::NotImplemented,
            "This POST is not served: neither browser forms, nor SelectObjectContent, nor RestoreObject.",
        )),
        (Resource::Service | Resource::Bucket | Resource::Object, _) => Err(not_allowed(method)),
    }
}

fn not_allowed(method: &Method) -> Refusal {
    Refusal::new(Code::MethodNotAllowed, format!("{method} is not allowed on this resource."))
}

fn unknown_parameter(name: &str) -> Refusal {
    let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    Refusal::new(Code::NotImplemented, format!("The query parameter or sub-resource {name:?} is not served here."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(method: &str, target: &str) -> Result<OpName, Code> {
        let uri: Uri = target.parse().unwrap();
        operation(&method.parse().unwrap(), &uri, &HeaderMap::new(), false).map_err(|refusal| refusal.code)
    }

    #[test]
    fn what_is_spoken_is_named_by_method_resource_and_sub_resource() {
        for (method, target, op) in [
            ("GET", "/", OpName::ListBuckets),
            ("GET", "/traces", OpName::ListObjects),
            ("GET", "/traces/", OpName::ListObjects),
            ("GET", "/traces?prefix=a&delimiter=%2F&encoding-type=url&marker=x&max-keys=5", OpName::ListObjects),
            ("GET", "/traces?list-type=2&start-after=a&fetch-owner=true", OpName::ListObjectsV2),
            ("GET", "/traces?location", OpName::GetBucketLocation),
            ("GET", "/traces?versioning", OpName::GetBucketVersioning),
            ("HEAD", "/traces", OpName::HeadBucket),
            ("GET", "/traces/a/b", OpName::GetObject),
            ("GET", "/traces//", OpName::GetObject),
            ("GET", "/traces/a?x-id=GetObject&partNumber=1&response-content-type=a", OpName::GetObject),
            ("GET", "/traces/a?attributes", OpName::GetObjectAttributes),
            ("HEAD", "/traces/a", OpName::HeadObject),
            ("PUT", "/traces", OpName::CreateBucket),
            ("PUT", "/traces/", OpName::CreateBucket),
            ("PUT", "/traces/a", OpName::PutObject),
            (
                "PUT",
                "/traces/a?X-Amz-Signature=y&x-amz-checksum-crc32=A&x-amz-sdk-checksum-algorithm=C",
                OpName::PutObject,
            ),
            (
                "PUT",
                "/traces/a?X-Amz-Signature=y&X-Amz-Checksum-Sha256=A&X-Amz-Sdk-Checksum-Algorithm=C",
                OpName::PutObject,
            ),
            ("PUT", "/traces/a?x-id=PutObject", OpName::PutObject),
            ("PUT", "/traces/a?partNumber=1&uploadId=u", OpName::UploadPart),
            ("PUT", "/traces/a?tagging&versionId=v", OpName::PutObjectTagging),
            ("POST", "/traces/a?uploads", OpName::CreateMultipartUpload),
            ("POST", "/traces/a?uploadId=u", OpName::CompleteMultipartUpload),
            ("POST", "/traces?delete", OpName::DeleteObjects),
            ("POST", "/traces/?delete=", OpName::DeleteObjects),
            ("DELETE", "/traces/a", OpName::DeleteObject),
            ("DELETE", "/traces/a?versionId=v", OpName::DeleteObject),
            ("DELETE", "/traces/a?uploadId=u", OpName::AbortMultipartUpload),
            ("DELETE", "/traces/a?tagging", OpName::DeleteObjectTagging),
            ("GET", "/traces/a?uploadId=u&max-parts=5", OpName::ListParts),
            ("GET", "/traces/a?tagging", OpName::GetObjectTagging),
            ("GET", "/traces?uploads&prefix=a", OpName::ListMultipartUploads),
            ("GET", "/traces?versions&key-marker=a&version-id-marker=v", OpName::ListObjectVersions),
            ("GET", "/traces/a?versionId=1", OpName::GetObject),
            ("HEAD", "/traces/a?versionId=1", OpName::HeadObject),
            ("GET", "/traces/a?X-Amz-Algorithm=x&X-Amz-Signature=y&X-Amz-Security-Token=z", OpName::GetObject),
        ] {
            assert_eq!(named(method, target), Ok(op), "{method} {target}");
        }
    }

    #[test]
    fn what_is_not_spoken_is_refused_before_anybody_reads_it() {
        for (method, target, code) in [
            ("DELETE", "/traces", Code::NotImplemented),
            ("PUT", "/traces/a?x-amz-checksum-crc32=A", Code::NotImplemented),
            ("PUT", "/traces/a?X-Amz-Signature=y&x-amz-checksum-foo=A", Code::NotImplemented),
            ("GET", "/traces/a?X-Amz-Signature=y&x-amz-checksum-crc32=A", Code::NotImplemented),
            ("PUT", "/traces?policy", Code::NotImplemented),
            ("PUT", "/traces/a?acl", Code::NotImplemented),
            ("PUT", "/traces/a?partNumber=1", Code::NotImplemented),
            ("PUT", "/traces/a?uploadId=u&tagging", Code::NotImplemented),
            ("PUT", "/traces/a?x-id=CopyObject", Code::NotImplemented),
            ("POST", "/traces", Code::NotImplemented),
            ("POST", "/traces/a?select&select-type=2", Code::NotImplemented),
            ("POST", "/traces/a?restore", Code::NotImplemented),
            ("POST", "/traces/a?uploads&uploadId=u", Code::NotImplemented),
            ("PATCH", "/traces/a", Code::MethodNotAllowed),
            ("PUT", "/", Code::MethodNotAllowed),
            ("OPTIONS", "/traces/a", Code::AccessDenied),
            ("HEAD", "/", Code::MethodNotAllowed),
            ("GET", "/traces?acl", Code::NotImplemented),
            ("GET", "/traces?policy", Code::NotImplemented),
            ("GET", "/traces?versions&list-type=2", Code::NotImplemented),
            ("GET", "/traces?versioning&location", Code::NotImplemented),
            ("GET", "/traces/a?versioning", Code::NotImplemented),
            ("GET", "/traces?list-type=3", Code::NotImplemented),
            ("GET", "/traces/a?torrent", Code::NotImplemented),
            ("GET", "/traces/a?tagging&x-id=GetObject", Code::NotImplemented),
            ("GET", "/traces/a?tagging&versionid=1", Code::NotImplemented),
            ("GET", "/traces/a?x-id=DeleteObject", Code::NotImplemented),
            ("GET", "/traces/a?response-content-encoding=gzip", Code::NotImplemented),
            ("GET", "/traces/a?partNumber=1&partNumber=2", Code::InvalidArgument),
            ("GET", "/traces/a?x-id=GetObject&X-ID=GetObject", Code::InvalidArgument),
            ("GET", "/traces/a?%ff=1", Code::InvalidUri),
        ] {
            assert_eq!(named(method, target), Err(code), "{method} {target}");
        }
    }

    #[test]
    fn regression_a_checksum_in_a_presigned_query_counts_unless_it_is_that_of_nothing() {
        const SHA256: &str = "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=";
        let of = |algorithm, value| Ok(Checksum::of_body(algorithm, value));
        let refused = Err(Code::InvalidRequest);
        for (query, want) in [
            ("", Ok(None)),
            ("X-Amz-Signature=y&x-id=PutObject", Ok(None)),
            ("x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", Ok(None)),
            ("x-amz-checksum-crc32=y%2FQ5Jg%3D%3D", of(Algorithm::Crc32, "y/Q5Jg==")),
            (&format!("X-Amz-Checksum-Sha256={SHA256}"), of(Algorithm::Sha256, SHA256)),
            ("x-amz-checksum-crc32=AAAAAA==&x-amz-checksum-crc32c=4waSgw==", of(Algorithm::Crc32c, "4waSgw==")),
            ("x-amz-checksum-crc32=y/Q5Jg==&x-amz-checksum-crc32c=4waSgw==", refused.clone()),
            ("x-amz-checksum-crc32=AAAA", refused.clone()),
            ("x-amz-checksum-crc32=", refused),
        ] {
            let uri: Uri = format!("/traces/a?{query}").parse().unwrap();
            assert_eq!(presigned_checksum(&uri).map_err(|refusal| refusal.code), want, "{query}");
        }
    }

    #[test]
    fn a_read_has_no_body_and_only_the_token_service_takes_a_form() {
        let with = |check: fn(&HeaderMap) -> Result<(), Refusal>, name: header::HeaderName, value: &'static str| {
            let headers = HeaderMap::from_iter([(name, header::HeaderValue::from_static(value))]);
            check(&headers).map_err(|refusal| refusal.code)
        };
        assert_eq!(with(no_body, header::CONTENT_LENGTH, "0"), Ok(()));
        assert_eq!(with(no_body, header::CONTENT_LENGTH, "1"), Err(Code::InvalidRequest));
        assert_eq!(with(no_body, header::TRANSFER_ENCODING, "chunked"), Err(Code::InvalidRequest));
        let call = |target: &'static str, name: header::HeaderName, value: &'static str| {
            let headers = HeaderMap::from_iter([(name, header::HeaderValue::from_static(value))]);
            token_call(&Uri::from_static(target), &headers).map_err(|refusal| refusal.code)
        };
        let (kind, form) = (header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(call("/", kind.clone(), form), Ok(CallIn::Form));
        assert_eq!(call("/", kind, "multipart/form-data; boundary=x"), Err(Code::InvalidRequest));
        assert_eq!(call("/?", header::ACCEPT, "*/*"), Err(Code::InvalidRequest));
        assert_eq!(call("/?Action=x", header::CONTENT_LENGTH, "0"), Ok(CallIn::Query));
        assert_eq!(call("/?Action=x", header::CONTENT_LENGTH, "9"), Err(Code::InvalidRequest), "in two places");
        assert_eq!(call("/?Action=x", header::TRANSFER_ENCODING, "chunked"), Err(Code::InvalidRequest));
    }

    #[test]
    fn a_bucket_in_the_host_name_shifts_the_path() {
        let named = |target: &'static str| {
            operation(&Method::GET, &Uri::from_static(target), &HeaderMap::new(), true).map_err(|refusal| refusal.code)
        };
        assert_eq!(named("/"), Ok(OpName::ListObjects));
        assert_eq!(named("/a"), Ok(OpName::GetObject));
    }
}
