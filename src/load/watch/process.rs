//! One process, as `/proc` shows it (proc(5)).

use std::fs;

use super::Seen;

/// Units of processor time in a second. Linux shows it to programs in hundredths, whatever the
/// kernel itself counts in.
const TICKS: f64 = 100.0;

/// A process by its number, or `self`.
pub(super) fn look(pid: &str, thorough: bool) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let descriptors = if thorough {
        let folder = fs::read_dir(format!("/proc/{pid}/fd"));
        folder.map_or(0, |entries| entries.count() as u64)
    } else {
        0
    };
    Some(Seen {
        cpu_seconds: cpu_seconds(&stat)?,
        rss: kibibytes(&status, "VmRSS:").unwrap_or_default(),
        rss_anon: kibibytes(&status, "RssAnon:").unwrap_or_default(),
        descriptors,
    })
}

/// User and system time of all threads, those that have ended included.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // Behind the name, which may have anything in it, they are the 12th and 13th.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS)
}

/// A line of `status`, in bytes.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_stands_behind_a_name_with_anything_in_it() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 125 0 0 20 0 4";
        assert_eq!(cpu_seconds(stat), Some(3.75));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn memory_is_told_in_kibibytes() {
        let status = "VmPeak:\t  99 kB\nVmRSS:\t    12 kB\nRssAnon:\t 3 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(12_288));
        assert_eq!(kibibytes(status, "RssAnon:"), Some(3072));
        assert_eq!(kibibytes(status, "RssFile:"), None);
    }

    #[test]
    fn this_process_can_be_seen_and_one_that_is_not_there_cannot() {
        let seen = look("self", true).unwrap();
        assert!(seen.rss > 0 && seen.descriptors > 2);
        assert_eq!(look("0", false), None);
    }
}
