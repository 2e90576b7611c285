//! A real nginx-rtmp that plays files of a folder: the peer, and an RTMP server that we did not
//! write.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{leash::Leashed, ports, tools};

/// Where Debian's package puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// A running nginx, one process.
#[derive(Debug)]
pub struct Nginx {
    pub rtmp: SocketAddr,
    process: Leashed,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Plays the files of `media` under the application `vod`.
    pub fn start(media: &Path) -> Self {
        assert!(
            Path::new(MODULE).is_file(),
            "libnginx-mod-rtmp is not installed: `make test` installs it"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rtmp = ports::address();
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, text(rtmp, media, folder.path())).expect("a config file");
        let log = folder.path().join("stderr.log");
        let arguments = ["-e", "stderr", "-c"].map(PathBuf::from);
        let arguments: Vec<PathBuf> = arguments.into_iter().chain([config]).collect();
        let mut process = Leashed::start(&program(), &arguments, &[], &log);
        for _ in 0..1_000 {
            if TcpStream::connect(rtmp).is_ok() {
                return Self {
                    rtmp,
                    process,
                    _folder: folder,
                };
            }
            let ended = process.wait(Duration::from_millis(10));
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "nginx ended, {ended:?}; it said:\n{said}");
        }
        panic!("nginx does not listen on {rtmp}");
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// It stands where only root's PATH looks.
fn program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.is_file() {
        return usual;
    }
    tools::tool("nginx")
}

fn text(rtmp: SocketAddr, media: &Path, folder: &Path) -> String {
    let (media, folder) = (media.display(), folder.display());
    format!(
        "load_module {MODULE};
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
rtmp {{ server {{
    listen {rtmp};
    chunk_size 4096;
    application vod {{ play {media}; }}
}} }}
"
    )
}
