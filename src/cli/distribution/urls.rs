//! What to type to play something of a distribution.

use crate::api::Players;
use crate::distribution::host::HostPattern;

/// What stands for a file in examples.
const SAMPLE: &str = "mp4:dir/film.mp4";

/// The port that players assume.
const PORT: u16 = 1935;

/// A name that a wildcard stands for, in examples.
const ANY_LABEL: &str = "www";

/// Lines that say what to play: by each name, and on this machine, where the names may not resolve.
pub(super) fn lines(domain_name: &str, aliases: &[HostPattern], players: &Players) -> Vec<String> {
    let names = aliases.iter().filter_map(|alias| match alias {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::Wildcard(parent) => Some(format!("{ANY_LABEL}.{parent}")),
        HostPattern::Any => None,
    });
    let app = &players.app;
    let port = match players.port {
        PORT => String::new(),
        port => format!(":{port}"),
    };
    let mut lines = vec!["Play dir/film.mp4 of the bucket:".to_owned()];
    for name in std::iter::once(domain_name.to_owned()).chain(names) {
        lines.push(format!("  ffplay rtmp://{name}{port}/{app}/{SAMPLE}"));
    }
    let (server, here) = (
        format!("rtmp://{domain_name}/{app}"),
        format!("127.0.0.1{port}"),
    );
    lines.push("On the server's own machine, where the name need not resolve:".to_owned());
    lines.push(format!(
        "  ffplay -rtmp_tcurl {server} rtmp://{here}/{app}/{SAMPLE}"
    ));
    lines.push(format!(
        "  rtmpdump -r rtmp://{here}/{app} -a {app} -t {server} -y {SAMPLE} -o film.flv"
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_and_this_machine() {
        let alias = |name| HostPattern::parse(name).unwrap();
        let players = |port| Players {
            port,
            app: "cfx/st".to_owned(),
        };
        let aliases = [alias("a.example"), alias("*.b.example")];
        let text = lines("s1.example", &aliases, &players(1935)).join("\n");
        let other = lines("s1.example", &aliases, &players(19350)).join("\n");
        assert!(
            other.contains("ffplay rtmp://s1.example:19350/cfx/st/mp4:"),
            "{other}"
        );
        assert!(other.contains(" rtmp://127.0.0.1:19350/cfx/st/"), "{other}");
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
