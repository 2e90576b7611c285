//! A child process that cannot outlive the tests, even when they are killed.
//!
//! A process that is killed runs no destructors, and statics are never dropped. So each child keeps
//! a watcher that reads from a pipe whose other end is here: when this process is gone, however it
//! went, the pipe closes and the watcher kills the child. The child's process id is the one we see.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const WATCH: &str = r#"exec 3<&0
(read -r _ <&3 || kill -KILL $$) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null"#;

/// A process on a leash.
#[derive(Debug)]
pub struct Leashed {
    pub child: Child,
    leash: ChildStdin,
}

impl Leashed {
    /// Starts `program`; its stderr goes to the file `stderr`, its stdout to a pipe in `child`.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        environment: &[(&str, &str)],
        stderr: &Path,
    ) -> Self {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", WATCH, "sh"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(stderr).expect("a log file can be made"));
        let mut child = command.spawn().expect("/bin/sh starts");
        let leash = child.stdin.take().expect("stdin is piped");
        Self { child, leash }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        // It may have ended by itself; then there is nothing to tell it.
        let _ = kill_process(id, signal);
    }

    /// Waits until the process ends, at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                // The watcher is told to let go, or it would kill whoever gets the id next.
                let _ = self.leash.write_all(b"\n");
                return Some(status);
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        if self.wait(Duration::ZERO).is_none() {
            self.signal(Signal::KILL);
            self.wait(Duration::from_secs(10));
        }
    }
}
