//! Who may call the API: each way to get in without the right signature is tried, and refused.
//!
//! The calls are purges, which answer 200 when they are let through.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use sha1::Sha1;

use crate::support::http::{self, Answer};
use crate::support::server::{Server, Setup};
use crate::support::signing::{KEY_ID, Raw, SECRET, Signer};
use crate::support::{media, ports};

const PURGE: &str = "/cache?key=nothing.mp4";
const TENANT: &str = "AKIDTENANT";
const READER: &str = "AKIDREADER";
const OTHER_SECRET: &str = "another secret of the tests";

fn setup(more: &str) -> Setup {
    let keys = format!(
        "{more}\n[[api.key]]\nid = '{TENANT}'\nsecret = '{OTHER_SECRET}'\naccount = '123456789012'\n\
         [[api.key]]\nid = '{READER}'\nsecret = '{OTHER_SECRET}'\nallow = ['cloudfront:Get*']\n"
    );
    Setup::directory(media::folder()).with_key().config(&keys)
}

/// The server that is attacked by all tests that leave it as it is.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| setup("").start())
}

fn purge() -> Raw {
    Raw::new(server().api, "DELETE", PURGE)
}

fn send(request: &Raw) -> Answer {
    request.send(server().api)
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    let said = answer.text();
    assert_eq!(answer.status, status, "{said}");
    assert!(said.contains(&format!("<Code>{code}</Code>")), "{said}");
    assert!(said.contains("<Type>Sender</Type>"), "{said}");
    let id = answer.header("x-amzn-requestid").expect("an id");
    assert!(
        said.contains(&format!("<RequestId>{id}</RequestId>")),
        "{said}"
    );
}

