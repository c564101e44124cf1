//! What a cloud gives its machines: the credentials endpoint of a container, and the metadata service of an instance
//! (IMDSv2), on loopback. Both hand out one temporary credential.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

/// A running cloud. It ends with the test's process.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// Where it answers, without a slash at the end.
    pub(crate) url: String,
}

/// What the container endpoint wants to see in `Authorization`.
pub(crate) const AUTHORIZATION: &str = "Bearer container-authorization-0";
/// Where the container endpoint is.
pub(crate) const CONTAINER: &str = "/v2/credentials/facade";
/// The token of IMDSv2, which is given out at `PUT /latest/api/token`.
const INSTANCE_TOKEN: &str = "instance-token-0";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Cloud {
    /// Starts one that gives out this credential, as STS answers it to boto3.
    pub(crate) fn start(credential: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let given = json!({
            "Code": "Success",
            "Type": "AWS-HMAC",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "AccessKeyId": credential["AccessKeyId"],
            "SecretAccessKey": credential["SecretAccessKey"],
            "Token": credential["SessionToken"],
            "Expiration": credential["Expiration"],
        });
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away in the middle is its own matter.
                stream.and_then(|stream| serve(stream, &given.to_string())).ok();
            }
        });
        Self { url }
    }
}

fn serve(mut stream: TcpStream, given: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut authorization, mut token, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.trim().clone_into(&mut authorization),
            "x-aws-ec2-metadata-token" => value.trim().clone_into(&mut token),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let role = format!("{ROLES}facade");
    let (status, body) = match (method, target) {
        ("GET", CONTAINER) if authorization == AUTHORIZATION => ("200 OK", given),
        ("GET", CONTAINER) => ("403 Forbidden", r#"{"code":"AccessDenied","message":"who are you?"}"#),
        ("PUT", "/latest/api/token") => ("200 OK", INSTANCE_TOKEN),
        ("GET", _) if token != INSTANCE_TOKEN => ("401 Unauthorized", ""),
        ("GET", ROLES) => ("200 OK", "facade"),
        ("GET", target) if target == role => ("200 OK", given),
        _ => ("404 Not Found", ""),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-aws-ec2-metadata-token-ttl-seconds: 600\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
