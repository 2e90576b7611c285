//! A bad setting gives one clear line and a non-zero exit.

use std::net::TcpListener;

use crate::support::server::{self, Refusal, Setup};
use crate::support::{ports, seaweed};

/// Fails unless the refusal is one line that names all of `words`; log lines that came before the
/// failure are not counted.
fn assert_clear(refusal: &Refusal, words: &[&str]) {
    assert!(!refusal.status.success(), "{refusal:?}");
    let said = refusal.stderr.trim_end();
    let line = said.lines().last().unwrap_or("");
    for word in words {
        let names = line.to_lowercase().contains(&word.to_lowercase());
        assert!(names, "the last line does not name {word:?}:\n{said}");
    }
    assert!(
        !said.contains("panicked") && !said.contains("stack backtrace"),
        "{said}"
    );
    assert!(
        line.len() < 600,
        "one clear line, not {} letters: {line}",
        line.len()
    );
}

fn refused(setup: &Setup) -> Refusal {
    setup.try_start().expect_err("the server must not start")
}

#[test]
fn a_port_that_is_taken() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let setup = Setup::directory(folder.path());
    let (one, two) = (ports::address(), ports::address());
    for (rtmp, http, api, purpose) in [
        (taken, one, two, "RTMP"),
        (one, taken, two, "HTTP"),
        (one, two, taken, "the API"),
    ] {
        let refusal = setup
            .try_start_at(rtmp, http, api)
            .expect_err("the port is taken");
        let port = taken.port().to_string();
        assert_clear(&refusal, &[&port, purpose, "in use"]);
    }
}

#[test]
fn a_bucket_that_is_missing() {
    let mut setup = Setup::s3(seaweed::shared());
    setup.bucket = "s3://there-is-no-such-bucket".to_owned();
    assert_clear(&refused(&setup), &["there-is-no-such-bucket"]);
}

#[test]
fn a_directory_that_is_missing() {
    let setup = Setup {
        bucket: "/there/is/no/such/folder".to_owned(),
        ..Setup::default()
    };
    assert_clear(&refused(&setup), &["/there/is/no/such/folder"]);
}

#[test]
fn credentials_that_are_refused() {
    let setup = Setup::s3(seaweed::shared()).variable("AWS_SECRET_ACCESS_KEY", "not the secret");
    let refusal = refused(&setup);
    assert_clear(&refusal, &["media"]);
    assert!(
        !refusal.stderr.contains("not the secret"),
        "a secret is never printed"
    );
}

#[test]
fn credentials_that_are_missing() {
    let mut setup = Setup::s3(seaweed::shared());
    setup.environment.retain(|(name, _)| !name.contains("KEY"));
    assert_clear(&refused(&setup), &["credentials"]);
}

#[test]
fn an_endpoint_that_nobody_listens_on() {
    let nowhere = format!("http://127.0.0.1:{}", ports::free());
    let setup = Setup::s3(seaweed::shared()).variable("AWS_ENDPOINT_URL_S3", &nowhere);
    assert_clear(&refused(&setup), &["media"]);
}

#[test]
fn no_bucket_at_all() {
    assert_clear(&refused(&Setup::default()), &["bucket"]);
}

fn with_file(text: &str) -> Refusal {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("streamfront.toml");
    std::fs::write(&file, text).expect("a file");
    let arguments = ["serve", "--config", &file.display().to_string()].map(String::from);
    match server::launch(&arguments, &[], folder.path()) {
        Ok((_, line)) => panic!("the server must not start, and said {line}"),
        Err(refusal) => refusal,
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let refusal = with_file("# a comment\n\nno_such_key = 1\n");
    assert!(!refusal.status.success());
    assert!(refusal.stderr.contains("no_such_key"), "{}", refusal.stderr);
    assert!(
        refusal.stderr.contains('3'),
        "the line is named: {}",
        refusal.stderr
    );
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let refusal = with_file("# a comment\nbucket = \n");
    assert!(!refusal.status.success());
    assert!(
        refusal.stderr.contains("streamfront.toml"),
        "{}",
        refusal.stderr
    );
    assert!(
        refusal.stderr.contains('2'),
        "the line is named: {}",
        refusal.stderr
    );
}

#[test]
fn an_unknown_flag_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refusal = refused(&Setup::directory(folder.path()).argument("--no-such-flag"));
    assert!(
        refusal.stderr.contains("--no-such-flag"),
        "{}",
        refusal.stderr
    );
}

/// The commented file in `config/` is one that the server starts with.
#[test]
fn the_documented_config_file_is_read_without_complaint() {
    let text =
        std::fs::read_to_string(crate::support::tools::root().join("config/streamfront.toml"))
            .expect("config/streamfront.toml");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("streamfront.toml");
    std::fs::write(&file, text).expect("a file");
    let file = file.display().to_string();
    let setup = Setup::directory(folder.path())
        .argument("--config")
        .argument(&file);
    setup.start().assert_alive();
}
