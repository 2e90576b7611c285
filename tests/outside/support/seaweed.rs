//! SeaweedFS as the S3 server, one for the test process: real keys, SigV4, ranges, If-Match.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use tokio::runtime::Runtime;

use super::{leash::Leashed, media, ports, tools};

/// The bucket that holds all media.
pub const BUCKET: &str = "media";
pub const ACCESS_KEY: &str = "AKIDOUTSIDETESTS";
pub const SECRET_KEY: &str = "a-secret-of-the-tests-only/+=";

/// A running SeaweedFS with all media in its bucket.
pub struct Seaweed {
    pub address: SocketAddr,
    client: Client,
    runtime: Runtime,
    process: Leashed,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

/// The one of this process; the first caller starts it and uploads the media.
pub fn shared() -> &'static Seaweed {
    static SHARED: OnceLock<Seaweed> = OnceLock::new();
    SHARED.get_or_init(|| {
        let seaweed = Seaweed::start();
        for name in media::all() {
            seaweed.put_file(&name, &media::file(&name));
        }
        for (key, file) in media::ALIASES {
            seaweed.put_file(key, &media::file(file));
        }
        for entry in std::fs::read_dir(media::six("")).expect("the six can be listed") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if !name.ends_with(".expected") && !name.ends_with(".sh") {
                seaweed.put_file(&format!("six/{name}"), &path);
            }
        }
        seaweed
    })
}

impl Seaweed {
    /// Starts a server with an empty bucket [`BUCKET`].
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = ports::address();
        let arguments = [
            "mini".to_owned(),
            format!("-dir={}", folder.path().display()),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            format!("-s3.port={}", address.port()),
            format!("-s3.port.grpc={}", ports::free()),
            format!("-master.port={}", ports::free()),
            format!("-master.port.grpc={}", ports::free()),
            format!("-volume.port={}", ports::free()),
            format!("-volume.port.grpc={}", ports::free()),
            format!("-filer.port={}", ports::free()),
            format!("-filer.port.grpc={}", ports::free()),
            format!("-admin.port={}", ports::free()),
            format!("-admin.port.grpc={}", ports::free()),
            "-admin.ui=false".to_owned(),
            "-webdav=false".to_owned(),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            "-master.telemetry=false".to_owned(),
            format!("-bucket={BUCKET}"),
        ];
        let seaweed = Self {
            address,
            client: client(address),
            runtime: Runtime::new().expect("a runtime"),
            process: launch(&arguments, folder.path()),
            arguments: arguments.to_vec(),
            folder,
        };
        seaweed.wait_until_ready();
        seaweed
    }

    /// Starts it again where it was, with all that it had.
    pub fn start_again(&mut self) {
        self.process = launch(&self.arguments, self.folder.path());
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut last = String::from("it does not listen");
        while Instant::now() < end {
            if TcpStream::connect(self.address).is_ok() {
                let put = self
                    .client
                    .put_object()
                    .bucket(BUCKET)
                    .key("ready")
                    .body(vec![1].into());
                match self.runtime.block_on(put.send()) {
                    Ok(_) => return self.delete("ready"),
                    Err(error) => last = format!("{error:?}"),
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = std::fs::read_to_string(log(self.folder.path())).unwrap_or_default();
        panic!("SeaweedFS was not ready within a minute: {last}\n{said}");
    }

    /// The variables with which every AWS tool, and the server, finds this one.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(self.address)
    }

    /// Ends it, as a machine that goes down does.
    pub fn stop(&mut self) {
        self.process.signal(rustix::process::Signal::KILL);
        let ended = self.process.wait(Duration::from_secs(60));
        ended.expect("a killed process ends");
    }

    pub fn put(&self, key: &str, body: Vec<u8>) {
        let body = ByteStream::from(body);
        self.run(
            key,
            self.client
                .put_object()
                .bucket(BUCKET)
                .key(key)
                .body(body)
                .send(),
        );
    }

    pub fn put_file(&self, key: &str, file: &Path) {
        self.put(key, std::fs::read(file).expect("a file to upload"));
    }

    pub fn delete(&self, key: &str) {
        self.run(
            key,
            self.client.delete_object().bucket(BUCKET).key(key).send(),
        );
    }

    pub fn create_bucket(&self, name: &str) {
        self.run(name, self.client.create_bucket().bucket(name).send());
    }

    pub fn put_in(&self, bucket: &str, key: &str, body: Vec<u8>) {
        let body = ByteStream::from(body);
        self.run(
            key,
            self.client
                .put_object()
                .bucket(bucket)
                .key(key)
                .body(body)
                .send(),
        );
    }

    /// The objects of a bucket, by key, with their bytes.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        let work = async {
            let listed = self.client.list_objects_v2().bucket(bucket).send().await;
            let listed = listed.expect("a list");
            assert_ne!(listed.is_truncated(), Some(true), "more than a page");
            let mut all = BTreeMap::new();
            for object in listed.contents() {
                let key = object.key().expect("a key");
                let got = self.client.get_object().bucket(bucket).key(key).send();
                let body = got.await.expect("an object").body.collect().await;
                all.insert(key.to_owned(), body.expect("a body").to_vec());
            }
            all
        };
        self.runtime.block_on(work)
    }

    fn run<T, E: std::fmt::Debug>(&self, what: &str, work: impl Future<Output = Result<T, E>>) {
        if let Err(error) = self.runtime.block_on(work) {
            panic!("SeaweedFS, {what}: {error:?}");
        }
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("stderr.log")
}

fn launch(arguments: &[String], folder: &Path) -> Leashed {
    let keys = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ];
    let mut process = Leashed::start(&tools::venv("weed"), arguments, &keys, &log(folder));
    // Nobody reads what it prints; a full pipe would stop it.
    let mut printed = process.child.stdout.take().expect("stdout is piped");
    std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
    process
}

/// The variables for an S3 endpoint at `address` (SeaweedFS itself, or a proxy in front of it).
pub fn environment(address: SocketAddr) -> Vec<(String, String)> {
    [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", format!("http://{address}")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn client(address: SocketAddr) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .force_path_style(true)
        .credentials_provider(Credentials::new(
            ACCESS_KEY, SECRET_KEY, None, None, "tests",
        ))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}
