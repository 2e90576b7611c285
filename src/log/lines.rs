//! JSON lines into a file or the standard output, whole or plainly cut: where a disk is full or a
//! reader is gone in the middle of a line, the next one begins on a line of its own. One thread
//! waits for whoever is slow; the queue before it loses its oldest meanwhile.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use tracing::warn;

use super::JsonTo;
use super::entry::Entry;
use super::json;
use super::meter::{LogMeter, lose};
use super::queue::Queue;

/// Lines that are gathered for a write, bytes, beside the last one.
const CHUNK: usize = 64 << 10;

/// What writes lines. One thread has it.
#[derive(Debug)]
pub(super) struct Lines {
    to: JsonTo,
    out: Option<Out<Patient>>,
    reopen: Arc<AtomicBool>,
    meter: Arc<LogMeter>,
}

impl Lines {
    pub(super) fn new(to: JsonTo, reopen: Arc<AtomicBool>, meter: Arc<LogMeter>) -> Self {
        Self {
            to,
            out: None,
            reopen,
            meter,
        }
    }

    /// Writes what the queue has until it is closed.
    pub(super) fn run(mut self, queue: &Queue) {
        loop {
            let taken = queue.take(None);
            if self.reopen.swap(false, Ordering::AcqRel) {
                self.out = None;
            }
            self.add(taken.entries.iter().map(|entry| &**entry));
            if taken.closed {
                return;
            }
        }
    }

    fn add<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) {
        let mut lines = Vec::new();
        for entry in entries {
            json::write(&mut lines, entry);
            if lines.len() >= CHUNK {
                self.put(&lines);
                lines.clear();
            }
        }
        self.put(&lines);
    }

    fn put(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let put = self.out().map_err(|error| (count(lines), error));
        let Err((lost, error)) = put.and_then(|out| out.put(lines)) else {
            return;
        };
        if matches!(self.to, JsonTo::File(_)) {
            // It may be there again under its name; and how it ends can be seen.
            self.out = None;
        }
        if let Some(lost) = lose(&self.meter.lost_lines, lost) {
            warn!(lost, %error, "JSON lines of the access log are lost");
        }
    }

    fn out(&mut self) -> io::Result<&mut Out<Patient>> {
        match &mut self.out {
            Some(out) => Ok(out),
            none => Ok(none.insert(open(&self.to)?)),
        }
    }
}

fn open(to: &JsonTo) -> io::Result<Out<Patient>> {
    Ok(match to {
        // Unlike the one of the library it keeps nothing of a line that was written in part.
        JsonTo::Stdout => Out {
            to: Patient(io::stdout().as_fd().try_clone_to_owned()?.into()),
            torn: false,
        },
        JsonTo::File(path) => Out {
            to: Patient(File::options().append(true).create(true).open(path)?),
            torn: is_torn(path),
        },
    })
}

/// Whether a file ends within a line. What cannot be read is taken for whole, such as a pipe.
fn is_torn(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut last = [b'\n'];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != [b'\n']
}

/// Where lines go.
#[derive(Debug)]
struct Out<W> {
    to: W,
    /// Whether the last line there has no end.
    torn: bool,
}

