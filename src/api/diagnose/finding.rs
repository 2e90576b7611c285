//! What is known of one step on the way to the picture.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which: `dns`, `port`, `origin`, …
    pub step: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// One sentence.
    pub says: String,
}

/// Whether a step holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not: here the play ends.
    Wrong,
    /// It was not looked at.
    Unknown,
}

impl Finding {
    /// A step that holds.
    pub fn holds(step: &str, says: impl Into<String>) -> Self {
        Self::new(step, Verdict::Holds, says)
    }

    /// A step that does not.
    pub fn wrong(step: &str, says: impl Into<String>) -> Self {
        Self::new(step, Verdict::Wrong, says)
    }

    /// A step that was not looked at.
    pub fn unknown(step: &str, says: impl Into<String>) -> Self {
        Self::new(step, Verdict::Unknown, says)
    }

    fn new(step: &str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            step: step.to_owned(),
            verdict,
            says: says.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Holds => "ok",
            Verdict::Wrong => "WRONG",
            Verdict::Unknown => "?",
        };
        // What servers say may hold anything; here it is one line.
        let says = self.says.replace(char::is_control, " ");
        write!(f, "{mark:<7}{:<14}{says}", self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let line = Finding::wrong("origin", "a\nb").to_string();
        assert_eq!(line, "WRONG  origin        a b");
        let json = serde_json::to_string(&Finding::holds("dns", "x")).unwrap();
        assert_eq!(json, r#"{"step":"dns","verdict":"holds","says":"x"}"#);
    }
}
