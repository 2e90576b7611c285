//! The generated media: where they are, and which keys the bucket has.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::tools;

/// The folder of generated media; makes them when they are missing or their script has changed.
pub fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        for name in ["ffmpeg", "python3", "flock"] {
            tools::tool(name);
        }
        let script = tools::root().join("tests/media/make.sh");
        let output = Command::new("/bin/sh")
            .arg(script)
            .output()
            .expect("/bin/sh starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "tests/media/make.sh failed:\n{said}"
        );
        tools::root().join("target/test-media")
    })
}

/// A generated file.
pub fn file(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.is_file(), "tests/media/make.sh does not make {name}");
    path
}

/// One of the six committed files.
pub fn six(name: &str) -> PathBuf {
    tools::root().join("tests/media/six").join(name)
}

/// Names of all generated files, in order.
pub fn all() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("target/test-media can be listed")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// Further keys of the bucket, and the generated file that stands under each.
pub const ALIASES: &[(&str, &str)] = &[
    ("dir/x.mp4", "plain.mp4"),
    ("videos/x.flv", "index.flv"),
    ("dir/x.flv", "no_index.flv"),
    ("dir/song.mp3", "cbr_id3.mp3"),
    ("dir/x", "at_zero.flv"),
    ("deep/er/still/clip.mp4", "plain.mp4"),
    ("names/with space.mp4", "plain.mp4"),
    ("names/dir with space/clip.flv", "index.flv"),
    ("names/größe-日本語.mp4", "plain.mp4"),
    ("names/100%25 literal.mp4", "plain.mp4"),
    ("names/plus+amp&eq=.mp4", "plain.mp4"),
    ("names/UPPER.MP4", "plain.mp4"),
    ("clip.m4v", "apple.m4v"),
    ("clip2.f4v", "flash.f4v"),
    ("clip3.mov", "quicktime.mov"),
];
