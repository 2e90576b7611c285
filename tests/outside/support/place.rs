//! A place where a server is started again and again: one data directory, the same ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::leash::Leashed;
use super::server::Refusal;
use super::{ports, server};

/// Where a server is started.
#[derive(Debug)]
pub struct Place {
    pub rtmp: SocketAddr,
    pub http: SocketAddr,
    pub api: SocketAddr,
    pub environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            rtmp: ports::address(),
            http: ports::address(),
            api: ports::address(),
            environment: Vec::new(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// What its config file says from the next start on.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.at("streamfront.toml"), text).expect("a config file");
    }

    /// Starts a server and waits for its ready line.
    pub fn start(&self) -> Leashed {
        let started = server::launch(&self.arguments(), &self.environment, self.folder.path());
        started.unwrap_or_else(|refusal| panic!("{refusal:?}")).0
    }

    /// Starts another server on the same data directory, which has ports of its own.
    pub fn start_another(&self) -> Result<Leashed, Refusal> {
        let ports = [ports::address(), ports::address(), ports::address()];
        let folder = self.at("another");
        std::fs::create_dir_all(&folder).expect("a folder");
        let started = server::launch(&self.arguments_at(ports), &self.environment, &folder);
        started.map(|(process, _)| process)
    }

    /// Starts a server and waits for nothing.
    pub fn begin(&self) -> Leashed {
        let binary = Path::new(env!("CARGO_BIN_EXE_streamfront"));
        let variables = self.environment.iter();
        let variables: Vec<_> = variables.map(|(name, value)| (&**name, &**value)).collect();
        let log = self.at("stderr.log");
        Leashed::start(binary, &self.arguments(), &variables, &log)
    }

    fn arguments(&self) -> Vec<String> {
        self.arguments_at([self.rtmp, self.http, self.api])
    }

    fn arguments_at(&self, [rtmp, http, api]: [SocketAddr; 3]) -> Vec<String> {
        vec![
            "serve".to_owned(),
            format!("--rtmp={rtmp}"),
            format!("--http={http}"),
            format!("--api={api}"),
            format!("--data-dir={}", self.at("data").display()),
            format!("--config={}", self.at("streamfront.toml").display()),
        ]
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.at("stderr.log")).unwrap_or_default();
            eprintln!("--- the last server logged:\n{said}---");
        }
    }
}

/// Kills a server and waits for its end.
pub fn kill(mut process: Leashed) {
    process.signal(Signal::KILL);
    let ended = process.wait(Duration::from_secs(60));
    ended.expect("a killed process ends");
}
