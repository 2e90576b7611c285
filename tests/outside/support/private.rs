//! Private content: keys of openssl's making, names that are signed with them, distributions that
//! want such names, and what a play of one comes to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::amf::Amf;
use super::client::{Client, UNPACED};
use super::distributions::{Config, Control, Made, member};
use super::message::{Message, Status};
use super::seaweed::{self, ACCESS_KEY, SECRET_KEY};
use super::server::{Server, Setup};
use super::signing::Signer;
use super::tools;

/// Another account than the operator's.
pub const OTHER: &str = "123456789012";
const OTHER_KEY: (&str, &str) = ("AKIDSIGNEROFTESTS", "the secret of a signer, for tests");

/// A key of openssl's making.
pub struct Key {
    folder: tempfile::TempDir,
    pub public: String,
}

impl Key {
    pub fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("private.pem").display().to_string();
        openssl(
            &[&["genpkey", "-quiet", "-out", &file], arguments].concat(),
            b"",
        );
        let public = openssl(&["pkey", "-in", &file, "-pubout"], b"");
        let public = String::from_utf8(public).expect("PEM");
        Self { folder, public }
    }

    pub fn rsa() -> Self {
        Self::new(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
    }

    pub fn ec() -> Self {
        Self::new(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    /// In the old form, which is all that the command line of AWS reads.
    pub fn old_file(&self) -> PathBuf {
        let old = self.folder.path().join("old.pem");
        let (from, to) = (self.file().display().to_string(), old.display().to_string());
        openssl(&["rsa", "-traditional", "-in", &from, "-out", &to], b"");
        old
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("private.pem")
    }

    pub fn public_file(&self) -> PathBuf {
        let file = self.folder.path().join("public.pem");
        std::fs::write(&file, &self.public).expect("a file");
        file
    }

    pub fn sign(&self, hash: &str, text: &str) -> String {
        let file = self.file().display().to_string();
        encode(&openssl(&["dgst", hash, "-sign", &file], text.as_bytes()))
    }

    /// A name with a canned policy.
    pub fn canned(&self, id: &str, name: &str, resource: &str, expires: u64) -> String {
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
        );
        let signature = self.sign("-sha1", &policy);
        format!("{name}?Expires={expires}&Signature={signature}&Key-Pair-Id={id}")
    }

    /// A name with a policy of its own.
    pub fn custom(&self, id: &str, name: &str, policy: &str) -> String {
        let signature = self.sign("-sha1", policy);
        let policy = encode(policy.as_bytes());
        format!("{name}?Policy={policy}&Signature={signature}&Key-Pair-Id={id}")
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = Command::new(tools::tool("openssl"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input).expect("openssl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("openssl ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    output.stdout
}

fn encode(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    text.replace('+', "-").replace('=', "_").replace('/', "~")
}

pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

pub fn later() -> u64 {
    now() + 3600
}

/// A server whose API has the operator and another account.
pub fn start(more: &str) -> (Server, Control) {
    let seaweed = seaweed::shared();
    let (id, secret) = OTHER_KEY;
    let text = format!(
        "{more}\n[[s3]]\nsuffix = 'one.example'\nendpoint = 'http://{}'\n\
         access_key_id = '{ACCESS_KEY}'\nsecret_access_key = '{SECRET_KEY}'\n\
         [[api.key]]\nid = '{id}'\nsecret = '{secret}'\naccount = '{OTHER}'\n",
        seaweed.address
    );
    let server = Setup::default().with_key().config(&text).start();
    let control = Control::operator(server.api);
    (server, control)
}

pub fn other(control: &Control) -> Control {
    let (id, secret) = OTHER_KEY;
    Control {
        signer: Signer::of(id, secret),
        ..control.clone()
    }
}

fn config(control: &Control, reference: &str, signers: &[&str]) -> Config {
    let identity = control.identity(reference);
    let bucket = format!("{}.one.example", seaweed::BUCKET);
    Config::new(reference, &bucket)
        .identity(&identity)
        .signers(signers)
}

/// A distribution that these may sign for.
pub fn private(control: &Control, reference: &str, signers: &[&str]) -> Made {
    control.serve(&config(control, reference, signers))
}

pub fn put_key(control: &Control, name: &str, key: &Key) -> String {
    member(&control.public_key(name, &key.public).text(), "Id")
}

pub fn enter(rtmp: SocketAddr, host: &str) -> Client {
    let mut client = Client::shake(rtmp);
    let url = format!("rtmp://{host}/cfx/st");
    let answer = client.connect_with("cfx/st", &[("tcUrl", Amf::Text(url))]);
    assert_eq!(answer.name().as_deref(), Some("_result"), "{answer:?}");
    client.create_stream();
    client.set_buffer(1, UNPACED);
    client
}

/// What a play ends with.
pub fn play(client: &mut Client, name: &str) -> Status {
    client.play_all(1, name);
    let ends = |message: &Message| {
        let status = message.status();
        status.is_some_and(|it| it.level == "error" || it.code == "NetStream.Play.Stop")
    };
    let messages = client.until("the end", ends);
    messages.last().and_then(Message::status).expect("a status")
}

pub fn assert_plays(client: &mut Client, name: &str) {
    assert_eq!(play(client, name).code, "NetStream.Play.Stop", "{name}");
}

/// Refused as by the original: no reason is told.
pub fn assert_refused(client: &mut Client, name: &str) {
    let status = play(client, name);
    assert_eq!(status.code, "NetStream.Play.Failed", "{name}: {status:?}");
    let said = status.info.get("description").and_then(Amf::as_text);
    let expected = format!("Failed to play {name}; (stream ID: 1).");
    assert_eq!(said, Some(&*expected));
}

/// Plays as soon as a change of keys has come to the edge; or is refused.
pub fn eventually(server: &Server, host: &str, name: &str, plays: bool) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let code = play(&mut enter(server.rtmp, host), name).code;
        if (code == "NetStream.Play.Stop") == plays {
            return;
        }
        assert!(Instant::now() < end, "still {code}");
    }
}
