//! What must be refused, and refused as SDKs expect it: an XML error with a code that they know.

use serde_json::json;

use crate::doors::presigned;
use crate::people::{Session, ask, ask_as, bearer, code, facade, run_script, script, token};
use crate::support::clients::said;
use crate::support::facade::{Backend, Facade};

const KEY: &str = "/traces/model-B/2026/11/19/run-004421.json";

#[test]
fn a_signature_is_worth_nothing_but_with_its_own_secret_and_token() {
    for backend in [Backend::Memory, Backend::LocalStack] {
        let facade = facade(backend);
        let (bob, carol) = (Session::open(facade, &token("bob")), Session::open(facade, &token("carol")));
        let mut tampered = bob.token.clone();
        let middle = tampered.len() / 2;
        let other = if tampered.as_bytes()[middle] == b'A' { "B" } else { "A" };
        tampered.replace_range(middle..=middle, other);
        let own = |change: &dyn Fn(&mut Session)| {
            let mut session = bob.clone();
            change(&mut session);
            session
        };
        for (what, session, want) in [
            ("its own", bob.clone(), "none"),
            ("a wrong secret", own(&|s| s.secret = carol.secret.clone()), "SignatureDoesNotMatch"),
            ("an unknown key id", own(&|s| s.id = "ASIAQAAAAAAAAAAAAAAA".into()), "SignatureDoesNotMatch"),
            ("another's token", own(&|s| s.token = carol.token.clone()), "SignatureDoesNotMatch"),
            (
                "another's key id and secret",
                Session { token: bob.token.clone(), ..carol.clone() },
                "SignatureDoesNotMatch",
            ),
            ("a tampered token", own(&|s| s.token = tampered.clone()), "SignatureDoesNotMatch"),
            ("a token that is none", own(&|s| s.token = "abc".into()), "SignatureDoesNotMatch"),
        ] {
            let call = "print(json.dumps([code(s3.list_objects_v2, Bucket='traces'), \
                code(s3.get_object, Bucket='traces', Key='model-B/2026/11/19/run-004421.json')]))";
            let told = script(facade, &session, call);
            assert_eq!(told, json!([want, want]), "{backend:?}: {what}");
        }
    }
}

#[test]
fn presigned_urls_end_and_are_the_roles_to_allow() {
    let facade = facade(Backend::Memory);
    let url = facade.http();
    let (bob, dave) = (Session::open(facade, &token("bob")), Session::open(facade, &token("dave")));
    let short = presigned(&bob, &url, 1);
    let longest = presigned(&bob, &url, 900);
    let too_long = presigned(&bob, &url, 901);
    let not_allowed = presigned(&dave, &url, 60);
    let (path, query) = longest.split_once('?').unwrap();
    let other_key = format!("{}?{query}", path.replace("004421.json", "004420.jsonl"));
    let longer = longest.replace("X-Amz-Expires=900", "X-Amz-Expires=899");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let twice = format!("{longest}&X-Amz-Expires=900");
    for (what, target, status, want) in [
        ("as it was made", &longest, 200, ""),
        ("expired", &short, 403, "Request has expired"),
        ("longer than the role allows", &too_long, 403, "its setting `presign`"),
        ("a role without `presign`", &not_allowed, 403, "its setting `presign` is not set"),
        ("for another key", &other_key, 403, "SignatureDoesNotMatch"),
        ("its life altered", &longer, 403, "SignatureDoesNotMatch"),
        ("a parameter twice", &twice, 400, "twice"),
    ] {
        let answer = ask(&url, &[], target);
        assert!(answer.status == status && answer.text().contains(want), "{what}: {} {}", answer.status, answer.text());
    }
    let put = ask(&url, &["--request", "PUT", "--data", "x"], &longest);
    assert_eq!(code(&put), "SignatureDoesNotMatch", "a URL for reading wrote");
}