#[test]
fn a_signed_call_is_let_through() {
    let answer = send(&Signer::default().sign(purge()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("\"objects\":0"), "{}", answer.text());
}

#[test]
fn an_unsigned_call_is_refused() {
    assert_refused(&send(&purge()), 403, "MissingAuthenticationToken");
}

#[test]
fn a_wrong_secret_is_refused() {
    let request = Signer::of(KEY_ID, "wrong").sign(purge());
    assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
}

#[test]
fn an_unknown_key_is_refused() {
    let request = Signer::of("AKIDNOBODY", SECRET).sign(purge());
    assert_refused(&send(&request), 403, "InvalidClientTokenId");
}

#[test]
fn a_tampered_body_is_refused() {
    let mut request = Signer::default().sign(purge().body(b"<Enabled>false</Enabled>"));
    assert_eq!(send(&request).status, 200);
    request.body = b"<Enabled>true</Enabled> ".to_vec();
    assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
}

#[test]
fn a_tampered_path_query_or_method_is_refused() {
    let signed = Signer::default().sign(purge());
    for (method, target) in [
        ("DELETE", "/cache?prefix="),
        ("DELETE", "/cache?key=nothing.mp4&distribution=default"),
        ("DELETE", "/cached?key=nothing.mp4"),
        ("DELETE", "/cache/%2e?key=nothing.mp4"),
        ("GET", PURGE),
    ] {
        let mut request = signed.clone();
        request.method = method.to_owned();
        request.target = target.to_owned();
        assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
    }
}

#[test]
fn a_replay_outside_the_skew_is_refused_both_ways() {
    let hour = Duration::from_secs(3600);
    for time in [SystemTime::now() - hour, SystemTime::now() + hour] {
        let signer = Signer {
            time,
            ..Signer::default()
        };
        let answer = send(&signer.sign(purge()));
        assert_refused(&answer, 400, "RequestExpired");
        let said = answer.text();
        assert!(
            said.contains("signed at 2") && said.contains("it is 2"),
            "{said}"
        );
    }
}

#[test]
fn a_host_that_is_not_signed_is_refused() {
    let request = Signer::default().sign(purge());
    let request = request.edit("authorization", |text| text.replace("=host;", "="));
    assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
}

#[test]
fn another_host_is_refused() {
    let mut request = Signer::default().sign(purge());
    request.host = "evil.example".to_owned();
    assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
}

#[test]
fn a_date_that_is_not_signed_is_refused() {
    let request = Signer::default().sign(purge());
    let request = request.edit("authorization", |text| text.replace(";x-amz-date", ""));
    assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
}

#[test]
fn a_date_that_was_changed_is_refused() {
    let time = SystemTime::now() - Duration::from_secs(60);
    let signer = Signer {
        time,
        ..Signer::default()
    };
    let fresh = Signer::default().sign(purge());
    let date = |request: &Raw| {
        let found = request
            .headers
            .iter()
            .find(|(name, _)| name == "x-amz-date");
        found.expect("a date").1.clone()
    };
    let now = date(&fresh);
    let request = signer.sign(purge()).edit("x-amz-date", |_| now);
    assert_refused(&send(&request), 403, "SignatureDoesNotMatch");
}

#[test]
fn an_amazon_header_that_was_added_later_is_refused() {
    let request = Signer::default().sign(purge());
    let request = request.with("X-Amz-Target", "Something");
    let answer = send(&request);
    assert_refused(&answer, 403, "SignatureDoesNotMatch");
    assert!(answer.text().contains("x-amz-target"), "{}", answer.text());
}

#[test]
fn a_second_authorization_host_or_date_is_refused() {
    for name in ["Authorization", "Host", "X-Amz-Date"] {
        let request = Signer::default().sign(purge()).with(name, "injected");
        assert_refused(&send(&request), 400, "IncompleteSignature");
    }
}

/// The line end and what follows would be another header to whoever reads it so.
#[test]
fn a_folded_header_is_refused() {
    let request = Signer::default().sign(purge());
    for value in ["a\r\n Host: evil.example", "a\r\n\tb"] {
        let answer = send(&request.clone().with("X-Amz-Meta", value));
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}

#[test]
fn a_control_character_in_a_signed_header_is_refused() {
    let request = Signer::default().sign(purge().with("x-amz-meta", "a b"));
    assert_eq!(send(&request).status, 200);
    let request = request.edit("x-amz-meta", |_| "a\tb".to_owned());
    assert_refused(&send(&request), 400, "IncompleteSignature");
}

#[test]
fn a_signature_for_another_service_is_refused() {
    let signer = Signer {
        service: "s3",
        ..Signer::default()
    };
    assert_refused(&send(&signer.sign(purge())), 403, "SignatureDoesNotMatch");
}

#[test]
fn a_scope_of_another_day_is_refused() {
    let request = Signer::default()
        .sign(purge())
        .edit("authorization", |text| {
            let (head, rest) = text.split_once(KEY_ID).expect("a key");
            format!("{head}{KEY_ID}/20010101{}", &rest[9..])
        });
    let answer = send(&request);
    assert_refused(&answer, 403, "SignatureDoesNotMatch");
    assert!(answer.text().contains("scope"), "{}", answer.text());
}

#[test]
fn a_session_token_is_refused() {
    let signer = Signer {
        token: Some("a token".to_owned()),
        ..Signer::default()
    };
    let answer = send(&signer.sign(purge()));
    assert_refused(&answer, 403, "InvalidClientTokenId");
    assert!(
        answer.text().contains("no session tokens"),
        "{}",
        answer.text()
    );
}

#[test]
fn a_presigned_request_is_refused() {
    let query = "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00&X-Amz-Expires=60";
    let request = Raw::new(server().api, "DELETE", &format!("{PURGE}{query}"));
    let answer = send(&request);
    assert_refused(&answer, 403, "MissingAuthenticationToken");
    assert!(answer.text().contains("presigned"), "{}", answer.text());
}

#[test]
fn a_body_that_is_not_signed_is_refused() {
    for marker in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let request = purge().with("x-amz-content-sha256", marker);
        let answer = send(&Signer::default().sign(request));
        assert_refused(&answer, 403, "SignatureDoesNotMatch");
        assert!(
            answer.text().contains("body must be signed"),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn an_authorization_that_cannot_be_read_is_refused() {
    for text in [
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256",
        "\u{e4}",
    ] {
        let answer = send(&purge().with("Authorization", text));
        assert_refused(&answer, 400, "IncompleteSignature");
    }
}

/// A purge signed as tools of 2010 did it.
fn legacy(address: SocketAddr, secret: &str) -> Raw {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(date.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Raw::new(address, "DELETE", PURGE)
        .with("Date", &date)
        .with("Authorization", &format!("AWS {KEY_ID}:{signature}"))
}

#[test]
fn a_signature_over_the_date_is_let_through() {
    let answer = send(&legacy(server().api, SECRET));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_wrong_signature_over_the_date_is_refused() {
    let answer = send(&legacy(server().api, "wrong"));
    assert_refused(&answer, 403, "SignatureDoesNotMatch");
}

#[test]
fn a_signature_over_the_date_is_refused_where_it_is_switched_off() {
    let server = setup("[api]\nlegacy_signatures = false").start();
    let answer = legacy(server.api, SECRET).send(server.api);
    assert_refused(&answer, 403, "AccessDenied");
    assert!(answer.text().contains("switched off"), "{}", answer.text());
}

#[test]
fn a_key_may_do_what_it_is_allowed_and_nothing_else() {
    for key_id in [READER, TENANT] {
        let answer = send(&Signer::of(key_id, OTHER_SECRET).sign(purge()));
        assert_refused(&answer, 403, "AccessDenied");
    }
}

#[test]
fn without_a_key_there_is_nothing_but_health_and_metrics() {
    let server = Setup::directory(media::folder()).start();
    assert_eq!(http::get(server.api, "/healthz").status, 200);
    assert_eq!(http::get(server.api, "/metrics").status, 200);
    let request = Signer::default().sign(Raw::new(server.api, "DELETE", PURGE));
    let answer = request.send(server.api);
    assert_eq!(answer.status, 404);
    let said = answer.text();
    assert!(said.contains("no access key is configured"), "{said}");
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let whole = Signer::default().sign(purge().body(&vec![b'x'; 64 * 1024]));
    assert_eq!(send(&whole).status, 200);
    let larger = Signer::default().sign(purge().body(&vec![b'x'; 64 * 1024 + 1]));
    assert_refused(&send(&larger), 413, "EntityTooLarge");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let request = Signer::default().sign(purge().body(b"0123456789"));
    let mut bytes = request.bytes();
    bytes.truncate(bytes.len() - 1);
    let mut socket = TcpStream::connect(server().api).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    socket.write_all(&bytes).expect("sent");
    assert_refused(&http::read(&mut socket), 408, "RequestTimeout");
}

#[test]
fn refusals_are_logged_without_the_secret_and_not_each() {
    let server = setup("").start();
    for _ in 0..20 {
        let wrong = Signer::of(KEY_ID, "wrong").sign(Raw::new(server.api, "DELETE", PURGE));
        assert_eq!(wrong.send(server.api).status, 403);
    }
    let log = server.log();
    let lines = log.matches("a call of the API was refused").count();
    assert_eq!(lines, 5, "the 1st, 2nd, 4th, 8th and 16th:\n{log}");
    assert!(log.contains(KEY_ID), "{log}");
    assert!(
        !log.contains(SECRET) && !log.contains(OTHER_SECRET),
        "{log}"
    );
    assert!(log.contains("keys=3"), "{log}");
}

#[test]
fn an_api_that_others_can_reach_is_warned_of() {
    let any = SocketAddr::from(([0, 0, 0, 0], ports::free()));
    let server = setup("").try_start_at(ports::address(), ports::address(), any);
    let server = server.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let log = server.log();
    assert!(log.contains("can be reached from other machines"), "{log}");
    assert!(log.contains("the API has no TLS"), "{log}");
}

/// A certificate for 127.0.0.1 and its key, in PEM files.
fn certificate(folder: &Path) {
    let config = "[req]\ndistinguished_name = name\nx509_extensions = more\nprompt = no\n\
        [name]\nCN = localhost\n\
        [more]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical, CA:FALSE\n";
    std::fs::write(folder.join("req.cnf"), config).expect("a file");
    let made = Command::new("openssl")
        .current_dir(folder)
        .args("req -x509 -newkey rsa:2048 -nodes -days 2 -config req.cnf".split(' '))
        .args("-keyout key.pem -out cert.pem".split(' '))
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
}

/// Sends by TLS, trusting the certificate in `file` only.
fn send_by_tls(address: SocketAddr, file: &Path, bytes: &[u8]) -> Answer {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file).expect("a certificate");
    roots.add(certificate).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(address.ip());
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let socket = TcpStream::connect(address).expect("a connection");
    let mut stream = StreamOwned::new(client, socket);
    stream.write_all(bytes).expect("sent");
    http::read(&mut stream)
}

#[test]
fn with_a_certificate_the_port_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let file = folder.path().join("cert.pem");
    let key = folder.path().join("key.pem");
    let server = setup(&format!(
        "[api]\ncertificate = '{}'\nprivate_key = '{}'",
        file.display(),
        key.display()
    ))
    .start();
    let request = Signer::default().sign(Raw::new(server.api, "DELETE", PURGE));
    let answer = send_by_tls(server.api, &file, &request.bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let unsigned = Raw::new(server.api, "DELETE", PURGE).bytes();
    let answer = send_by_tls(server.api, &file, &unsigned);
    assert_refused(&answer, 403, "MissingAuthenticationToken");

    let mut plain = TcpStream::connect(server.api).expect("a connection");
    plain.write_all(&request.bytes()).expect("sent");
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(
        !said.starts_with(b"HTTP"),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let file = folder.path().join("cert.pem");
    let said = |certificate: &Path, key: &Path| {
        let text = format!(
            "[api]\ncertificate = '{}'\nprivate_key = '{}'",
            certificate.display(),
            key.display()
        );
        let refusal = setup(&text).try_start().expect_err("a refusal");
        refusal.stderr.lines().last().unwrap_or_default().to_owned()
    };
    let gone = said(&file, Path::new("/nowhere.key"));
    assert!(gone.contains("the private key in /nowhere.key"), "{gone}");
    let swapped = said(&folder.path().join("key.pem"), &file);
    assert!(swapped.contains("key.pem cannot be read"), "{swapped}");
}

#[test]
fn half_a_key_in_the_environment_is_refused_at_the_start() {
    let setup = Setup::directory(media::folder()).variable("STREAMFRONT_ACCESS_KEY_ID", "A");
    let refusal = setup.try_start().expect_err("a refusal");
    let said = refusal.stderr;
    assert!(
        said.contains("needs STREAMFRONT_SECRET_ACCESS_KEY"),
        "{said}"
    );
}
