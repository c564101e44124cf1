//! docker-compose.yml and the Dockerfiles, held to what lies in the repository, and their commands run without Docker.
//!
//! Docker itself is not needed: what an image would copy is looked up, and the command, the settings and the health
//! check of a service are run on this machine as they stand in the files.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use super::support::install::{repository, tool};
use super::support::server::{Recipe, Server};
use super::support::{self, http};

/// docker-compose.yml as JSON. LocalStack's own environment has a YAML reader.
fn compose() -> Value {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open('docker-compose.yml'))))";
    let python = tool("localstack").join("bin/python");
    let done = Command::new(python).args(["-c", script]).current_dir(repository()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("YAML reads this as something else than a text: {value}"))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default()
}

/// The instructions of a Dockerfile, each with its arguments on one line.
fn instructions(path: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join(path)).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = joined.lines().filter_map(|line| line.trim().split_once(' '));
    split.map(|(name, args)| (name.to_owned(), args.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

/// The folder that a service is built from, below the repository; empty for the repository itself.
fn context(service: &Value) -> String {
    let folder = service["build"].as_str().unwrap().trim_start_matches('.').trim_start_matches('/');
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

#[test]
fn every_service_waits_for_what_it_needs_and_says_when_it_is_ready() {
    let compose = compose();
    let mut named: Vec<&str> = services(&compose).keys().map(String::as_str).collect();
    named.sort_unstable();
    assert_eq!(named, ["idp", "localstack", "tracegate"]);
    for (name, service) in services(&compose) {
        assert_eq!(service["healthcheck"]["test"][0], "CMD", "{name} has a health check");
        let needed = service["depends_on"].as_object().cloned().unwrap_or_default();
        for (other, how) in needed {
            assert!(services(&compose).contains_key(&other), "{name} waits for {other}");
            assert_eq!(how["condition"], "service_healthy", "{name} waits until {other} is healthy");
        }
    }
    assert_eq!(compose["services"]["tracegate"]["depends_on"].as_object().unwrap().len(), 2);
}

#[test]
fn tracegate_runs_as_nobody_on_a_root_that_it_cannot_write() {
    let compose = compose();
    let service = &compose["services"]["tracegate"];
    assert_eq!(service["read_only"], true);
    assert_eq!(texts(&service["cap_drop"]), ["ALL"]);
    assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"]);
    for (name, service) in services(&compose) {
        let path = format!("{}Dockerfile", context(service));
        let mut users = instructions(&path).into_iter().filter(|(instruction, _)| instruction == "USER");
        let last = users.next_back().map(|(_, user)| user);
        let user = service["user"].as_str().map(str::to_owned).or(last).unwrap_or_default();
        let nobody = !user.is_empty() && !user.starts_with("root") && user.split(':').next() != Some("0");
        assert!(nobody, "{name} runs as `{user}`");
    }
}

/// Nobody reaches the bucket but through tracegate; nothing listens beyond this machine.
#[test]
fn ports_are_of_loopback_and_the_bucket_has_none() {
    let compose = compose();
    assert!(compose["services"]["localstack"]["ports"].is_null());
    let ports = texts(&compose["services"]["idp"]["ports"]);
    assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{ports:?}");
    let inside: Vec<&str> = ports.iter().map(|port| port.rsplit(':').next().unwrap()).collect();
    let exposed = |path: &str| -> Vec<String> {
        let ports = instructions(path).into_iter().filter(|(instruction, _)| instruction == "EXPOSE");
        ports.flat_map(|(_, ports)| ports.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    for port in exposed("Dockerfile").into_iter().chain(exposed("localstack/idp/Dockerfile")) {
        assert!(inside.contains(&port.as_str()), "{port} is exposed and not published: {ports:?}");
    }
    assert_eq!(compose["services"]["tracegate"]["network_mode"], "service:idp");
}

#[test]
fn what_images_copy_and_services_mount_is_there() {
    let compose = compose();
    let mut missing = Vec::new();
    for (name, service) in services(&compose) {
        let context = context(service);
        for (instruction, args) in instructions(&format!("{context}Dockerfile")) {
            let words: Vec<&str> = args.split(' ').filter(|word| !word.starts_with("--")).collect();
            if instruction == "COPY" && !args.contains("--from=") {
                let sources = words[..words.len() - 1].iter().map(|source| format!("{context}{source}"));
                missing.extend(sources.filter(|path| !repository().join(path).exists()));
            }
        }
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            let known = match source.strip_prefix("./") {
                Some(path) => repository().join(path).exists(),
                None => compose["volumes"].as_object().unwrap().contains_key(source),
            };
            if !known {
                missing.push(format!("{source}, mounted by {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "not there: {missing:?}");
}

/// The image sets what the tests set, starts the same module, and its hook seeds the bucket (which `real` looks at).
#[test]
fn the_localstack_of_the_image_is_the_one_of_the_tests() {
    let dockerfile = instructions("localstack/Dockerfile");
    let command = dockerfile.iter().find(|(instruction, _)| instruction == "CMD").unwrap();
    assert_eq!(command.1, r#"["python", "/opt/localstack/localstack_main.py"]"#);
    let copied = |what: &str| dockerfile.iter().any(|(name, args)| name == "COPY" && args.ends_with(what));
    assert!(copied("localstack_main.py /opt/localstack/localstack_main.py") && copied("seed /seed"));
    assert!(copied("init /var/lib/localstack/etc/localstack/init"), "hooks lie below FILESYSTEM_ROOT");

    let (_, set) = dockerfile.iter().find(|(instruction, _)| instruction == "ENV").unwrap();
    let work = tempfile::tempdir().unwrap();
    let recipe = support::localstack::recipe(Path::new("venv"), work.path(), 4566);
    for (name, value) in &recipe.env {
        let place = ["PATH", "FILESYSTEM_ROOT", "CONFIG_DIR", "SEED_DIR", "GATEWAY_LISTEN", "LS_LOG"];
        if place.contains(name) || name.starts_with("LOCALSTACK_") {
            continue;
        }
        let setting = format!("{name}={}", value.to_str().unwrap());
        assert!(set.split(' ').any(|one| one == setting), "localstack/Dockerfile does not set {setting}: {set}");
    }
    assert!(run_health_check("localstack", "4566", &support::localstack().endpoint));
    assert!(!run_health_check("localstack", "4566", "http://127.0.0.1:1"), "the check can fail");
}

/// The provider by the service's own command, settings and health check, on another port.
#[test]
fn the_provider_starts_as_the_service_starts_it() {
    let compose = compose();
    let settings = compose["services"]["idp"]["environment"].as_object().unwrap().clone();
    let dockerfile = instructions("localstack/idp/Dockerfile");
    let (_, command) = dockerfile.iter().find(|(instruction, _)| instruction == "CMD").unwrap();
    let command: Vec<String> = serde_json::from_str(command).unwrap();
    let modules = tool("oidc-provider").join("node_modules");
    let recipe = |work: &Path, [port]: [u16; 1]| {
        std::fs::copy(repository().join("localstack/idp/oidc-op.mjs"), work.join("oidc-op.mjs")).unwrap();
        std::os::unix::fs::symlink(&modules, work.join("node_modules")).unwrap();
        let elsewhere = |text: &str| text.replace("9400", &port.to_string()).replace("0.0.0.0", "127.0.0.1");
        let env = ["HOST", "PORT", "ISSUER"].map(|name| (name, elsewhere(settings[name].as_str().unwrap()).into()));
        let args = command[1..].iter().map(Into::into).collect();
        Recipe { program: command[0].clone().into(), args, env: env.to_vec() }
    };
    let (_provider, [port]) = Server::start("compose-idp", recipe, |[port]| {
        run_health_check("idp", "9400", &format!("http://127.0.0.1:{port}"))
    });
    let page = http::get(&format!("http://127.0.0.1:{port}/.well-known/openid-configuration")).unwrap().json();
    let issuer = settings["ISSUER"].as_str().unwrap().replace("9400", &port.to_string());
    assert_eq!(page["issuer"], issuer, "the issuer that people and tracegate see");
    assert_eq!(settings["PORT"], "9400");
}

/// The service's own entry and configuration, its paths and ports moved to this machine: the first start sets up what is
/// needed, the next one keeps it, and the AWS CLI reads the seeded bucket over HTTPS by the generated certificate.
#[test]
fn tracegate_starts_as_the_service_starts_it() {
    let compose = compose();
    let service = &compose["services"]["tracegate"];
    let entrypoint = texts(&service["entrypoint"]);
    assert_eq!(entrypoint, ["sh", "/etc/tracegate/entry.sh"]);
    let volumes = texts(&service["volumes"]);
    for mounted in ["entry.sh", "tracegate.toml"] {
        let volume = format!("./docker/{mounted}:/etc/tracegate/{mounted}:ro");
        assert!(volumes.contains(&volume.as_str()), "{volume} is not mounted");
    }
    let state = tempfile::tempdir().unwrap();
    let first = entered(service, state.path());
    let certificate = std::fs::read(state.path().join("tls/certificate.pem")).unwrap();
    let keys = std::fs::read(state.path().join("keys.toml")).unwrap();
    assert!(first.contains("model-A/"), "{first}");
    assert_eq!(entered(service, state.path()), first);
    assert_eq!(std::fs::read(state.path().join("tls/certificate.pem")).unwrap(), certificate);
    assert_eq!(std::fs::read(state.path().join("keys.toml")).unwrap(), keys);
}

/// Runs the service until it is healthy, lists the bucket as a user of the provider, and ends it.
fn entered(service: &Value, state: &Path) -> String {
    let provider = support::oidc_provider();
    let bucket = support::localstack();
    let etc = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(repository().join("policies"), etc.path().join("policies")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_tracegate")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(program.to_owned()).chain(std::env::split_paths(&path))).unwrap();
    let settings = service["environment"].as_object().unwrap();
    let (id, secret) = (text(&settings["AWS_ACCESS_KEY_ID"]), text(&settings["AWS_SECRET_ACCESS_KEY"]));
    let recipe = |_: &Path, [https, http, admin]: [u16; 3]| {
        let here = |text: &str| {
            text.replace("/etc/tracegate", etc.path().to_str().unwrap())
                .replace("/var/lib/tracegate", state.to_str().unwrap())
                .replace("0.0.0.0:9443", &format!("127.0.0.1:{https}"))
                .replace("0.0.0.0:9000", &format!("127.0.0.1:{http}"))
                .replace("127.0.0.1:9100", &format!("127.0.0.1:{admin}"))
                .replace("http://localstack:4566", &bucket.endpoint)
                .replace("http://127.0.0.1:9400", &provider.issuer)
        };
        for name in ["entry.sh", "tracegate.toml"] {
            let text = std::fs::read_to_string(repository().join("docker").join(name)).unwrap();
            std::fs::write(etc.path().join(name), here(&text)).unwrap();
        }
        let args = texts(&service["entrypoint"])[1..].iter().map(|word| here(word).into()).collect();
        let env = [("PATH", path.clone()), ("AWS_ACCESS_KEY_ID", id.into()), ("AWS_SECRET_ACCESS_KEY", secret.into())];
        Recipe { program: "sh".into(), args, env: env.to_vec() }
    };
    let (_server, [https, ..]) = Server::start("compose-tracegate", recipe, |[_, http, _]| {
        health_check_of_a_port(service, "127.0.0.1/9000", &format!("127.0.0.1/{http}"))
    });
    let token = state.join("bob.jwt");
    std::fs::write(&token, provider.token("bob")).unwrap();
    let mut aws = Command::new(support::aws_cli().program());
    support::clients::without_own_settings(&mut aws);
    aws.args(["s3", "ls", "s3://traces/"])
        .env("AWS_CA_BUNDLE", state.join("tls/certificate.pem"))
        .env("AWS_ENDPOINT_URL", format!("https://127.0.0.1:{https}"))
        .env("AWS_REGION", "tracegate")
        .env("AWS_DEFAULT_REGION", "tracegate")
        .env("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/compliance-auditor")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    support::clients::said(&aws.output().unwrap())
}

/// Runs a health check that opens a port, against another one.
fn health_check_of_a_port(service: &Value, own: &str, other: &str) -> bool {
    let test = texts(&service["healthcheck"]["test"]);
    assert!(test.iter().any(|word| word.contains(own)), "it checks {own}: {test:?}");
    let args = test[2..].iter().map(|word| word.replace(own, other));
    Command::new(test[1]).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// Runs a service's health check against `endpoint` instead of its own address; whether it found the service healthy.
fn run_health_check(service: &str, port: &str, endpoint: &str) -> bool {
    let compose = compose();
    let test = texts(&compose["services"][service]["healthcheck"]["test"]);
    let own = format!("http://127.0.0.1:{port}");
    assert!(test.iter().any(|word| word.contains(&own)), "{service} checks itself at {own}: {test:?}");
    let program = match test[1] {
        "python" => tool("localstack").join("bin/python"),
        program => program.into(),
    };
    let args = test[2..].iter().map(|word| word.replace(&own, endpoint));
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap().success()
}