impl<W: Write> Out<W> {
    /// Writes whole lines; says how many of them are lost, and why.
    fn put(&mut self, lines: &[u8]) -> Result<(), (u64, io::Error)> {
        if self.torn {
            let ended = self.to.write_all(b"\n");
            ended.map_err(|error| (count(lines), error))?;
            self.torn = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(written) if written > 0 => {
                    self.torn = rest.get(written - 1) != Some(&b'\n');
                    rest = rest.get(written..).unwrap_or_default();
                }
                Ok(_) => return Err((count(rest), io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((count(rest), error)),
            }
        }
        Ok(())
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// A file that is waited for where it does not wait by itself, such as a pipe that somebody else
/// has made so.
#[derive(Debug)]
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut room = [PollFd::new(&self.0, PollFlags::OUT)];
                    poll(&mut room, None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::session::testing::facts;
    use proptest::prelude::*;

    /// Takes so many bytes at each write; none means that it fails.
    #[derive(Debug, Default)]
    struct Moody {
        moods: Vec<usize>,
        taken: Vec<u8>,
    }

    impl Write for Moody {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let some = match self.moods.pop() {
                Some(0) => return Err(io::ErrorKind::StorageFull.into()),
                Some(some) => some.min(bytes.len()),
                None => bytes.len(),
            };
            self.taken.extend(&bytes[..some]);
            Ok(some)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn no_two_lines_are_glued_together_whatever_fails(
            moods in prop::collection::vec(0..40_usize, 0..30),
            batches in prop::collection::vec(1..4_usize, 1..20),
        ) {
            let mut out = Out { to: Moody { moods, taken: Vec::new() }, torn: false };
            let (mut number, mut lost) = (0, 0);
            for lines in batches {
                let mut batch = String::new();
                for _ in 0..lines {
                    batch.push_str(&format!("{{\"number\":{number}}}\n"));
                    number += 1;
                }
                lost += out.put(batch.as_bytes()).map_or_else(|(lost, _)| lost, |()| 0);
            }
            let text = String::from_utf8(out.to.taken).unwrap();
            let (mut whole, mut last) = (0, None);
            for line in text.split_inclusive('\n') {
                match serde_json::from_str::<serde_json::Value>(line) {
                    Ok(line) => {
                        let number = line["number"].as_u64();
                        prop_assert!(number > last || last.is_none());
                        last = number;
                        whole += 1;
                    }
                    Err(_) => {
                        let start = &"{\"number\":999"[..line.trim_end().len().min(10)];
                        prop_assert!(line.starts_with(start), "{line}");
                        prop_assert!(line.matches('{').count() == 1, "{line}");
                    }
                }
            }
            // A line that lacks nothing but its end counts as lost.
            prop_assert!(whole >= number - lost);
            prop_assert!(whole <= number);
        }
    }

    #[test]
    fn a_file_that_ends_within_a_line_is_gone_on_with_on_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.json");
        let to = JsonTo::File(path.clone());
        for (before, lines) in [("", 1), ("{\"whole\":1}\n", 2), ("{\"ha", 2)] {
            std::fs::write(&path, before).unwrap();
            let mut writer = Lines::new(to.clone(), Arc::default(), Arc::default());
            writer.add([Entry::turned_away(facts(), "a")].iter());
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().count(), lines, "{text}");
            let last = text.lines().last().unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(last).is_ok());
            assert_eq!(writer.meter.lost_lines.get(), 0);
        }
    }

    #[test]
    fn a_pipe_that_is_full_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let to = Patient(File::from(std::os::fd::OwnedFd::from(writer)));
        let mut out = Out { to, torn: false };
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        let writing = std::thread::spawn(move || {
            (0..1000).for_each(|_| out.put(&line).unwrap());
        });
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        writing.join().unwrap();
        assert_eq!((read.len(), count(&read)), (1_000_000, 1000));
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let reopen = Arc::new(AtomicBool::new(false));
        let to = JsonTo::File(path.clone());
        let lines = Lines::new(to, Arc::clone(&reopen), Arc::default());
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        queue.push(Arc::new(Entry::turned_away(facts(), "a")));
        let writing = std::thread::spawn(move || lines.run(&taken));
        let moved = folder.path().join("access.log.1");
        while std::fs::rename(&path, &moved).is_err() {
            std::thread::yield_now();
        }
        reopen.store(true, Ordering::Release);
        queue.push(Arc::new(Entry::turned_away(facts(), "b")));
        queue.close();
        writing.join().unwrap();
        let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
        assert_eq!((lines(&moved), lines(&path)), (1, 1));
    }
}
