//! The release binary as a process of its own, for what has to be measured of a whole server.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A server; it ends with this.
pub(crate) struct Binary {
    process: Child,
    /// Where players connect.
    pub(crate) rtmp: SocketAddr,
}

impl Binary {
    /// Starts one with this configuration, whose file and data are put into `folder`.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        let file = folder.join("streamfront.toml");
        std::fs::write(&file, config).expect("a config file");
        let mut process = Command::new(env!("CARGO_BIN_EXE_streamfront"))
            .args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--api", "127.0.0.1:0", "--config"])
            .arg(&file)
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, rest) = line.split_once("rtmp on ").expect("the ready line");
        let (rtmp, _) = rest.split_once(',').expect("the ready line");
        let rtmp = rtmp.parse().expect("an address");
        Self { process, rtmp }
    }

    /// Processor time that it has taken so far: the 14th and 15th field, hundredths of a second
    /// (proc(5)).
    pub(crate) fn spent(&self) -> Duration {
        let file = format!("/proc/{}/stat", self.process.id());
        let text = std::fs::read_to_string(file).expect("it runs");
        let (_, behind) = text.rsplit_once(')').expect("a name");
        let ticks = behind.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|it| it.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder for a server, and one in it for objects.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let folder = folder.expect("a folder");
    let media = folder.path().join("media");
    std::fs::create_dir(&media).expect("a folder");
    (folder, media)
}
