//! Holds the layer table of the house (ARCHITECTURE.md): a module imports only itself and what
//! stands above it, and layer 1 knows no clock, no randomness, no socket and no disk.
//!
//! It reads the source instead of asking the compiler, because the compiler lets every module of a
//! crate see every other. Read are `use` trees, nested braces included, and paths written out in
//! the code; code behind `#[cfg(test)]`, comments and strings are not.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate from the top of the house to the bottom, with their layer. Modules in
/// one row are peers of each other: a later one may import an earlier one.
const HOUSE: &[(u8, &[&str])] = &[
    (0, &["wire", "units"]),
    (1, &["amf"]),
    (1, &["rtmp"]),
    (1, &["media"]),
    (1, &["render"]),
    (1, &["distribution"]),
    (1, &["access"]),
    (1, &["sigv4"]),
    (2, &["origin"]),
    (2, &["cache"]),
    (2, &["store"]),
    (3, &["registry"]),
    (3, &["catalog"]),
    (3, &["delivery"]),
    (3, &["log"]),
    (4, &["net", "http", "api", "console"]),
    (5, &["config", "telemetry", "load", "server", "cli"]),
];

/// `load` plays from the outside: of this crate it may use only the pure layers.
const STRANGERS: &[&str] = &["load"];

/// What a pure module may not name: paths, matched at the start of a path or after its crate.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "rand",
    "getrandom",
    "rustix",
    "socket2",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::process",
    "std::thread",
    "std::env",
    "std::time::SystemTime",
    "SystemTime",
    "Instant::now",
    "std::time::Instant::now",
];

/// The items of `std::net` that are plain values.
const PLAIN_ADDRESSES: &[&str] = &[
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "AddrParseError",
];

/// What may not compile in code that reads what viewers and files control.
const NO_PANIC: &[&str] = &[
    "indexing_slicing",
    "unwrap_used",
    "expect_used",
    "panic",
    "arithmetic_side_effects",
    "cast_possible_truncation",
];

#[test]
fn pure_modules_deny_what_could_panic() {
    let pure = HOUSE.iter().filter(|(layer, _)| *layer < 2);
    let mut roots = 0;
    for module in pure.flat_map(|(_, modules)| modules.iter()) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{module}.rs"));
        let Ok(text) = fs::read_to_string(&root) else {
            continue;
        };
        roots += 1;
        for lint in NO_PANIC {
            assert!(
                text.contains(&format!("clippy::{lint}")),
                "{module} does not deny {lint}"
            );
        }
    }
    assert!(roots >= 7, "only {roots} pure modules were found");
}

#[test]
fn every_module_imports_only_what_stands_above_it() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some((module, _)) = file.module.split_first() else {
            continue;
        };
        let Some((row, layer)) = place(module) else {
            wrong.push(format!(
                "{}: module `{module}` has no place in the house",
                file.shown
            ));
            continue;
        };
        for path in paths(&file.text) {
            let Some(target) = crate_module(&path.segments, file.module.len()) else {
                continue;
            };
            if target == module {
                continue;
            }
            let line = path.line;
            match place(target) {
                // A name at the crate's root that is no module: a macro or a re-export.
                None if !is_module(target) => {}
                None => wrong.push(format!("{}:{line}: `{target}` has no place", file.shown)),
                Some((_, other)) if STRANGERS.contains(&module.as_str()) && other > 1 => wrong
                    .push(format!(
                        "{}:{line}: `{module}` is a stranger and may not import `{target}`",
                        file.shown
                    )),
                Some((other, _)) if other > row => wrong.push(format!(
                    "{}:{line}: `{module}` (layer {layer}) imports `{target}`, which stands below it",
                    file.shown
                )),
                Some(_) => {}
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the layers are broken:\n  {}",
        wrong.join("\n  ")
    );
}

