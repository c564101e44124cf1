//! Promise 3 with a stock client: two people read one file through boto3, whole and in parallel parts, each their own
//! team's records.

use serde_json::{Value, json};

use crate::people::{Session, script, token};
use crate::support::facade::{Backend, Facade, Settings};

const ROLE: &str = "version = 1\n[role]\nname = \"shared\"\ndescription = \"Reads what teams share\"\n\
    owner = \"tests@acme.example\"\n[[bind]]\nissuer = \"demo\"\nclaims = { groups = [\"support\", \"sec-compliance\"] }\n\
    [[allow]]\nid = \"read\"\nactions = [\"get\", \"list\"]\npaths = [\"plain/shared/*\"]\n";

const PROFILE: &str = "\n[[redact]]\nname = \"teams\"\npaths = [\"plain/shared/*\"]\nfields = [\"secret\"]\n\
    rows = '$.team in ${claims.groups}'\n";

/// A file of more than two parts.
fn records() -> String {
    let line = |n: usize| {
        let (team, text) = (["support", "sec-compliance", "nobody"][n % 3], "words ".repeat(n % 90));
        format!("{}\n", json!({ "n": n, "secret": "a secret of somebody", "team": team, "text": text }))
    };
    (0..60_000).map(line).collect()
}

#[test]
fn boto3_reads_of_one_file_what_is_its_teams_own() {
    let records = records();
    let settings = Settings {
        roles: vec![("shared", ROLE.to_owned())],
        global: PROFILE,
        objects: vec![("plain/shared/all.jsonl".to_owned(), records.clone().into_bytes())],
        ..Settings::with_one_provider(Backend::Memory)
    };
    let facade = Facade::start(&settings);
    let read = "import io\n\
        from boto3.s3.transfer import TransferConfig\n\
        at = dict(Bucket='plain', Key='shared/all.jsonl')\n\
        whole = s3.get_object(**at)\n\
        body = whole['Body'].read()\n\
        parts = io.BytesIO()\n\
        s3.download_fileobj(at['Bucket'], at['Key'], parts, Config=TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=1 << 20))\n\
        listed = s3.list_objects_v2(Bucket='plain', Prefix='shared/')['Contents'][0]\n\
        lines = [json.loads(line) for line in body.splitlines()]\n\
        print(json.dumps(dict(size=len(body), same=parts.getvalue() == body, etag=whole['ETag'],\n\
        \x20   listed=[listed['Size'], listed['ETag'] == whole['ETag']], lines=len(lines),\n\
        \x20   teams=sorted({line.get('team', '') for line in lines}), own=sum('team' in line for line in lines),\n\
        \x20   secrets=sorted({line.get('secret', '') for line in lines}))))\n";
    let mut etags = Vec::new();
    for (user, team) in [("carol", "support"), ("bob", "sec-compliance")] {
        let session = Session::open_as(&facade, &token(user), "shared");
        let found: Value = script(&facade, &session, read);
        assert_eq!(
            (&found["size"], &found["same"], &found["listed"]),
            (&records.len().into(), &true.into(), &json!([records.len(), true]))
        );
        assert_eq!((&found["lines"], &found["own"]), (&60_000.into(), &20_000.into()), "{user}");
        assert_eq!((&found["teams"], &found["secrets"]), (&json!(["", team]), &json!(["", "[REDACTED]"])), "{user}");
        etags.push(found["etag"].clone());
    }
    assert_ne!(etags[0], etags[1]);
}
