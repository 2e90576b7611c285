//! How a run goes, on the standard error output: one line that changes on a terminal, a line every
//! few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::load;

/// Time between lines where there is no terminal.
const LINES: Duration = Duration::from_secs(5);

/// Shows the progress of one run.
pub(super) struct Progress {
    form: Form,
    players: usize,
}

enum Form {
    Nothing,
    Bar(ProgressBar),
    Lines { last: Duration },
}

impl Progress {
    pub(super) fn new(quiet: bool, players: usize) -> Self {
        let form = if quiet {
            Form::Nothing
        } else if std::io::stderr().is_terminal() {
            Form::Bar(bar())
        } else {
            Form::Lines {
                last: Duration::ZERO,
            }
        };
        Self { form, players }
    }

    pub(super) fn show(&mut self, now: &load::Progress) {
        let line = self.line(now);
        match &mut self.form {
            Form::Nothing => {}
            Form::Bar(bar) => {
                bar.set_length(millis(now.total));
                bar.set_position(millis(now.elapsed.min(now.total)));
                bar.set_message(line);
            }
            Form::Lines { last } => {
                if now.elapsed >= *last + LINES {
                    *last = now.elapsed;
                    let (at, total) = (now.elapsed.as_secs_f64(), now.total.as_secs_f64());
                    // With nobody to read it there is nothing left to do.
                    let _ = writeln!(std::io::stderr(), "{at:.0} of {total:.0} s: {line}");
                }
            }
        }
    }

    pub(super) fn end(self) {
        if let Form::Bar(bar) = self.form {
            bar.finish_and_clear();
        }
    }

    fn line(&self, now: &load::Progress) -> String {
        let sample = &now.sample;
        let rate = now.rate * 8e-9;
        let mut line = format!(
            "{} of {} playing, {rate:.2} Gbit/s",
            sample.playing, self.players
        );
        for (count, word) in [
            (sample.ended, "ended"),
            (sample.underruns, "underruns"),
            (sample.failed, "failed"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {word}"));
            }
        }
        line
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template("{bar:30} {eta:>4} left  {wide_msg}");
    // The template is a constant; were it wrong, the bar would look plain.
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
