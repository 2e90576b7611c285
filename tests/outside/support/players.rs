//! Real players as child processes, each with a time limit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::tools;

/// How long a player may take. Not a measurement: it only ends a hung test.
const LIMIT: Duration = Duration::from_secs(120);

/// What a program left behind.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Outcome {
    /// Fails the test unless the program ended well.
    pub fn good(self, what: &str) -> Self {
        assert!(
            self.status.success(),
            "{what} failed ({}):\n{}",
            self.status,
            self.stderr
        );
        self
    }
}

/// Runs a program to its end.
pub fn run(program: PathBuf, arguments: &[impl Into<OsString> + Clone]) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name| std::fs::File::create(folder.path().join(name)).expect("a file");
    let arguments: Vec<OsString> = arguments.iter().cloned().map(Into::into).collect();
    let mut child = Command::new(&program)
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("err"))
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let end = Instant::now() + LIMIT;
    let read = |name| std::fs::read(folder.path().join(name)).expect("a file");
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            let stderr = String::from_utf8_lossy(&read("err")).into_owned();
            return Outcome {
                status,
                stdout: read("out"),
                stderr,
            };
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            let said = String::from_utf8_lossy(&read("err")).into_owned();
            panic!(
                "{} {arguments:?} did not end within {LIMIT:?}:\n{said}",
                program.display()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// ffmpeg, copying `url` into the file `out`, unpaced. `before` goes before `-i`.
pub fn ffmpeg(url: &str, before: &[&str], out: &Path) -> Outcome {
    let mut arguments = vec!["-nostdin", "-hide_banner", "-loglevel", "error", "-y"];
    arguments.extend(["-rtmp_buffer", "700000"]);
    arguments.extend(before);
    let out = out.display().to_string();
    arguments.extend([
        "-i", url, "-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts", &out,
    ]);
    run(tools::tool("ffmpeg"), &arguments)
}

/// rtmpdump with its own idea of how to split the address, into the FLV file `out`.
pub fn rtmpdump(url: &str, out: &Path) -> Outcome {
    let out = out.display().to_string();
    run(
        tools::tool("rtmpdump"),
        &["--quiet", "--timeout", "60", "-r", url, "-o", &out],
    )
}

/// rtmpdump with application and stream name given apart.
pub fn rtmpdump_split(address: &str, app: &str, name: &str, more: &[&str], out: &Path) -> Outcome {
    rtmpdump_by("rtmp", address, app, name, more, out)
}

/// The same by another of its protocols: rtmp, rtmpt, rtmpe, rtmpte, rtmps, rtmpts.
pub fn rtmpdump_by(
    scheme: &str,
    address: &str,
    app: &str,
    name: &str,
    more: &[&str],
    out: &Path,
) -> Outcome {
    let url = format!("{scheme}://{address}/{app}");
    let out = out.display().to_string();
    let mut arguments = vec![
        "--quiet",
        "--timeout",
        "60",
        "-r",
        &url,
        "-a",
        app,
        "-y",
        name,
        "-o",
    ];
    arguments.push(&out);
    arguments.extend(more);
    run(tools::tool("rtmpdump"), &arguments)
}

/// GStreamer's rtmp2src, into the FLV file `out`, to its own end of stream.
pub fn rtmp2src(url: &str, out: &Path) -> Outcome {
    rtmp2src_with(url, &[], out)
}

/// The same, believing every certificate.
pub fn rtmp2src_credulous(url: &str, out: &Path) -> Outcome {
    rtmp2src_with(url, &["tls-validation-flags=0"], out)
}

fn rtmp2src_with(url: &str, more: &[&str], out: &Path) -> Outcome {
    let location = format!("location={url}");
    let target = format!("location={}", out.display());
    let begin = ["-q", "rtmp2src", &location];
    let arguments = [&begin, more, &["!", "filesink", &target]].concat();
    run(tools::tool("gst-launch-1.0"), &arguments)
}