#[test]
fn the_pure_layers_know_no_clock_no_chance_no_socket_and_no_disk() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(module) = file.module.first() else {
            continue;
        };
        if !matches!(place(module), Some((_, 0 | 1))) {
            continue;
        }
        for path in paths(&file.text) {
            let whole = path.segments.join("::");
            let impure = IMPURE.iter().any(|bad| {
                whole == *bad
                    || whole.starts_with(&format!("{bad}::"))
                    || whole.ends_with(&format!("::{bad}"))
            });
            let socket = matches!(path.segments.as_slice(), [std, net, rest @ ..]
                if std == "std" && net == "net"
                    && !rest.first().is_some_and(|item| PLAIN_ADDRESSES.contains(&item.as_str())));
            if impure || socket {
                wrong.push(format!("{}:{}: `{whole}`", file.shown, path.line));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "a pure module reaches outside:\n  {}",
        wrong.join("\n  ")
    );
}

#[test]
fn the_reader_of_imports_sees_what_a_person_would() {
    let text = r#"
        // use crate::comment::Ignored;
        use crate::{amf::{Value, value::*}, wire as w, net};
        use super::super::media;
        fn f<'a>() -> crate::rtmp::Chunk<'a> { let _ = "crate::text::Ignored"; 'c'; r"crate::raw" }
        #[cfg(test)]
        mod tests { use crate::hidden::Ignored; fn g() { if true { } } }
        pub(crate) fn after() { std::time::Instant::now(); }
    "#;
    let seen: Vec<String> = paths(text)
        .iter()
        .map(|path| path.segments.join("::"))
        .collect();
    for wanted in [
        "crate::amf::Value",
        "crate::amf::value::*",
        "crate::wire",
        "crate::net",
        "super::super::media",
        "crate::rtmp::Chunk",
        "std::time::Instant::now",
    ] {
        assert!(
            seen.iter().any(|path| path == wanted),
            "{wanted} not among {seen:?}"
        );
    }
    assert!(
        !seen
            .iter()
            .any(|path| path.contains("Ignored") || path.contains("raw")),
        "{seen:?}"
    );
    let segments: Vec<String> = ["super", "super", "media"].map(String::from).to_vec();
    assert_eq!(crate_module(&segments, 2), Some("media"));
    assert_eq!(crate_module(&segments, 3), None);
}

/// Row and layer of a top module.
fn place(module: &str) -> Option<(usize, u8)> {
    HOUSE
        .iter()
        .flat_map(|(layer, row)| row.iter().map(move |name| (*name, *layer)))
        .enumerate()
        .find(|(_, (name, _))| *name == module)
        .map(|(row, (_, layer))| (row, layer))
}

/// The top module of this crate that a path in a file `depth` modules deep names, if it names one.
fn crate_module(segments: &[String], depth: usize) -> Option<&str> {
    let first = segments.first()?;
    if first == "crate" {
        return segments.get(1).map(String::as_str);
    }
    let ups = segments
        .iter()
        .take_while(|segment| *segment == "super")
        .count();
    (ups > 0 && ups >= depth)
        .then(|| segments.get(ups).map(String::as_str))
        .flatten()
}

fn is_module(name: &str) -> bool {
    root().join(format!("{name}.rs")).exists()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

struct Source {
    /// Path below the package, for messages.
    shown: String,
    /// `rtmp`, `chunk`, `reader` for src/rtmp/chunk/reader.rs.
    module: Vec<String>,
    text: String,
}

/// Every source file but main.rs and lib.rs, which only wire the crate together.
fn sources() -> Vec<Source> {
    let mut folders = vec![root()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("an entry of src").path();
            // Tests in files of their own: `#[cfg(test)] mod tests;` stands in another file.
            if path.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path
                    .strip_prefix(root())
                    .expect("below src")
                    .with_extension("");
                let module: Vec<String> = below
                    .iter()
                    .map(|part| part.to_string_lossy().into_owned())
                    .collect();
                if module != ["main"] && module != ["lib"] {
                    let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                    found.push(Source {
                        shown: format!("src/{}.rs", below.display()),
                        module,
                        text,
                    });
                }
            }
        }
    }
    found.sort_by(|a, b| a.shown.cmp(&b.shown));
    assert!(
        !found.is_empty(),
        "no source found below {}",
        root().display()
    );
    found
}

#[derive(Debug)]
struct SeenPath {
    segments: Vec<String>,
    line: usize,
}

