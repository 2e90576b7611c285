//! Signed requests: Amazon's own signer over raw HTTP, so that a test can spoil any part of them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;

use super::http::{self, Answer};
use super::server::Setup;

/// The operator's key of the tests.
pub const KEY_ID: &str = "AKIDOPERATOROFTESTS";
pub const SECRET: &str = "an operator's secret, for tests";

impl Setup {
    /// With the operator's key.
    pub fn with_key(self) -> Self {
        self.variable("STREAMFRONT_ACCESS_KEY_ID", KEY_ID)
            .variable("STREAMFRONT_SECRET_ACCESS_KEY", SECRET)
    }
}

/// How a request is signed.
#[derive(Debug, Clone)]
pub struct Signer {
    pub key_id: String,
    pub secret: String,
    pub service: &'static str,
    pub time: SystemTime,
    pub token: Option<String>,
}

impl Default for Signer {
    fn default() -> Self {
        Self {
            key_id: KEY_ID.to_owned(),
            secret: SECRET.to_owned(),
            service: "cloudfront",
            time: SystemTime::now(),
            token: None,
        }
    }
}

impl Signer {
    /// With another key.
    pub fn of(key_id: &str, secret: &str) -> Self {
        Self {
            key_id: key_id.to_owned(),
            secret: secret.to_owned(),
            ..Self::default()
        }
    }

    /// Signs what the request has so far.
    pub fn sign(&self, mut request: Raw) -> Raw {
        let token = self.token.clone();
        let credentials = Credentials::new(&self.key_id, &self.secret, token, None, "test").into();
        let params = SigningParams::builder()
            .identity(&credentials)
            .region("us-east-1")
            .name(self.service)
            .time(self.time)
            .settings(SigningSettings::default())
            .build()
            .expect("parameters")
            .into();
        let url = format!("http://{}{}", request.host, request.target);
        let headers = request.headers.iter().map(|(n, v)| (&n[..], &v[..]));
        let body = SignableBody::Bytes(&request.body);
        let signable = SignableRequest::new(&request.method, url, headers, body).expect("signable");
        let (instructions, _) = sign(signable, &params).expect("signed").into_parts();
        let (added, _) = instructions.into_parts();
        for header in added {
            request = request.with(header.name(), header.value());
        }
        request
    }
}

/// A request, part by part.
#[derive(Debug, Clone)]
pub struct Raw {
    pub method: String,
    pub target: String,
    pub host: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: address.to_string(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a header, changed.
    pub fn edit(mut self, name: &str, edit: impl FnOnce(&str) -> String) -> Self {
        let found = self.headers.iter_mut().find(|(sent, _)| sent == name);
        let (_, value) = found.expect("a header to edit");
        *value = edit(value);
        self
    }

    /// Head and body as they are sent.
    pub fn bytes(&self) -> Vec<u8> {
        let lines: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{lines}Connection: close\r\n\r\n",
            self.method,
            self.target,
            self.host,
            self.body.len()
        );
        [head.as_bytes(), &self.body].concat()
    }

    pub fn send(&self, address: SocketAddr) -> Answer {
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        socket.write_all(&self.bytes()).expect("sent");
        http::read(&mut socket)
    }

    /// The same where the server may end at any moment: the whole answer, or none.
    pub fn try_send(&self, address: SocketAddr) -> Option<Answer> {
        let mut socket = TcpStream::connect(address).ok()?;
        let patience = Some(Duration::from_secs(30));
        socket.set_read_timeout(patience).ok()?;
        socket.write_all(&self.bytes()).ok()?;
        http::try_read(&mut socket)
    }
}

/// A request of the operator.
pub fn request(address: SocketAddr, method: &str, target: &str) -> Answer {
    Signer::default()
        .sign(Raw::new(address, method, target))
        .send(address)
}
