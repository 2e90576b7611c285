//! A real HAProxy in TCP mode in front of a server.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::{leash::Leashed, ports, tools};

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy {
    /// Where viewers connect.
    pub address: SocketAddr,
    _process: Leashed,
    _folder: tempfile::TempDir,
}

impl Haproxy {
    /// Leads to `server`, with these options of its `server` line.
    pub fn start(server: SocketAddr, options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = ports::address();
        let config = folder.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 2m\n  \
             timeout server 2m\nlisten front\n  bind {address}\n  \
             server origin {server} {options}\n"
        );
        std::fs::write(&config, text).expect("a config file");
        let log = folder.path().join("stderr.log");
        let arguments = [PathBuf::from("-db"), PathBuf::from("-f"), config];
        let mut process = Leashed::start(&program(), &arguments, &[], &log);
        for _ in 0..1_000 {
            if TcpStream::connect(address).is_ok() {
                return Self {
                    address,
                    _process: process,
                    _folder: folder,
                };
            }
            let ended = process.wait(Duration::from_millis(10));
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(
                ended.is_none(),
                "haproxy ended, {ended:?}; it said:\n{said}"
            );
        }
        panic!("haproxy does not listen on {address}");
    }
}

/// It stands where only root's PATH looks.
fn program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/haproxy");
    if usual.is_file() {
        return usual;
    }
    tools::tool("haproxy")
}
