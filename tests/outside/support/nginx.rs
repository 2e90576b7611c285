//! A real nginx-rtmp that plays files of a folder: the peer, and an RTMP server that we did not
//! write; or one that stands before the tunnel.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{leash::Leashed, ports, tools};

/// Where Debian's package puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// A running nginx, one process.
#[derive(Debug)]
pub struct Nginx {
    pub address: SocketAddr,
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
        Self::launch(|address, folder| player(address, media, folder))
    }

    /// Passes HTTP on to `server`: as it does by default, or with connections that it keeps.
    pub fn proxy(server: SocketAddr, keeps: bool) -> Self {
        Self::launch(|address, folder| proxy(address, server, keeps, folder))
    }

    fn launch(text: impl Fn(SocketAddr, &Path) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = ports::address();
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, text(address, folder.path())).expect("a config file");
        let log = folder.path().join("stderr.log");
        let arguments = ["-e", "stderr", "-c"].map(PathBuf::from);
        let arguments: Vec<PathBuf> = arguments.into_iter().chain([config]).collect();
        let mut process = Leashed::start(&program(), &arguments, &[], &log);
        for _ in 0..1_000 {
            if TcpStream::connect(address).is_ok() {
                return Self {
                    address,
                    process,
                    _folder: folder,
                };
            }
            let ended = process.wait(Duration::from_millis(10));
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "nginx ended, {ended:?}; it said:\n{said}");
        }
        panic!("nginx does not listen on {address}");
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

fn player(rtmp: SocketAddr, media: &Path, folder: &Path) -> String {
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

fn proxy(address: SocketAddr, server: SocketAddr, keeps: bool, folder: &Path) -> String {
    let folder = folder.display();
    // As README says.
    let (upstream, more) = match keeps {
        false => ("", ""),
        true => (
            "keepalive 16; keepalive_timeout 5s;",
            "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;",
        ),
    };
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream edge {{ server {server}; {upstream} }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://edge;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            {more}
        }}
    }}
}}
"
    )
}
