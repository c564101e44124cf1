//! `tracegate login` and `tracegate credentials` as people use them: at a real provider, in a browser or with a code on
//! another device, and then by the AWS CLI through `credential_process`.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::people::{ask, ask_as, bearer, facade};
use crate::support::browser::{Browser, Page};
use crate::support::clients::{said, without_own_settings};
use crate::support::facade::{Backend, Facade, Settings};
use crate::support::idp::{AUDIENCE, OidcProvider};
use crate::support::{self, server};

const KEY: &str = "model-B/2026/11/19/run-004421.json";

/// A person at a terminal, with a home of their own. It goes with the test.
struct Person {
    home: PathBuf,
    endpoint: String,
}

impl Person {
    /// Somebody who wants to use the façade at this address.
    fn at(endpoint: &str) -> Self {
        Self { home: server::new_folder("home"), endpoint: endpoint.to_owned() }
    }

    fn run(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracegate"));
        without_own_settings(&mut command);
        command.args(words).env("HOME", &self.home).env_remove("XDG_CACHE_HOME");
        command
    }

    /// Begins `tracegate login`.
    fn log_in(&self, issuer: &str, client: &str, options: &[&str]) -> Login {
        let words = ["login", "--issuer", issuer, "--client-id", client, "--endpoint", &self.endpoint];
        Login::begin(self.run(&[&words, options].concat()))
    }

    /// `tracegate …`, as a hint of it was pasted into a shell; it opens no browser.
    fn pasted(&self, words: &str) -> Command {
        let mut command = Command::new("sh");
        without_own_settings(&mut command);
        command.args(["-c", &format!("exec \"$0\" {words} --no-browser"), env!("CARGO_BIN_EXE_tracegate")]);
        command.env("HOME", &self.home).env_remove("XDG_CACHE_HOME");
        command
    }

    /// What is kept of logins.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.home.join(".cache/tracegate")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// A token of the one login that is kept.
    fn token(&self, name: &str) -> String {
        let [file] = &self.kept()[..] else { panic!("{:?}", self.kept()) };
        let kept: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        kept[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// `aws s3 ARGS` with a profile that is what docs/CLIENTS.md shows.
    fn aws(&self, facade: &Facade, args: &[&str]) -> Output {
        let (binary, endpoint) = (env!("CARGO_BIN_EXE_tracegate"), &self.endpoint);
        let profile = format!(
            "[profile traces]\n\
             credential_process = {binary} credentials --endpoint {endpoint} --role compliance-auditor --ca {}\n\
             endpoint_url = {endpoint}\nregion = tracegate\n",
            facade.ca().display()
        );
        let config = self.home.join("config");
        std::fs::write(&config, profile).unwrap();
        let mut command = Command::new(support::aws_cli().program());
        without_own_settings(&mut command);
        command.args(["--profile", "traces", "s3"]).args(args).env("HOME", &self.home).env_remove("XDG_CACHE_HOME");
        command.env("AWS_CONFIG_FILE", config).env("AWS_CA_BUNDLE", facade.ca()).output().unwrap()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.home).unwrap();
    }
}

/// A `tracegate login` that runs; it ends with the test.
struct Login {
    process: Child,
    terminal: BufReader<ChildStderr>,
}

impl Login {
    fn begin(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let terminal = BufReader::new(process.stderr.take().unwrap());
        Self { process, terminal }
    }

    /// Waits for a line of which the rest begins so, and answers the rest.
    fn told(&mut self, beginning: &str) -> String {
        let mut seen = String::new();
        loop {
            let before = seen.len();
            assert_ne!(self.terminal.read_line(&mut seen).unwrap(), 0, "it ended without {beginning:?}: {seen}");
            if let Some(at) = seen[before..].find(beginning) {
                return seen[before + at..].trim().to_owned();
            }
        }
    }

