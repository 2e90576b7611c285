//! What the kernel knows of this process, under the names that all exporters use.

use std::fs;

use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};

use super::readings::Readings;
use super::served::number;

/// Ticks of a second in /proc/PID/stat: part of the kernel's interface, whatever its own clock, on
/// every architecture that this server is built for (proc(5), time(7)).
const TICKS: f64 = 100.0;

pub(super) fn register(registry: &mut Registry, started: f64) {
    let mut add = |readings| registry.register_collector(Box::new(readings));
    add(Readings::counter(
        "process_cpu_seconds",
        "Processor time, user and system.",
        || cpu_ticks().unwrap_or_default() / TICKS,
    ));
    add(Readings::gauge(
        "process_resident_memory_bytes",
        "Memory that is not swapped out.",
        || resident().unwrap_or_default(),
    ));
    add(Readings::gauge(
        "process_open_fds",
        "Open file descriptors.",
        open_descriptors,
    ));
    add(Readings::gauge(
        "process_max_fds",
        "File descriptors that may be open.",
        || number(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)),
    ));
    add(Readings::gauge(
        "process_start_time_seconds",
        "When the server started, since 1970.",
        move || started,
    ));
}

/// utime and stime.
fn cpu_ticks() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    ticks_of(&stat)
}

fn ticks_of(stat: &str) -> Option<f64> {
    // Behind the name of the program, which may have anything in it, they are the 12th and 13th.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn open_descriptors() -> f64 {
    // Less the one by which they are read.
    let listed = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    number(listed.saturating_sub(1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_does_not_matter() {
        let stat = "1 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(ticks_of(stat), Some(300.0));
        assert_eq!(ticks_of("1 (a) S 1"), None);
        assert_eq!(ticks_of(""), None);
    }
}