#[test]
fn odd_keys_reach_nothing_else() {
    for backend in Backend::ALL {
        let facade = facade(backend);
        for (target, status, want) in [
            ("/traces/model-B/../model-A/2026/11/19/run-004211.jsonl", 400, "InvalidArgument"),
            ("/traces/../plain/model-B/2026/11/19/run-004421.json", 400, "InvalidArgument"),
            ("/traces/%2e%2e/plain/model-B/2026/11/19/run-004421.json", 400, "InvalidArgument"),
            ("/traces/model-B/2026/11/19/%2e%2e/19/run-004421.json", 400, "InvalidArgument"),
            // SeaweedFS folds empty segments: it would answer with the object of another key.
            ("/traces//model-B/2026/11/19/run-004421.json", 404, "NoSuchKey"),
            ("/traces/model-B//2026/11/19/run-004421.json", 404, "NoSuchKey"),
            ("/traces/model-B%2F2026%2F11%2F19%2Frun-004421.json", 200, ""),
            ("/traces/model-B%252F2026%252F11%252F19%252Frun-004421.json", 404, "NoSuchKey"),
            ("/traces/model-A/%2Etracegate/control.json", 403, "AccessDenied"),
            ("/traces/model-A/%252Etracegate/control.json", 404, "NoSuchKey"),
            ("/traces/model-B/2026/11/19/run-004421.json%00.txt", 400, "InvalidArgument"),
            ("/traces/%ff", 400, ""),
            ("/TRACES/model-B/2026/11/19/run-004421.json", 400, "InvalidBucketName"),
            ("/traces%2Fmodel-B/2026/11/19/run-004421.json", 200, ""),
            ("/traces%2Fmodel-A%2F.tracegate%2Fcontrol.json", 400, "InvalidRequest"),
        ] {
            let answer = ask_as(facade, "bob", &[], target);
            let got = code(&answer);
            let fits = answer.status == status && (want.is_empty() || got == want);
            assert!(fits, "{backend:?} {target}: {} {got}, not {status} {want}", answer.status);
        }
    }
}

#[test]
fn what_is_not_served_is_refused_and_says_so() {
    let facade = facade(Backend::Memory);
    for (options, target, status, want) in [
        (vec!["--request", "PUT", "--data", "x"], KEY, 403, "AccessDenied"),
        (vec!["--request", "DELETE"], KEY, 403, "AccessDenied"),
        (vec!["--request", "POST", "--data", "x"], "/traces?delete", 403, "AccessDenied"),
        (vec!["--request", "POST"], "/traces/k?uploads", 403, "AccessDenied"),
        (vec!["--request", "PUT"], "/traces?versioning", 501, "NotImplemented"),
        (vec!["--request", "OPTIONS"], KEY, 403, "AccessDenied"),
        (vec![], "/traces?acl", 501, "NotImplemented"),
        (vec![], "/traces?policy", 501, "NotImplemented"),
        (vec![], "/traces/k?tagging", 404, "NoSuchKey"),
        (vec![], "/traces/k?torrent", 501, "NotImplemented"),
        (vec![], "/traces/k?versionId=null", 404, "NoSuchVersion"),
        (vec![], "/traces?prefix=a&prefix=b", 400, "InvalidArgument"),
        (vec![], "/traces?max-keys=-1", 400, "InvalidArgument"),
        (vec![], "/-/nothing", 400, "InvalidRequest"),
        (vec!["--data", "x", "--request", "GET"], KEY, 400, "InvalidRequest"),
        (vec!["--http1.0"], KEY, 400, "InvalidRequest"),
    ] {
        let answer = ask_as(facade, "bob", &options, target);
        assert_eq!((answer.status, code(&answer).as_str()), (status, want), "{options:?} {target}: {}", answer.text());
    }
    let session = Session::open(facade, &token("bob"));
    let calls = "print(json.dumps([code(s3.put_object, Bucket='traces', Key='k', Body=b'x'),\
        code(s3.delete_object, Bucket='traces', Key='k'),\
        code(s3.copy_object, Bucket='traces', Key='k', CopySource='plain/k'),\
        code(s3.create_multipart_upload, Bucket='traces', Key='k'),\
        code(s3.get_bucket_acl, Bucket='traces'), code(s3.get_bucket_policy, Bucket='traces'),\
        code(s3.get_object, Bucket='traces', Key='missing'), code(s3.head_object, Bucket='traces', Key='missing'),\
        code(s3.get_object, Bucket='plain', Key='missing')]))";
    let (not, no) = ("NotImplemented", "AccessDenied");
    assert_eq!(script(facade, &session, calls), json!([no, no, no, no, not, not, "NoSuchKey", "404", no]));
    let written = run_script(facade, &session, "print(code(s3.get_object, Bucket='traces', Key='k'))");
    assert_eq!(said(&written).trim(), "NoSuchKey", "nothing was written");
}

