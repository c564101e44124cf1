//! Writes with stock clients, through the façade, into real buckets: over HTTPS in front of LocalStack and SeaweedFS,
//! over HTTP in front of the embedded bucket, and over both where the framing of a body differs.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::people::{Session, script, token};
use crate::support::clients::{said, without_own_settings};
use crate::support::facade::{Backend, EmptyBucket, Facade, Settings};
use crate::support::{self, server};

const SCRATCH: EmptyBucket = EmptyBucket { name: "scratch", versioned: false };
const VERSIONS: EmptyBucket = EmptyBucket { name: "versions", versioned: true };
/// Who may write: the support people, in two more roles.
const USER: &str = "carol";

fn role(name: &'static str, actions: &str) -> (&'static str, String) {
    let text = format!(
        "version = 1\n[role]\nname = \"{name}\"\ndescription = \"Writes\"\nowner = \"tests@acme.example\"\npresign = \"15m\"\n\
         [[bind]]\nissuer = \"demo\"\nclaims = {{ groups = [\"support\"] }}\n\
         [[allow]]\nid = \"write\"\nactions = [{actions}]\npaths = [\"scratch/*\", \"versions/*\"]\n"
    );
    (name, text)
}

/// The façade in front of buckets that only these tests write to. Each test has prefixes of its own.
fn facade(backend: Backend) -> &'static Facade {
    static LOCALSTACK: OnceLock<Facade> = OnceLock::new();
    static SEAWEEDFS: OnceLock<Facade> = OnceLock::new();
    static MEMORY: OnceLock<Facade> = OnceLock::new();
    let shared = match backend {
        Backend::LocalStack => &LOCALSTACK,
        Backend::SeaweedFs => &SEAWEEDFS,
        Backend::Memory => &MEMORY,
    };
    shared.get_or_init(|| {
        Facade::start(&Settings {
            roles: vec![
                role("writer", "\"get\", \"list\", \"put\", \"delete\""),
                role("creator", "\"create\""),
                role("copier", "\"get\", \"create\""),
            ],
            buckets: vec![SCRATCH, VERSIONS],
            ..Settings::with_one_provider(backend)
        })
    })
}

fn session(facade: &Facade, role: &str) -> Session {
    Session::open_as(facade, &token(USER), role)
}

/// `aws s3 ARGS` in a session, with these bytes as its standard input.
fn aws_s3(facade: &Facade, session: &Session, args: &[&str], input: &Path) -> Output {
    let mut command = Command::new(support::aws_cli().program());
    without_own_settings(&mut command);
    let url = facade.url();
    let command = command.arg("s3").args(args).envs(session.env(&url)).env("AWS_CA_BUNDLE", facade.ca());
    command.stdin(std::fs::File::open(input).unwrap()).output().unwrap()
}

/// Bytes that repeat nowhere within a part.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64 / 8 + 1)
        .flat_map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes())
        .take(length)
        .collect()
}

#[test]
fn the_aws_cli_uploads_copies_moves_syncs_and_removes() {
    for backend in Backend::ALL {
        check_cli(facade(backend));
    }
}

