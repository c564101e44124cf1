//! A server between the façade and its backend: it hands everything on, byte for byte, but for the keys that a test has told
//! it to fail.
//!
//! Every answer ends its connection, so that what is told for a key counts from its next request on.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is answered by these bytes; the backend never hears of it.
    Says(String),
    /// Its connection ends without an answer.
    HangsUp,
    /// It is never answered.
    Silent,
    /// It is answered after so long.
    Late(Duration),
    /// Its answer ends after so many bytes of the body.
    Cut(usize),
    /// Its answer stands still after so many bytes of the body.
    Stalls(usize),
    /// The head of its answer is altered so.
    Head(fn(&str) -> String),
}

/// A running one. It ends with the test's process.
#[derive(Debug)]
pub(crate) struct Between {
    /// Where it answers, without a slash at the end.
    pub(crate) url: String,
    faults: Arc<Mutex<HashMap<String, Fault>>>,
    is_gone: Arc<AtomicBool>,
}

impl Between {
    /// Starts one in front of `http://…`.
    pub(crate) fn start(backend: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let backend = backend.strip_prefix("http://").unwrap().to_owned();
        let (faults, is_gone) = (Arc::new(Mutex::new(HashMap::new())), Arc::new(AtomicBool::new(false)));
        let between = Self { url, faults: faults.clone(), is_gone: is_gone.clone() };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if is_gone.load(Ordering::SeqCst) {
                    return;
                }
                let (client, backend, faults) = (client.unwrap(), backend.clone(), faults.clone());
                // Either side may go away in the middle.
                std::thread::spawn(move || serve(client, &backend, &faults).ok());
            }
        });
        between
    }

    /// From now on, this is what becomes of requests for keys of that last segment.
    pub(crate) fn fail(&self, name: &str, fault: Fault) {
        self.faults.lock().unwrap().insert(name.to_owned(), fault);
    }

    /// It is there no more: connections are refused.
    pub(crate) fn go(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        // Wakes the listener, which then closes.
        drop(TcpStream::connect(self.url.strip_prefix("http://").unwrap()));
    }
}

fn serve(mut client: TcpStream, backend: &str, faults: &Mutex<HashMap<String, Fault>>) -> std::io::Result<()> {
    let (head, body) = head(&mut client)?;
    let target = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let name = target.rsplit('/').next().unwrap_or_default();
    let fault = faults.lock().unwrap().get(name).cloned();
    match &fault {
        Some(Fault::Says(answer)) => return client.write_all(answer.as_bytes()),
        Some(Fault::HangsUp) => return client.shutdown(Shutdown::Both),
        Some(Fault::Silent) => return wait(&mut client),
        Some(Fault::Late(time)) => std::thread::sleep(*time),
        Some(Fault::Cut(_) | Fault::Stalls(_) | Fault::Head(_)) | None => {}
    }
    let mut server = TcpStream::connect(backend)?;
    server.write_all(head.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes())?;
    server.write_all(&body)?;
    let rest = length(&head).saturating_sub(body.len() as u64);
    std::io::copy(&mut (&mut client).take(rest), &mut server)?;
    let (answer, mut begun) = self::head(&mut server)?;
    match fault {
        Some(Fault::Head(alter)) => client.write_all(alter(&answer).as_bytes())?,
        _ => client.write_all(answer.as_bytes())?,
    }
    if let Some(Fault::Cut(bytes) | Fault::Stalls(bytes)) = fault {
        let more = bytes.saturating_sub(begun.len()) as u64;
        (&mut server).take(more).read_to_end(&mut begun)?;
        client.write_all(&begun[..bytes.min(begun.len())])?;
        return if matches!(fault, Some(Fault::Stalls(_))) { wait(&mut client) } else { Ok(()) };
    }
    client.write_all(&begun)?;
    std::io::copy(&mut server, &mut client).map(drop)
}

/// A head, and what came of the body behind it.
fn head(from: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&read).into_owned(), body));
        }
        match from.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(&buffer[..count]),
        }
    }
}

fn length(head: &str) -> u64 {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// Until the façade gives up.
fn wait(client: &mut TcpStream) -> std::io::Result<()> {
    client.read(&mut [0; 1]).map(drop)
}