#[test]
fn nobody_comes_in_without_exactly_one_credential() {
    let facade = facade(Backend::Memory);
    let jwt = bearer(&token("bob"));
    let (aws, basic) = ("Authorization: AWS AKIA:sig", "Authorization: Basic Ym9iOmJvYg==");
    for (options, status, want) in [
        (vec![], 403, "AccessDenied"),
        (vec!["--header", basic], 400, "InvalidRequest"),
        (vec!["--header", aws], 400, "InvalidRequest"),
        (vec!["--header", &jwt, "--header", &jwt], 400, "InvalidRequest"),
        (vec!["--header", &jwt, "--header", "x-forwarded-for: 203.0.113.9"], 403, "AccessDenied"),
        (
            vec!["--header", &jwt, "--header", "x-forwarded-proto: https", "--header", "x-forwarded-for: 10.0.0.1"],
            403,
            "AccessDenied",
        ),
        (vec!["--header", &jwt, "--header", "forwarded: for=10.0.0.1;proto=https"], 403, "AccessDenied"),
        (vec!["--header", &jwt, "--header", "x-tracegate-role: nobody"], 403, "AccessDenied"),
        (vec!["--header", &jwt, "--header", "x-tracegate-role: ../x"], 400, "InvalidRequest"),
        (
            vec!["--header", "Authorization: Bearer tgs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
            400,
            "InvalidToken",
        ),
    ] {
        let answer = ask(&facade.http(), &options, KEY);
        assert_eq!((answer.status, code(&answer).as_str()), (status, want), "{options:?}: {}", answer.text());
        assert!(answer.text().contains("<RequestId>") && answer.header("x-amz-request-id").is_some(), "{options:?}");
        let door = ask(&facade.http(), &options, "/-/credentials");
        assert!(door.status >= 400, "{options:?} at the credentials door: {}", door.text());
    }
}

/// The clients' own errors, for what people see most.
#[test]
fn sdks_name_the_error() {
    let facade: &Facade = facade(Backend::Memory);
    let anonymous = "from botocore import UNSIGNED\n\
        s3 = boto3.client('s3', config=Config(signature_version=UNSIGNED, retries={'total_max_attempts': 1}))\n\
        try:\n\
        \x20   s3.get_object(Bucket='traces', Key='x')\n\
        except botocore.exceptions.ClientError as error:\n\
        \x20   print(json.dumps([error.response['Error']['Code'], error.response['ResponseMetadata']['HTTPStatusCode'],\
        'Anonymous access is forbidden' in error.response['Error']['Message']]))";
    let session = Session::open(facade, &token("bob"));
    assert_eq!(script(facade, &session, anonymous), json!(["AccessDenied", 403, true]));
    let missing = "try:\n\
        \x20   s3.get_object(Bucket='traces', Key='missing')\n\
        except s3.exceptions.NoSuchKey as error:\n\
        \x20   print(json.dumps(len(error.response['ResponseMetadata']['RequestId']) > 8))";
    assert_eq!(script(facade, &session, missing), json!(true));
}
