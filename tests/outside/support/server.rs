//! The real binary, as a person would start it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;

use super::{leash::Leashed, ports, seaweed};

/// How long a server may take until it says that it is ready, on a busy machine.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to drain. Generous: tests assert that it ends, not how quickly.
const DRAIN: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    pub bucket: String,
    pub environment: Vec<(String, String)>,
    pub arguments: Vec<String>,
    /// Text of a config file, if it is to have one.
    pub config: String,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub rtmp: SocketAddr,
    pub http: SocketAddr,
    pub api: SocketAddr,
    pub ready_line: String,
    process: Leashed,
    folder: tempfile::TempDir,
    stopped: bool,
}

/// A server that could not be started: its exit status and all it said.
#[derive(Debug)]
pub struct Refusal {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A server over the shared SeaweedFS, for all tests that do it no harm.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Setup::s3(seaweed::shared()).start())
}

impl Setup {
    /// The media bucket of a SeaweedFS.
    pub fn s3(seaweed: &seaweed::Seaweed) -> Self {
        let bucket = format!("s3://{}", seaweed::BUCKET);
        Self {
            bucket,
            environment: seaweed.environment(),
            ..Self::default()
        }
    }

    /// A directory as the bucket.
    pub fn directory(path: &Path) -> Self {
        Self {
            bucket: path.display().to_string(),
            ..Self::default()
        }
    }

    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With a config file of this text.
    pub fn config(mut self, text: &str) -> Self {
        text.clone_into(&mut self.config);
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server and waits for its ready line.
    pub fn start(&self) -> Server {
        self.try_start().unwrap_or_else(|refusal| {
            panic!(
                "the server did not start ({}); it said:\n{}{}",
                refusal.status, refusal.stdout, refusal.stderr
            )
        })
    }

    /// Starts the server on free ports.
    pub fn try_start(&self) -> Result<Server, Refusal> {
        self.try_start_at(ports::address(), ports::address(), ports::address())
    }

    /// Starts the server at these addresses; an error if it ends instead of being ready.
    pub fn try_start_at(
        &self,
        rtmp: SocketAddr,
        http: SocketAddr,
        api: SocketAddr,
    ) -> Result<Server, Refusal> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut arguments = vec!["serve".to_owned()];
        if !self.bucket.is_empty() {
            arguments.extend(["--bucket".to_owned(), self.bucket.clone()]);
        }
        for (flag, address) in [("--rtmp", rtmp), ("--http", http), ("--api", api)] {
            arguments.extend([flag.to_owned(), address.to_string()]);
        }
        let data = folder.path().join("data").display().to_string();
        arguments.extend(["--data-dir".to_owned(), data]);
        if !self.config.is_empty() {
            let file = folder.path().join("streamfront.toml");
            std::fs::write(&file, &self.config).expect("a config file");
            arguments.extend(["--config".to_owned(), file.display().to_string()]);
        }
        arguments.extend(self.arguments.iter().cloned());
        let (process, ready_line) = launch(&arguments, &self.environment, folder.path())?;
        Ok(Server {
            rtmp,
            http,
            api,
            ready_line,
            process,
            folder,
            stopped: false,
        })
    }
}

/// Runs the binary with `arguments` until it prints a line or ends.
pub fn launch(
    arguments: &[String],
    environment: &[(String, String)],
    folder: &Path,
) -> Result<(Leashed, String), Refusal> {
    let log = folder.join("stderr.log");
    // Nothing of the caller's own AWS set-up may leak in.
    let nowhere = folder.join("none").display().to_string();
    let mut variables = vec![
        ("AWS_CONFIG_FILE", nowhere.as_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", nowhere.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    variables.extend(
        environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let binary = Path::new(env!("CARGO_BIN_EXE_streamfront"));
    let mut process = Leashed::start(binary, arguments, &variables, &log);
    let mut stdout = BufReader::new(process.child.stdout.take().expect("stdout is piped"));
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = stdout.read_line(&mut line);
        let _ = said.send(line);
        // Later lines are nobody's business, but a full pipe would stop the server.
        let _ = std::io::copy(&mut stdout.by_ref(), &mut std::io::sink());
    });
    let line = hears.recv_timeout(READY).unwrap_or_else(|_| {
        panic!(
            "no line on stdout within {READY:?}; stderr:\n{}",
            read(&log)
        );
    });
    if line.is_empty() {
        let status = process
            .wait(READY)
            .expect("a process that closed stdout ends");
        return Err(Refusal {
            status,
            stdout: line,
            stderr: read(&log),
        });
    }
    Ok((process, line))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

impl Server {
    /// `rtmp://ADDRESS/cfx/st/NAME`.
    pub fn url(&self, name: &str) -> String {
        format!("rtmp://{}/cfx/st/{name}", self.rtmp)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// All it logged so far.
    pub fn log(&self) -> String {
        read(&self.folder.path().join("stderr.log"))
    }

    /// Resident memory, bytes.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Resident memory that no file stands behind, such as the heap, bytes.
    pub fn anonymous(&self) -> u64 {
        self.memory("RssAnon:")
    }

    fn memory(&self, row: &str) -> u64 {
        let status = read(Path::new(&format!("/proc/{}/status", self.id())));
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix(row))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<u64>().ok());
        kibibytes.unwrap_or_else(|| panic!("the server is gone; it said:\n{}", self.log())) * 1024
    }

    /// Processor time that it has taken so far.
    pub fn processor_time(&self) -> Duration {
        let stat = read(Path::new(&format!("/proc/{}/stat", self.id())));
        // Behind the name, which may have anything in it: state, and utime and stime as the 12th
        // and 13th, in hundredths of a second (proc(5)).
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let ticks: Vec<u64> = behind
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|number| number.parse().expect("a number of ticks"))
            .collect();
        assert_eq!(
            ticks.len(),
            2,
            "the server is gone; it said:\n{}",
            self.log()
        );
        Duration::from_millis(ticks.iter().sum::<u64>() * 10)
    }

    /// Open file descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    /// Fails the test if the server has ended.
    pub fn assert_alive(&self) {
        let status = read(Path::new(&format!("/proc/{}/status", self.id())));
        let lives = status
            .lines()
            .any(|line| line.starts_with("State:") && !line.contains('Z'));
        assert!(lives, "the server is gone; it said:\n{}", self.log());
    }

    /// Sends SIGTERM and does not wait.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Sends SIGHUP, as log rotation does.
    pub fn hang_up(&self) {
        self.process.signal(Signal::HUP);
    }

    /// Kills it at once, as kill -9 does.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.stopped = true;
        self.process.wait(DRAIN).expect("a killed process ends");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.stopped = true;
        self.process.wait(DRAIN).unwrap_or_else(|| {
            panic!(
                "not ended {DRAIN:?} after SIGTERM:\n{}",
                read(&self.log_path())
            )
        })
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stopped {
            return;
        }
        let died = self.process.wait(Duration::ZERO);
        if std::thread::panicking() {
            eprintln!("--- the server logged:\n{}---", tail(&self.log()));
            return;
        }
        assert!(
            died.is_none(),
            "the server died during the test: {died:?}\n{}",
            self.log()
        );
        self.terminate();
        let status = self.wait();
        assert!(
            status.success(),
            "SIGTERM ended the server with {status}:\n{}",
            self.log()
        );
    }
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n") + "\n"
}
