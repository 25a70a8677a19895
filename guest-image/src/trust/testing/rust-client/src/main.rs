//! Sends a request to an HTTPS URL by native-tls, which uses OpenSSL on Linux.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use native_tls::TlsConnector;

fn main() -> io::Result<()> {
    let url = std::env::args().nth(1).expect("expected a URL");
    let rest = url.strip_prefix("https://").expect("expected an https URL");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let stream = TcpStream::connect(format!("{host}:{port}"))?;
    let connector = TlsConnector::new().map_err(io::Error::other)?;
    let mut stream = connector.connect(host, stream).map_err(io::Error::other)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}
