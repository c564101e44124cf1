//! The loopback address to which the identity provider sends the browser back (RFC 8252, section 7.3).

use std::net::Ipv4Addr;

use anyhow::{Context as _, bail};
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use super::provider::OAuthError;

/// Largest request head that the browser may send, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Waits for the browser.
pub(super) struct Listener {
    listener: TcpListener,
    port: u16,
}

impl Listener {
    /// On a free port of 127.0.0.1.
    pub(super) async fn bind() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no loopback port is free")?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// The code of the login with that state. Other requests (a favicon, another page's guess) are answered and
    /// ignored.
    pub(super) async fn code(&self, state: &str) -> anyhow::Result<Zeroizing<String>> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            let Ok(target) = target(&mut stream).await else { continue };
            let answer = read(&target, state);
            let (status, page) = match &answer {
                Ok(Some(_)) => ("200 OK", "You are logged in. You may close this page."),
                Ok(None) => ("404 Not Found", "This is not the login that the terminal waits for."),
                Err(_) => ("403 Forbidden", "The login failed. The terminal says why."),
            };
            // The browser may have gone; the code counts all the same.
            if let Err(error) = reply(&mut stream, status, page).await {
                tracing::debug!(%error, "the browser did not wait for its answer");
            }
            if let Some(code) = answer? {
                return Ok(code);
            }
        }
    }
}

/// The target of the request line.
async fn target(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read(&mut chunk)).await??;
        head.extend_from_slice(&chunk[..read]);
        if read == 0 || head.len() > HEAD_BYTES_MAX {
            bail!("no request");
        }
    }
    let line = String::from_utf8(head.split(|byte| *byte == b'\r').next().unwrap_or_default().to_vec())?;
    let ["GET", target, _version] = line.split(' ').collect::<Vec<_>>()[..] else { bail!("no GET") };
    Ok(target.to_owned())
}

/// The code, if the target is the callback of this login; an error, if the provider reports one for it.
fn read(target: &str, state: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
    let Ok(url) = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)) else { return Ok(None) };
    let find = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
    if url.path() != "/callback" || find("state").as_deref() != Some(state) {
        return Ok(None);
    }
    if let Some(error) = find("error") {
        return Err(OAuthError { error, error_description: find("error_description") }.into());
    }
    find("code").map(|code| Some(Zeroizing::new(code))).context("the identity provider sent no code")
}

async fn reply(stream: &mut TcpStream, status: &str, page: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n",
        page.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_logins_callback_counts() {
        let check = |target: &str, want: Result<Option<&str>, ()>| {
            let got = read(target, "s1").map(|code| code.map(|code| code.to_string())).map_err(drop);
            assert_eq!(got, want.map(|code| code.map(str::to_owned)), "{target}");
        };
        check("/callback?state=s1&code=c%2F1", Ok(Some("c/1")));
        check("/callback?state=s2&code=c1", Ok(None));
        check("/callback?code=c1", Ok(None));
        check("/favicon.ico", Ok(None));
        check("/other?state=s1&code=c1", Ok(None));
        check("/callback?state=s1&error=access_denied", Err(()));
        check("/callback?state=s1", Err(()));
    }

    #[tokio::test]
    async fn a_stray_request_does_not_end_the_login() {
        let listener = Listener::bind().await.unwrap();
        let at = listener.redirect_uri();
        let send = |path: String| {
            let port = listener.port;
            async move {
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answer
            }
        };
        assert!(at.starts_with("http://127.0.0.1:"));
        let browser = async {
            for stray in ["/favicon.ico", "/callback?state=guess&code=evil"] {
                let answer = send(stray.to_owned()).await;
                assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("not the login"), "{answer}");
            }
            send("/callback?state=s1&code=good".to_owned()).await
        };
        let (code, answer) = tokio::join!(listener.code("s1"), browser);
        assert_eq!(code.unwrap().as_str(), "good");
        assert!(answer.contains("logged in"));
    }
}