fn check_cli(facade: &Facade) {
    let session = session(facade, "writer");
    let folder = server::new_folder("up");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::create_dir_all(folder.join("tree/deep er")).unwrap();
    for (name, length) in
        [("small", 100), ("six", 6 << 20), ("big", 20 << 20), ("tree/a.json", 50), ("tree/deep er/é b", 9)]
    {
        std::fs::write(folder.join(name), bytes(length)).unwrap();
    }
    let (nothing, big) = (folder.join("none"), folder.join("big"));
    std::fs::write(&nothing, b"").unwrap();
    let s3 = |args: &[&str]| said(&aws_s3(facade, &session, args, &nothing));
    for name in ["small", "six", "big", "none"] {
        s3(&["cp", &file(name), &format!("s3://scratch/cli/{name}")]);
        s3(&["cp", &format!("s3://scratch/cli/{name}"), &file("back")]);
        assert!(std::fs::read(folder.join(name)).unwrap() == std::fs::read(folder.join("back")).unwrap(), "{name}");
    }
    said(&aws_s3(facade, &session, &["cp", "-", "s3://scratch/cli/stdin"], &big));
    s3(&["cp", "s3://scratch/cli/stdin", "s3://scratch/cli/copy"]);
    s3(&["mv", "s3://scratch/cli/copy", "s3://scratch/cli/moved"]);
    s3(&["cp", "s3://scratch/cli/moved", &file("back")]);
    assert!(std::fs::read(&big).unwrap() == std::fs::read(folder.join("back")).unwrap(), "in parts, copied, moved");
    let sync = ["sync", &file("tree"), "s3://scratch/cli/tree/"];
    assert_eq!(s3(&sync).matches("upload:").count(), 2);
    assert_eq!(s3(&sync), "", "nothing had changed");
    s3(&["cp", "--recursive", &file("tree"), "s3://scratch/cli/again/"]);
    let listed = s3(&["ls", "--recursive", "s3://scratch/cli/"]);
    for name in ["big", "moved", "none", "six", "small", "stdin", "tree/deep er/é b", "again/a.json"] {
        assert!(listed.lines().any(|line| line.ends_with(&format!("cli/{name}"))), "{name}: {listed}");
    }
    assert!(!listed.contains("cli/copy"), "{listed}");
    s3(&["rm", "--recursive", "s3://scratch/cli/"]);
    // An empty listing is an error to `aws s3 ls`.
    let gone = aws_s3(facade, &session, &["ls", "--recursive", "s3://scratch/cli/"], &nothing);
    assert_eq!(String::from_utf8_lossy(&gone.stdout), "");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Each algorithm that botocore computes, ahead and in a trailer, right and wrong; `where` is the address.
const CHECKSUMS: &str = "
import io
plain = boto3.client('s3', endpoint_url=WHERE, config=once)
told = {}
for name in ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']:
    try:
        done = plain.put_object(Bucket='scratch', Key='sums/' + name, Body=io.BytesIO(b'x' * 70000), ChecksumAlgorithm=name)
    except botocore.exceptions.MissingDependencyException:
        continue
    told[name] = done.get('Checksum' + name) is not None
    assert plain.get_object(Bucket='scratch', Key='sums/' + name)['Body'].read() == b'x' * 70000
    head = plain.head_object(Bucket='scratch', Key='sums/' + name)
    assert 'aws-chunked' not in head.get('ContentEncoding', ''), head
wrong = [code(plain.put_object, Bucket='scratch', Key='sums/wrong', Body=b'abc', ChecksumCRC32='AAAAAA=='),
         code(plain.put_object, Bucket='scratch', Key='sums/wrong', Body=b'abc', ContentMD5='1B2M2Y8AsgTpgAmY7PhCfg==')]
left = [item['Key'] for item in plain.list_objects_v2(Bucket='scratch', Prefix='sums/wrong').get('Contents', [])]
print(json.dumps([all(told.values()) and len(told) >= 3, wrong, left]))
";

#[test]
fn every_checksum_is_verified_over_http_and_https_and_never_stored_as_framing() {
    for backend in Backend::ALL {
        let facade = facade(backend);
        let session = session(facade, "writer");
        for url in [facade.https(), facade.http()] {
            let found = script(facade, &session, &CHECKSUMS.replace("WHERE", &format!("{url:?}")));
            assert_eq!(found, json!([true, ["BadDigest", "BadDigest"], []]), "{backend:?} {url}");
        }
    }
}

const CALLS: &str = "
import urllib.request, ssl
from boto3.s3.transfer import TransferConfig
found = {}
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
import io
body = bytes(range(256)) * 65536
s3.upload_fileobj(io.BytesIO(body), 'scratch', 'calls/parts', Config=parts, ExtraArgs={'Metadata': {'run': '7'}})
head = s3.head_object(Bucket='scratch', Key='calls/parts')
found['parts'] = [head['ContentLength'], head['ETag'].endswith('-4\"'), head['Metadata']]
assert s3.get_object(Bucket='scratch', Key='calls/parts')['Body'].read() == body
s3.copy({'Bucket': 'scratch', 'Key': 'calls/parts'}, 'scratch', 'calls/copied', Config=parts)
assert s3.get_object(Bucket='scratch', Key='calls/copied')['Body'].read() == body
found['tags'] = []
s3.put_object(Bucket='scratch', Key='calls/tagged', Body=b'1', Tagging='team=red')
found['tags'].append(s3.get_object_tagging(Bucket='scratch', Key='calls/tagged')['TagSet'])
s3.put_object_tagging(Bucket='scratch', Key='calls/tagged', Tagging={'TagSet': [{'Key': 'a', 'Value': 'b c'}]})
found['tags'].append(s3.get_object_tagging(Bucket='scratch', Key='calls/tagged')['TagSet'])
s3.delete_object_tagging(Bucket='scratch', Key='calls/tagged')
found['tags'].append(s3.get_object_tagging(Bucket='scratch', Key='calls/tagged')['TagSet'])
found['none'] = [code(s3.put_object, Bucket='scratch', Key='calls/tagged', Body=b'2', IfNoneMatch='*'),
    code(s3.put_object, Bucket='scratch', Key='calls/fresh', Body=b'2', IfNoneMatch='*')]
begun = s3.create_multipart_upload(Bucket='scratch', Key='calls/given-up')
s3.upload_part(Bucket='scratch', Key='calls/given-up', UploadId=begun['UploadId'], PartNumber=1, Body=b'x' * 100)
listed = s3.list_multipart_uploads(Bucket='scratch', Prefix='calls/given')['Uploads']
found['uploads'] = [upload['Key'] for upload in listed]
s3.abort_multipart_upload(Bucket='scratch', Key='calls/given-up', UploadId=listed[0]['UploadId'])
found['given up'] = code(s3.list_parts, Bucket='scratch', Key='calls/given-up', UploadId=begun['UploadId'])
url = s3.generate_presigned_url('put_object', Params={'Bucket': 'scratch', 'Key': 'calls/by url'}, ExpiresIn=60)
context = ssl.create_default_context(cafile=os.environ['AWS_CA_BUNDLE'])
def put(url, body):
    request = urllib.request.Request(url, data=body, method='PUT')
    opener = {'context': context} if url.startswith('https') else {}
    try:
        return urllib.request.urlopen(request, **opener).status
    except urllib.error.HTTPError as error:
        return error.code
found['url'] = [put(url, b'by url'), put(url.replace('by%20url', 'other'), b'x')]
assert s3.get_object(Bucket='scratch', Key='calls/by url')['Body'].read() == b'by url'
keys = ['calls/' + name for name in ['parts', 'copied', 'tagged', 'fresh', 'by url', 'none']] + ['a//b/../c']
gone = s3.delete_objects(Bucket='scratch', Delete={'Objects': [{'Key': key} for key in keys]})
found['deleted'] = [len(gone['Deleted']), [error['Code'] for error in gone['Errors']]]
found['left'] = s3.list_objects_v2(Bucket='scratch', Prefix='calls/')['KeyCount']
print(json.dumps(found))
";

#[test]
fn boto3_writes_as_it_does_to_s3() {
    for backend in Backend::ALL {
        let facade = facade(backend);
        let found = script(facade, &session(facade, "writer"), CALLS);
        let expected = json!({
            "parts": [16 << 20, true, {"run": "7"}],
            "tags": [[{"Key": "team", "Value": "red"}], [{"Key": "a", "Value": "b c"}], []],
            "none": ["PreconditionFailed", "none"],
            "uploads": ["calls/given-up"],
            "given up": "NoSuchUpload",
            "url": [200, 403],
            "deleted": [6, ["InvalidArgument"]],
            "left": 0,
        });
        assert_eq!(found, expected, "{backend:?}");
    }
}

const CREATES: &str = "
found = {'first': code(s3.put_object, Bucket='scratch', Key='made/a', Body=b'first'),
    'again': code(s3.put_object, Bucket='scratch', Key='made/a', Body=b'second')}
begun = s3.create_multipart_upload(Bucket='scratch', Key='made/a')
part = s3.upload_part(Bucket='scratch', Key='made/a', UploadId=begun['UploadId'], PartNumber=1, Body=b'third')
found['parts'] = code(s3.complete_multipart_upload, Bucket='scratch', Key='made/a', UploadId=begun['UploadId'],
    MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': part['ETag']}]})
found['read'] = code(s3.get_object, Bucket='scratch', Key='made/a')
found['list'] = code(s3.list_objects_v2, Bucket='scratch')
found['delete'] = code(s3.delete_object, Bucket='scratch', Key='made/a')
print(json.dumps(found))
";

#[test]
fn a_role_that_creates_overwrites_nothing_in_any_store() {
    for backend in Backend::ALL {
        let facade = facade(backend);
        let found = script(facade, &session(facade, "creator"), CREATES);
        let expected = json!({"first": "none", "again": "PreconditionFailed", "parts": "PreconditionFailed",
            "read": "AccessDenied", "list": "AccessDenied", "delete": "AccessDenied"});
        assert_eq!(found, expected, "{backend:?}");
        let kept = "print(json.dumps(s3.get_object(Bucket='scratch', Key='made/a')['Body'].read().decode()))";
        assert_eq!(script(facade, &session(facade, "writer"), kept), json!("first"), "{backend:?}");
    }
}

const COPIES: &str = "
found = {}
for bucket in ['scratch', 'versions']:
    copy = lambda to: code(s3.copy_object, Bucket=bucket, Key=to, CopySource={'Bucket': bucket, 'Key': 'copies/from'})
    found[bucket] = [copy('copies/new'), copy('copies/there'),
        s3.get_object(Bucket=bucket, Key='copies/there')['Body'].read().decode(),
        code(s3.put_object, Bucket=bucket, Key='copies/there', Body=b'third')]
print(json.dumps(found))
";

/// LocalStack takes the condition of a copy and overwrites all the same, unless the bucket keeps versions.
#[test]
fn copies_of_a_role_that_creates_are_refused_where_the_store_would_overwrite() {
    let facade = facade(Backend::LocalStack);
    let put = "for bucket in ['scratch', 'versions']:\n    for name in ['from', 'there']:\n        \
               s3.put_object(Bucket=bucket, Key='copies/' + name, Body=name.encode())\nprint('null')";
    assert_eq!(script(facade, &session(facade, "writer"), put), Value::Null);
    let found = script(facade, &session(facade, "copier"), COPIES);
    let kept = "PreconditionFailed";
    assert_eq!(
        found,
        json!({"scratch": ["NotImplemented", "NotImplemented", "there", kept], "versions": ["none", kept, "there", kept]})
    );
    let rows = facade.rows(&["--role", "copier", "--op", "CopyObject"]);
    let told = |row: &Value| (row["path"].as_str().unwrap().to_owned(), row["status"].as_u64().unwrap());
    let mut told: Vec<_> = rows.iter().map(told).collect();
    told.sort();
    let row = |path: &str, status| (path.to_owned(), status);
    assert_eq!(
        told,
        [
            row("scratch/copies/new", 501),
            row("scratch/copies/there", 501),
            row("versions/copies/new", 200),
            row("versions/copies/there", 412)
        ]
    );
    assert!(facade.metrics().contains("tracegate_conditional_writes{bucket=\"scratch\",operation=\"CopyObject\"} 0"));
    let said = facade.said();
    let told = ["the store ignores If-None-Match", "bucket=scratch", "CopyObject"];
    assert!(said.lines().any(|line| told.iter().all(|word| line.contains(word))), "{said}");
}

/// `getSignedUrl` of the AWS SDK for JavaScript puts the checksum of no bytes into the query. S3 does not look at it.
const SIGNS: &str = "
const { S3Client, PutObjectCommand, CreateMultipartUploadCommand, UploadPartCommand, ListPartsCommand } = require('@aws-sdk/client-s3');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');
const s3 = new S3Client({ forcePathStyle: true });
const object = { Bucket: 'scratch', Key: 'signed/by js' };
async function put(command) {
  const url = await getSignedUrl(s3, command, { expiresIn: 60 });
  const status = async (url) => (await fetch(url, { method: 'PUT', body: 'what nobody knew' })).status;
  const names = [...new URL(url).searchParams.keys()].filter((name) => name.includes('checksum'));
  return [names, await status(url), await status(url.replace('AAAAAA', 'AAAAAB'))];
}
(async () => {
  const upload = { ...object, UploadId: (await s3.send(new CreateMultipartUploadCommand(object))).UploadId };
  const found = [await put(new PutObjectCommand(object)), await put(new UploadPartCommand({ ...upload, PartNumber: 1 }))];
  const parts = (await s3.send(new ListPartsCommand(upload))).Parts.map((part) => part.Size);
  console.log(JSON.stringify([...found, parts]));
})();
";

#[test]
fn urls_that_the_javascript_sdk_signs_take_what_is_put_there() {
    let modules = support::install::tool("aws-sdk-js").join("node_modules");
    for backend in [Backend::LocalStack, Backend::Memory] {
        let facade = facade(backend);
        let session = session(facade, "writer");
        let mut node = Command::new("node");
        without_own_settings(&mut node);
        node.args(["-e", SIGNS]).envs(session.env(&facade.http())).env("NODE_PATH", &modules);
        let found: Value = serde_json::from_str(&said(&node.output().unwrap())).unwrap();
        let names = ["x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"];
        assert_eq!(found, json!([[names, 200, 403], [names, 200, 403], [16]]), "{backend:?}");
        let read = "print(json.dumps(s3.get_object(Bucket='scratch', Key='signed/by js')['Body'].read().decode()))";
        assert_eq!(script(facade, &session, read), json!("what nobody knew"), "{backend:?}");
    }
}

const HISTORY: &str = "
ids = [s3.put_object(Bucket='versions', Key='h/a', Body=body)['VersionId'] for body in [b'one', b'two']]
marker = s3.delete_object(Bucket='versions', Key='h/a')
found = {'marked': [marker.get('DeleteMarker'), 'VersionId' in marker], 'now': code(s3.get_object, Bucket='versions', Key='h/a')}
found['old'] = [s3.get_object(Bucket='versions', Key='h/a', VersionId=id)['Body'].read().decode() for id in ids]
pages = s3.get_paginator('list_object_versions').paginate(Bucket='versions', Prefix='h/', PaginationConfig={'PageSize': 1})
versions, markers = [], []
for page in pages:
    versions += [version['VersionId'] for version in page.get('Versions', [])]
    markers += [marker['VersionId'] for marker in page.get('DeleteMarkers', [])]
found['listed'] = [sorted(versions) == sorted(ids), len(markers)]
s3.delete_object(Bucket='versions', Key='h/a', VersionId=marker['VersionId'])
found['back'] = s3.get_object(Bucket='versions', Key='h/a')['Body'].read().decode()
s3.copy_object(Bucket='versions', Key='h/b', CopySource={'Bucket': 'versions', 'Key': 'h/a', 'VersionId': ids[0]})
found['copied'] = s3.get_object(Bucket='versions', Key='h/b')['Body'].read().decode()
s3.delete_object(Bucket='versions', Key='h/a', VersionId=ids[1])
found['older'] = s3.get_object(Bucket='versions', Key='h/a')['Body'].read().decode()
found['state'] = s3.get_bucket_versioning(Bucket='versions').get('Status')
print(json.dumps(found))
";

#[test]
fn versions_are_kept_listed_copied_and_deleted() {
    for backend in [Backend::LocalStack, Backend::SeaweedFs] {
        let facade = facade(backend);
        let found: Value = script(facade, &session(facade, "writer"), HISTORY);
        let expected = json!({"marked": [true, true], "now": "NoSuchKey", "old": ["one", "two"], "listed": [true, 1],
            "back": "two", "copied": "one", "older": "one", "state": "Enabled"});
        assert_eq!(found, expected, "{backend:?}");
    }
}