    /// Whether it succeeded in the end, and what it said since [`Self::told`].
    fn ended(mut self) -> (bool, String) {
        let mut text = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.terminal.read_to_string(&mut text).unwrap();
        (self.process.wait().unwrap().success(), text)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // One that has ended is not there any more.
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

/// The person's answers on the provider's pages: who they are, and yes.
fn answer(browser: &mut Browser, login_page: &Page, user: &str) -> Page {
    let consent = browser.click(login_page, user);
    assert!(consent.text.contains(&format!("Let {AUDIENCE} know who {user} is?")), "{consent:?}");
    browser.click(&consent, "allow")
}

fn log_in_by_browser(mut login: Login, user: &str) {
    let mut browser = Browser::default();
    let page = browser.open(&login.told("http://"));
    let last = answer(&mut browser, &page, user);
    assert!(last.status == 200 && last.text.contains("You are logged in."), "{last:?}");
    let (succeeded, text) = login.ended();
    assert!(succeeded && text.starts_with("logged in; the token is kept in "), "{text}");
}

#[test]
fn a_login_by_browser_is_all_that_the_aws_cli_needs() {
    let provider = OidcProvider::start();
    let settings = Settings { issuers: vec![("demo", provider.issuer.clone())], ..Settings::of(Backend::Memory) };
    let facade = Facade::start(&settings);
    let person = Person::at(&facade.https());
    let nobody = person.aws(&facade, &["ls", "s3://traces/"]);
    let error = String::from_utf8_lossy(&nobody.stderr);
    let hint =
        format!("nobody is logged in; run: tracegate login --issuer … --client-id … --endpoint {}", facade.https());
    assert!(!nobody.status.success() && error.contains(&hint), "{error}");

    log_in_by_browser(person.log_in(&provider.issuer, AUDIENCE, &["--no-browser"]), "bob");
    let [file] = &person.kept()[..] else { panic!("{:?}", person.kept()) };
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = person.token("id_token");
    let whole = ask(&facade.http(), &["--header", &bearer(&token)], &format!("/traces/{KEY}"));
    assert_eq!(whole.status, 200, "{}", whole.text());
    let listed = said(&person.aws(&facade, &["ls", "s3://traces/model-B/2026/11/19/"]));
    assert!(listed.contains("run-004421.json"), "{listed}");
    // What is kept is enough: the provider is not asked again.
    drop(provider);
    assert_eq!(said(&person.aws(&facade, &["cp", &format!("s3://traces/{KEY}"), "-"])), whole.text());
}

#[test]
fn an_expired_login_says_how_to_log_in_again() {
    let provider = OidcProvider::start_with(&[("TOKEN_TTL", "3")]);
    let person = Person::at("http://127.0.0.1:9");
    log_in_by_browser(person.log_in(&provider.issuer, AUDIENCE, &["--no-browser"]), "bob");
    std::thread::sleep(Duration::from_secs(4));
    let expired = person.aws(facade(Backend::Memory), &["ls", "s3://traces/"]);
    let error = String::from_utf8_lossy(&expired.stderr);
    assert!(!expired.status.success(), "an expired token was used");
    let (_, hint) = error.split_once("the login has expired; run: tracegate ").unwrap_or_else(|| panic!("{error}"));
    let before = person.token("id_token");
    log_in_by_browser(Login::begin(person.pasted(hint.lines().next().unwrap())), "bob");
    assert_ne!(person.token("id_token"), before);
}

#[test]
fn a_login_is_renewed_where_the_provider_allows_it() {
    let provider = OidcProvider::start_with(&[("TOKEN_TTL", "3")]);
    let settings = Settings { issuers: vec![("demo", provider.issuer.clone())], ..Settings::of(Backend::Memory) };
    let facade = Facade::start(&settings);
    let person = Person::at(&facade.https());
    let options = ["--no-browser", "--scope", "openid email offline_access"];
    log_in_by_browser(person.log_in(&provider.issuer, AUDIENCE, &options), "bob");
    let (first, first_refresh) = (person.token("id_token"), person.token("refresh_token"));
    let of_first = std::fs::read(&person.kept()[0]).unwrap();
    std::thread::sleep(Duration::from_secs(4));

    // Several programs at a time: the provider takes each refresh token once, and ends the login at its second use.
    let ca = facade.ca();
    let endpoint = facade.https();
    let ask = || {
        let words = ["credentials", "--endpoint", &endpoint, "--ca", ca.to_str().unwrap()];
        person.run(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for program in [ask(), ask(), ask()] {
        said(&program.wait_with_output().unwrap());
    }
    assert!(person.token("id_token") != first && person.token("refresh_token") != first_refresh, "nothing was renewed");
    said(&person.aws(&facade, &["ls", "s3://traces/model-B/"]));

    // One that was used before is refused, and the error says what to do.
    std::fs::write(&person.kept()[0], of_first).unwrap();
    let refused = ask().wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    let refusal = "the identity provider refuses: invalid_grant";
    assert!(!refused.status.success() && error.contains(refusal), "{error}");
    assert!(!error.contains(&first_refresh), "{error}");
    let (why, hint) = error.split_once("; run: tracegate ").unwrap_or_else(|| panic!("{error}"));
    assert!(why.starts_with("error: the login cannot be renewed: "), "{error}");
    log_in_by_browser(Login::begin(person.pasted(hint.trim())), "bob");
    assert_ne!(person.token("refresh_token"), first_refresh, "the command asks for the same again");
}

#[test]
fn a_login_that_is_refused_or_guessed_keeps_nothing() {
    let issuer = &support::oidc_provider().issuer;
    for refuses_at in ["login", "consent"] {
        let person = Person::at("https://traces.example.com");
        let mut login = person.log_in(issuer, AUDIENCE, &["--no-browser"]);
        let address = login.told("http://");
        // Somebody else's page in the same browser tries its luck, without the `state` of this login.
        let (_, rest) = address.split_once("redirect_uri=").unwrap();
        let redirect = percent_encoding::percent_decode_str(rest.split('&').next().unwrap()).decode_utf8().unwrap();
        for guess in ["?code=guess&state=guess", "?error=access_denied&state=guess", "?code=guess"] {
            let page = Browser::default().open(&format!("{redirect}{guess}"));
            assert!(page.status == 404 && page.text.contains("not the login"), "{page:?}");
        }
        let mut browser = Browser::default();
        let mut page = browser.open(&address);
        if refuses_at == "consent" {
            page = browser.click(&page, "bob");
        }
        let last = browser.click(&page, "cancel");
        assert!(last.status == 403 && last.text.contains("The login failed."), "{last:?}");
        let (succeeded, text) = login.ended();
        let error = "error: the identity provider refuses: access_denied (the person said no)\n";
        assert!(!succeeded && text == error, "{text}");
        assert_eq!(person.kept(), Vec::<PathBuf>::new());
    }
}

/// The address and the code that the terminal shows.
fn shown(login: &mut Login) -> (String, String) {
    let line = login.told("Open http://");
    let (address, code) = line["Open ".len()..].split_once(" and enter the code ").unwrap();
    (address.to_owned(), code.to_owned())
}

#[test]
fn a_code_on_another_device_logs_in() {
    let facade = facade(Backend::Memory);
    let person = Person::at(&facade.https());
    let mut login = person.log_in(&support::oidc_provider().issuer, AUDIENCE, &["--device"]);
    let (address, code) = shown(&mut login);
    let mut browser = Browser::default();
    let enter = browser.open(address.split('?').next().unwrap());
    let confirm = browser.submit(&enter, &[("user_code", &code)]);
    assert!(confirm.text.contains(&format!("<code>{code}</code>")), "{confirm:?}");
    let login_page = browser.submit(&confirm, &[]);
    let last = answer(&mut browser, &login_page, "bob");
    assert!(last.text.contains("Sign-in Success"), "{last:?}");
    let (succeeded, text) = login.ended();
    assert!(succeeded && text.starts_with("logged in; "), "{text}");

    let ca = facade.ca();
    let ask = ["credentials", "--endpoint", &facade.https(), "--ca", ca.to_str().unwrap()];
    let (first, second): (Value, Value) = {
        let ask = || serde_json::from_str(&said(&person.run(&ask).output().unwrap())).unwrap();
        (ask(), ask())
    };
    assert_eq!((&first["Version"], &second["Version"]), (&1.into(), &1.into()));
    assert_ne!(first["AccessKeyId"], second["AccessKeyId"], "a session for each");
    let whole = ask_as(facade, "bob", &[], &format!("/traces/{KEY}"));
    assert_eq!(said(&person.aws(facade, &["cp", &format!("s3://traces/{KEY}"), "-"])), whole.text());
}

#[test]
fn a_code_that_is_cancelled_or_not_given_out_keeps_nothing() {
    let issuer = &support::oidc_provider().issuer;
    let person = Person::at("https://traces.example.com");
    let mut login = person.log_in(issuer, AUDIENCE, &["--device"]);
    let (address, code) = shown(&mut login);
    let mut browser = Browser::default();
    // The address holds the code: its page sends the form by itself, in a browser that runs scripts.
    let entered = browser.open(&address);
    let confirm = browser.submit(&entered, &[]);
    assert!(confirm.text.contains(&format!("<code>{code}</code>")), "{confirm:?}");
    let last = browser.submit(&confirm, &[("abort", "yes")]);
    assert!(last.text.contains("The Sign-in request was interrupted"), "{last:?}");
    let (succeeded, text) = login.ended();
    let error = "error: the identity provider refuses: access_denied (End-User aborted interaction)\n";
    assert!(!succeeded && text == error, "{text}");

    for (client, want) in [("wiki", "is not allowed for this client"), ("nobody", "invalid_client")] {
        let (succeeded, text) = person.log_in(issuer, client, &["--device"]).ended();
        assert!(!succeeded && text.starts_with("error: the identity provider refuses: "), "{client}: {text}");
        assert!(text.contains(want), "{client}: {text}");
    }
    assert_eq!(person.kept(), Vec::<PathBuf>::new());
}
