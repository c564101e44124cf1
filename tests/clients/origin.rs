//! A bucket that is never kept: a server of S3's two operations that gives one object of any size, one record again and
//! again. It stands behind the façade where neither a disk nor another server's memory shall count.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts one on loopback, with an object of so many bytes under every key.
pub(crate) async fn start(bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let block = Bytes::from(block());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let block = block.clone();
            // A façade that goes away in the middle is its own matter.
            tokio::spawn(async move { serve(socket, &block, bytes).await.ok() });
        }
    });
    address
}

/// One record of about a kilobyte, with what the example policies hide, padded so that a block is a power of two.
fn block() -> Vec<u8> {
    let record =
        r#"{"trace_id":"tr-1","user_id":"u-1","system_prompt":"PLANTED-prompt","steps":[{"prompt":"PLANTED-ask","#;
    let record = format!("{record}\"thought\":\"PLANTED-thought\"}}],\"api_key\":\"sk-PLANTED-key\",\"output\":\"");
    let end = "\"}\n";
    let rest = 1024 - record.len() - end.len();
    format!("{record}{:w<rest$}{end}", "").repeat(128).into()
}

async fn serve(mut socket: TcpStream, block: &Bytes, bytes: usize) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    while let Some(head) = head(&mut socket).await? {
        if !head.starts_with("GET ") {
            // Nothing is kept, so nothing is written; and its body stays unread.
            let refusal = "HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            return socket.write_all(refusal.as_bytes()).await;
        }
        if head.contains("list-type=2") {
            let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            socket.write_all(head.as_bytes()).await?;
            continue;
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\netag: \"0123456789abcdef0123456789abcdef\"\r\n\
             last-modified: Fri, 20 Nov 2026 06:00:00 GMT\r\ncontent-type: application/x-ndjson\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await?;
        let mut rest = bytes;
        while rest > 0 {
            let piece = block.slice(..rest.min(block.len()));
            socket.write_all(&piece).await?;
            rest -= piece.len();
        }
    }
    Ok(())
}

/// The head of the next request, if one comes.
async fn head(socket: &mut TcpStream) -> std::io::Result<Option<String>> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        let read = socket.read(&mut buffer).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&buffer[..read]);
        if head.windows(4).any(|four| four == b"\r\n\r\n") && !head.starts_with(b"GET ") {
            break;
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}
