//! What to type to play something of a distribution.

use crate::distribution::DEFAULT_APP;
use crate::distribution::host::HostPattern;

/// What stands for a file in examples.
const SAMPLE: &str = "mp4:dir/film.mp4";

/// A name that a wildcard stands for, in examples.
const ANY_LABEL: &str = "www";

/// Lines that say what to play: by each name, and on this machine, where the names may not resolve.
pub(super) fn lines(domain_name: &str, aliases: &[HostPattern]) -> Vec<String> {
    let names = aliases.iter().filter_map(|alias| match alias {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::Wildcard(parent) => Some(format!("{ANY_LABEL}.{parent}")),
        HostPattern::Any => None,
    });
    let mut lines = vec!["Play dir/film.mp4 of the bucket:".to_owned()];
    for name in std::iter::once(domain_name.to_owned()).chain(names) {
        lines.push(format!("  ffplay rtmp://{name}/{DEFAULT_APP}/{SAMPLE}"));
    }
    let server = format!("rtmp://{domain_name}/{DEFAULT_APP}");
    lines.push("On the server's own machine, where the name need not resolve:".to_owned());
    lines.push(format!(
        "  ffplay -rtmp_tcurl {server} rtmp://127.0.0.1/{DEFAULT_APP}/{SAMPLE}"
    ));
    lines.push(format!(
        "  rtmpdump -r rtmp://127.0.0.1/{DEFAULT_APP} -a {DEFAULT_APP} -t {server} -y {SAMPLE} -o film.flv"
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_and_this_machine() {
        let alias = |name| HostPattern::parse(name).unwrap();
        let lines = lines("s1.example", &[alias("a.example"), alias("*.b.example")]);
        let text = lines.join("\n");
        for part in [
            "ffplay rtmp://s1.example/cfx/st/mp4:dir/film.mp4\n",
            "ffplay rtmp://a.example/cfx/st/",
            "ffplay rtmp://www.b.example/cfx/st/",
            "-rtmp_tcurl rtmp://s1.example/cfx/st rtmp://127.0.0.1/cfx/st/mp4:",
            "-t rtmp://s1.example/cfx/st -y mp4:",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