/// All paths of two or more segments in `text`, `use` trees spread out, tests left out.
fn paths(text: &str) -> Vec<SeenPath> {
    let tokens = without_tests(tokens(text));
    let mut seen = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (token, line) = &tokens[at];
        let starts = is_word(token) && (at == 0 || tokens[at - 1].0 != "::");
        if starts && token == "use" {
            at = use_tree(&tokens, at + 1, &[], &mut seen);
        } else if starts {
            let mut segments = vec![token.clone()];
            while tokens.get(at + 1).is_some_and(|next| next.0 == "::")
                && tokens.get(at + 2).is_some_and(|next| is_word(&next.0))
            {
                segments.push(tokens[at + 2].0.clone());
                at += 2;
            }
            if segments.len() > 1 {
                seen.push(SeenPath {
                    segments,
                    line: *line,
                });
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    seen
}

/// Reads one use tree from `at`; returns the place behind it.
fn use_tree(
    tokens: &[(String, usize)],
    mut at: usize,
    before: &[String],
    seen: &mut Vec<SeenPath>,
) -> usize {
    let mut segments = before.to_vec();
    while let Some((token, line)) = tokens.get(at) {
        match token.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.0 != "}") {
                    at = use_tree(tokens, at, &segments, seen);
                    if tokens.get(at).is_some_and(|token| token.0 == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => at += 2,
            word if is_word(word) || word == "*" => {
                segments.push(word.to_owned());
                at += 1;
                let goes_on = tokens.get(at).is_some_and(|token| token.0 == "::");
                if !goes_on {
                    seen.push(SeenPath {
                        segments: segments.clone(),
                        line: *line,
                    });
                }
            }
            _ => return at,
        }
    }
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Drops the item behind each `#[cfg(test)]`.
fn without_tests(tokens: Vec<(String, usize)>) -> Vec<(String, usize)> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = mark.iter().enumerate().all(|(step, wanted)| {
            tokens
                .get(at + step)
                .is_some_and(|token| token.0 == *wanted)
        });
        if !marked {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0_usize;
        at += mark.len();
        while let Some((token, _)) = tokens.get(at) {
            at += 1;
            match token.as_str() {
                "{" => depth += 1,
                "}" if depth <= 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Words, `::` and single signs with their line; comments, strings and characters left out.
fn tokens(text: &str) -> Vec<(String, usize)> {
    let letters: Vec<char> = text.chars().collect();
    let get = |at: usize| letters.get(at).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < letters.len() {
        let start = at;
        match letters[at] {
            '/' if get(at + 1) == '/' => {
                while at < letters.len() && get(at) != '\n' {
                    at += 1;
                }
            }
            '/' if get(at + 1) == '*' => {
                at += 2;
                while at < letters.len() && !(get(at) == '*' && get(at + 1) == '/') {
                    at += 1;
                }
                at += 2;
            }
            'r' if raw_string(&letters, at).is_some() => {
                at = raw_string(&letters, at).unwrap_or(at)
            }
            '"' => {
                at += 1;
                while at < letters.len() && get(at) != '"' {
                    at += if get(at) == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            // A character, or else a lifetime.
            '\'' if get(at + 1) == '\\' => {
                at += 3;
                while at < letters.len() && get(at) != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if get(at + 2) == '\'' => at += 3,
            ':' if get(at + 1) == ':' => {
                found.push(("::".to_owned(), line));
                at += 2;
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                while get(at).is_alphanumeric() || get(at) == '_' {
                    at += 1;
                }
                found.push((letters[start..at].iter().collect(), line));
            }
            letter => {
                if !letter.is_whitespace() {
                    found.push((letter.to_string(), line));
                }
                at += 1;
            }
        }
        line += letters[start..at.min(letters.len())]
            .iter()
            .filter(|l| **l == '\n')
            .count();
    }
    found
}

/// The end of the raw string that starts at `at`, if one does.
fn raw_string(letters: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).and_then(|before| letters.get(before));
    if before.is_some_and(|letter| letter.is_alphanumeric() && *letter != 'b') {
        return None;
    }
    let hashes = letters[at + 1..]
        .iter()
        .take_while(|letter| **letter == '#')
        .count();
    let open = at + 1 + hashes;
    if letters.get(open) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let length = letters[open + 1..]
        .windows(close.len())
        .position(|window| window == close)?;
    Some(open + 1 + length + close.len())
}
